"""The example that counts how reviews read, by the kind of anomaly that their days hold."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "review_readings.py"


def script() -> Any:  # noqa: ANN401 - a module that is no part of a package
    spec = importlib.util.spec_from_file_location("review_readings", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def review(alert_id: str, account: str, status: str, reading: str, *days: str) -> dict[str, Any]:
    evidence = {"reading": reading, "days": [{"business_day": day} for day in days]}
    return {
        "alert_id": alert_id, "kind": "review", "status": status, "account_id": account,
        "evidence": evidence,
    }  # fmt: skip


def test_a_review_counts_as_told_last_for_each_kind_that_its_days_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts, labels = tmp_path / "alerts.jsonl", tmp_path / "labels.jsonl"
    told = [
        review("1", "A1", "raised", "unclear", "2026-01-05"),
        review("1", "A1", "restated", "suspicion", "2026-01-05", "2026-01-06"),
        review("2", "A2", "raised", "service-need", "2026-01-05"),
        review("3", "A3", "withdrawn", "unclear", "2026-01-06"),
        {"alert_id": "4", "kind": "outlier", "status": "raised", "account_id": "A1"},
    ]
    known = [
        {"level": "account-day", "account_id": "A1", "business_day": "2026-01-06", "kind": "mule"},
        {"level": "account-day", "account_id": "A1", "business_day": "2026-01-05", "kind": "burst"},
        {"level": "account-day", "account_id": "A2", "business_day": "2026-01-09", "kind": "mule"},
        {"level": "transaction", "account_id": "A2", "transaction_id": "T", "kind": "mule"},
    ]
    alerts.write_text("".join(json.dumps(alert) + "\n" for alert in told), encoding="utf-8")
    labels.write_text("".join(json.dumps(label) + "\n" for label in known), encoding="utf-8")
    assert script().main([alerts, labels]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| burst | 1 | 1 | 0 | 0 |",
        "| mule | 1 | 1 | 0 | 0 |",
        "| none | 1 | 0 | 0 | 1 |",
    ]
    assert script().main([alerts]) == 2
