import sys, random
from streams.wire import columns
import tests.support.two_engines as t
import monitor.engine.engine as e, monitor.ordinary.layout as L
columns.prepare()
seed=int(sys.argv[1]); n=int(sys.argv[2])
e.CLOSED_DAYS_MAX = 1 if seed % 2 else 2000
L.SEGMENTS_MAX = 2 if seed % 3 == 0 else 4096
P=t.Pair
def logged(name):
    f=getattr(P,name)
    async def g(self,*a,**k):
        off=[s.engine.ledger.offset_last for s in self.sides]
        print(name, off, [len(x) if isinstance(x,list) else x for x in a] if name!="add_policy" else a[0].text, k, [s.engine.has_closing_days for s in self.sides],[s.engine.ledger.day_open_first for s in self.sides],[s.engine.ledger.count_accounts() for s in self.sides])
        return await f(self,*a,**k)
    setattr(P,name,g)
for nme in ("take","compare","add_policy","set_attributes","set_verdicts","flush","recover"): logged(nme)
try:
    t.run_scenario(random.Random(seed), n)
except BaseException as x:
    print(type(x), str(x)[:1500])
