from pathlib import Path

import pytest

from monitor.policy.document import DEFAULT_LIMITS
from streams.lab.takeover import SESSION_SECONDS, take_over


@pytest.mark.slow
def test_another_worker_decides_the_partitions_of_one_that_was_killed(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT_LIMITS, encoding="utf-8")
    said: list[str] = []
    found = take_over(policy, 2000, None, said.append)
    assert 1 <= found.partitions_moved <= 3
    assert found.session_timeout_seconds == SESSION_SECONDS
    # A member is missed after its last heartbeat, which came up to a second before the kill.
    assert found.seconds > SESSION_SECONDS - 2
    assert found.seconds_beyond_session == pytest.approx(found.seconds - SESSION_SECONDS, abs=0.02)
    assert found.state_bytes > 2000 * 8
    assert said[-1] == "one worker is killed"
