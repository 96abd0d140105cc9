import sys, random, traceback
from collections import Counter
from streams.wire import columns
from tests.support.two_engines import run_scenario
import monitor.engine.engine as e
columns.prepare()
a, b, n = map(int, sys.argv[1:4])
bad = Counter()
for seed in range(a, b):
    if seed % 2: e.CLOSED_DAYS_MAX = 1
    else: e.CLOSED_DAYS_MAX = 2000
    import monitor.ordinary.layout as L; L.SEGMENTS_MAX = 2 if seed % 3 == 0 else 4096
    try:
        run_scenario(random.Random(seed), n)
    except BaseException as x:
        if isinstance(x, KeyboardInterrupt): raise
        tb = traceback.extract_tb(sys.exc_info()[2])
        last = [f"{f.filename.split('/')[-1]}:{f.lineno}" for f in tb][-4:]
        bad[str(last)+type(x).__name__] += 1
        print(seed, last, type(x).__name__, str(x)[:1500].replace("\n"," "), flush=True)
print(bad)
