"""An alert on all currencies is derived again alike, with the rates of each day's version."""

import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from monitor.policy.document import policy_of
from monitor.policy.policy import PolicyBook
from streams.feed.reader import Batch
from streams.replay.explain import explain_of_files
from streams.replay.explained import chain_of
from streams.replay.replay import Replay
from streams.wire import codec
from tests.support.laws import law

CODES = ("EUR", "USD", "JPY", "CHF")
HEAD = 'version = {version}\neffective_from = 2026-03-{day:02d}\n[rates]\nbase = "EUR"\n'
LIMIT = """
[[limit]]
id = "all"
measure = "amount"
currency = "*"
base = "EUR"
{period}
above = "5.00"
"""


def policies(rng: random.Random, period: str) -> PolicyBook:
    """Return a version for each of ten days, each with the rates of its own day alone."""
    texts = []
    for day in range(1, 11):
        head = HEAD.format(version=day, day=day) + 'at_most_old = "0d"\n'
        rates = f"Date,USD,JPY\\n2026-03-{day:02d},{rng.uniform(0.5, 2):.4f},160.5"
        texts.append(f'{head}csv = "{rates}"\n{LIMIT.format(period=period)}')
    return PolicyBook([policy_of(text) for text in texts])


@law(40)
@given(st.integers(0, 1 << 32))
def test_every_alert_on_all_currencies_is_derived_again_alike(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - seeded, and no secret
    book = policies(rng, rng.choice(['period = "week"', 'period = "month"', 'window = "3d"']))
    times = sorted(
        f"2026-03-{rng.randint(1, 10):02d}T{rng.randint(0, 23):02d}:00:00Z" for _ in range(30)
    )
    nothing = (None,) * 6
    rows = [
        (f"t{n}", f"a{n % 2}", at, str(rng.randint(1, 3)), rng.choice(CODES), "debit", *nothing)
        for n, at in enumerate(times)
    ]
    batches = [Batch(Path("rows"), rows, range(1, len(rows) + 1), [], 1.0)]
    told = Replay(book, 2).observe(batches[0]).alerts
    alerts = [json.loads(codec.alert_bytes(alert)) for alert in told]
    for alert in alerts:
        chain = chain_of(alerts, alert["alert_id"], alert["revision"])
        explanation = explain_of_files(chain, book, lambda: batches, 2)
        assert explanation.differs == []
        total = explanation.parts[-1].total
        assert f"{total // 100}.{total % 100:02d}" == alert["value"]
