"""Dashboards, rules and metrics are of one piece, and a real Prometheus answers them."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from monitor.policy.document import DEFAULT_POLICY
from monitor.policy.models import DEFAULT_BUDGET
from monitor.population import Population
from streams.archive.metrics import METRICS as OF_STORE
from streams.feed.population import made_batches
from streams.kafka.cluster import cluster_of
from streams.kafka.producer import Outbox
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess, embedded_rig
from streams.reference.dashboards.__main__ import dashboards
from streams.send.transactions import send_batches
from streams.settings import Settings
from streams.topics.catalog import Topics
from streams.worker.metrics import METRICS as OF_WORKER
from streams.worker.metrics import Metrics
from tests.prometheus.programs import Programs, PrometheusUnavailableError, programs
from tests.prometheus.server import PrometheusServer, prometheus_of
from tests.support.documents import DOCS, tables

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "dashboards"
RULES = DASHBOARDS / "rules" / "weir.yml"
GRAFANA = DASHBOARDS / "grafana"
BOARDS: dict[str, dict[str, Any]] = {
    path.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((GRAFANA / "dashboards").iterdir())
}
CHARTS: list[dict[str, Any]] = [
    panel for board in BOARDS.values() for panel in board["panels"] if panel["type"] != "row"
]
GROUP = "weir"
"""The `group` that the shipped configuration of Prometheus gives to each target."""
ALL_RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in ALL_RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in ALL_RULES if "record" in rule}
OF_PROCESS = {
    name
    for row in tables(DOCS / "metrics.md", "metric")
    for name in re.findall(r"`(process_\w+)`", row[0])
}
METRICS = OF_WORKER | OF_STORE
HISTOGRAMS = {metric.name for metric in METRICS.values() if metric.type == "histogram"}
JOBS = ("weir", "weir-archive", "weir-console")
ANSWER_SECONDS_MAX = 120.0


def filled_in(expression: str) -> str:
    """Return a panel's expression as Grafana would send it."""
    values = {"$__rate_interval": "5s", "$instance": ".*", "$group": GROUP}
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    return expression


def panel_expressions() -> dict[str, str]:
    return {
        f"{name}: {panel['title']} {target['refId']}": filled_in(target["expr"])
        for name, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:  # noqa: ANN401 - the parser's tree
    """Yield each vector selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "vector_selector", "args", "vs"):
        child = getattr(node, name, None)
        for each in child if isinstance(child, list) else [child]:
            if each is not None:
                yield from selectors(each)


def asked_of(expression: str) -> set[str]:
    """Return the names of the metrics that an expression asks for (a histogram's family)."""
    names = {str(node.name) for node in selectors(promql_parser.parse(expression))}
    families = {name: re.sub("_(bucket|sum|count)$", "", name) for name in names}
    return {family if family in HISTOGRAMS else name for name, family in families.items()}


def known() -> set[str]:
    return {metric.name for metric in METRICS.values()} | RECORDED | OF_PROCESS | {"up"}


def measured_by(expression: str) -> set[str]:
    """Return the metrics that an expression asks for, through the rules that record others."""
    names = asked_of(expression)
    recorded = {rule["record"]: rule["expr"] for rule in ALL_RULES if "record" in rule}
    through = [measured_by(recorded[name]) for name in names & RECORDED]
    return (names - RECORDED).union(*through)


# -- the dashboards -------------------------------------------------------------------------------

each_board = pytest.mark.parametrize("name", BOARDS)


def test_the_dashboards_are_as_they_would_be_made_now() -> None:
    made = dashboards()
    assert set(BOARDS) == set(made)
    for name, text in made.items():
        stored = (GRAFANA / "dashboards" / name).read_text(encoding="utf-8")
        assert stored == text, "run `make docs`"


def test_grafana_opens_with_a_dashboard_that_is_there() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    environment = compose["services"]["grafana"]["environment"]
    home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "weir.yml").read_text())
    folder, _, name = home.rpartition("/")
    assert name in BOARDS
    assert folder == provider["providers"][0]["options"]["path"]


def test_each_dashboard_has_an_address_and_a_title_of_its_own() -> None:
    for key in ("uid", "title"):
        assert len({board[key] for board in BOARDS.values()}) == len(BOARDS)
    titles = [panel["title"] for panel in CHARTS]
    assert len(titles) == len(set(titles)), "a panel is named in prose without its dashboard"


@each_board
def test_ids_are_unique_and_each_chart_has_a_description_and_a_unit(name: str) -> None:
    panels = BOARDS[name]["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    for panel in panels:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            legends = [target["legendFormat"] for target in panel["targets"]]
            assert len(legends) == 1 or all(legends), panel["title"]


@each_board
def test_panels_do_not_overlap_and_fill_the_grid(name: str) -> None:
    boxes = [(panel["title"], panel["gridPos"]) for panel in BOARDS[name]["panels"]]
    for title, box in boxes:
        assert 0 <= box["x"] < box["x"] + box["w"] <= 24, title
    for (left, a), (right, b) in itertools.combinations(boxes, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y, f"{left} overlaps {right}"
    bottom = max(box["y"] + box["h"] for _, box in boxes)
    assert sum(box["w"] * box["h"] for _, box in boxes) == 24 * bottom


@each_board
def test_every_panel_and_query_asks_the_chosen_data_source(name: str) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in BOARDS[name]["panels"]:
        if panel["type"] != "row":
            assert [panel["datasource"], *(t["datasource"] for t in panel["targets"])] == [
                chosen
            ] * (1 + len(panel["targets"])), panel["title"]
    variable = variables(name)["datasource"]
    source = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )["datasources"][0]
    assert variable["current"]["value"] == source["uid"]


def variables(name: str) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in BOARDS[name]["templating"]["list"]}


@each_board
def test_two_groups_in_one_prometheus_stay_apart(name: str) -> None:
    """Each series that a panel asks for is of the one group that was chosen."""
    assert not variables(name)["group"]["multi"]
    assert not variables(name)["group"]["includeAll"]
    for panel in BOARDS[name]["panels"]:
        for target in panel.get("targets", []):
            for selector in selectors(promql_parser.parse(filled_in(target["expr"]))):
                assert any(
                    matcher.name == "group"
                    and matcher.op == promql_parser.MatchOp.Equal
                    and matcher.value == GROUP
                    for matcher in selector.matchers.matchers
                ), panel["title"]
            assert target["expr"].count('group="$group"') == filled_in(target["expr"]).count(
                f'group="{GROUP}"'
            ), "a group that was written out"


@each_board
def test_processes_can_be_chosen_in_the_group(name: str) -> None:
    assert '{group="$group"}' in variables(name)["instance"]["definition"]
    assert variables(name)["instance"]["allValue"] == ".*"


@each_board
def test_a_dashboard_leads_to_the_others_and_keeps_what_was_chosen(name: str) -> None:
    (link,) = BOARDS[name]["links"]
    assert link["type"] == "dashboards"
    assert link["includeVars"]
    assert link["keepTime"]
    assert all(set(link["tags"]) <= set(board["tags"]) for board in BOARDS.values())


@pytest.mark.parametrize(("panel", "expression"), panel_expressions().items())
def test_a_panel_asks_only_for_metrics_that_there_are(panel: str, expression: str) -> None:
    assert asked_of(expression) <= known(), panel


def test_every_metric_has_a_panel() -> None:
    looked_at = set().union(*map(measured_by, panel_expressions().values()))
    assert ({metric.name for metric in METRICS.values()} | OF_PROCESS) - looked_at == set()
    assert {"process_open_fds", "process_max_fds"} <= OF_PROCESS


def test_every_alert_has_a_panel_that_shows_why_and_leads_to_its_runbook() -> None:
    """A panel links the rules that fire by a metric of it, and no other."""
    measures = {rule["alert"]: measured_by(rule["expr"]) for rule in ALERTS}
    linked = set()
    for panel in CHARTS:
        shown = set().union(
            *(measured_by(filled_in(target["expr"])) for target in panel["targets"])
        )
        for link in panel["links"]:
            alert = link["title"].removeprefix("Runbook: ")
            assert link["url"] == f"${{runbooks:raw}}#{alert.lower()}"
            assert shown & measures[alert], f"{panel['title']} shows nothing of {alert}"
            linked.add(alert)
    assert linked == set(measures)


@each_board
def test_the_runbooks_are_where_a_panel_says_until_another_place_is_named(name: str) -> None:
    rules = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in ALERTS}
    assert {variables(name)["runbooks"]["query"]} == rules


# -- the rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_only_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    assert asked_of(rule["expr"]) <= known()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_its_runbook_is_there(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["for"]
    assert rule["annotations"]["summary"].endswith(".")
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in (ROOT / path).read_text(encoding="utf-8")


def test_every_alert_is_tested_to_fire() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in RULES.parent.glob("*.test.yml"))
    for rule in ALERTS:
        assert f'alertname="{rule["alert"]}"' in tests or f"alertname: {rule['alert']}\n" in tests


def test_prometheus_scrapes_every_service_of_ours_that_stays() -> None:
    config = yaml.safe_load((DASHBOARDS / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {
        job["job_name"]: set(job["static_configs"][0]["targets"])
        for job in config["scrape_configs"]
    }
    for job in config["scrape_configs"]:
        if job["job_name"] != "prometheus":
            assert job["static_configs"][0]["labels"] == {"group": "weir"}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    jobs = {"archive": "weir-archive", "console": "weir-console"}
    wanted: dict[str, set[str]] = {"prometheus": {"127.0.0.1:9090"}}
    for name, service in compose["services"].items():
        if port := (service.get("environment") or {}).get("WEIR_METRICS_PORT"):
            wanted.setdefault(jobs.get(name, "weir"), set()).add(f"{name}:{port}")
    assert targets == wanted


# -- against the real thing -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def prometheus_programs() -> Programs:
    try:
        return programs()
    except PrometheusUnavailableError as error:
        pytest.skip(f"NO PROMETHEUS, rules and queries were not tried: {error}")


def promtool(tools: Programs, *arguments: str, given: bytes = b"") -> str:
    """Return what promtool complains of; nothing where it has nothing to say."""
    done = subprocess.run(
        [tools.promtool, *arguments], input=given, capture_output=True, check=False, cwd=DASHBOARDS
    )
    return (done.stdout + done.stderr).decode() if done.returncode else ""


def test_promtool_accepts_rules_and_configuration(prometheus_programs: Programs) -> None:
    assert not promtool(prometheus_programs, "check", "rules", "rules/weir.yml")
    assert not promtool(prometheus_programs, "check", "config", "prometheus.yml")


def test_promtool_tells_a_rule_that_cannot_be(
    prometheus_programs: Programs, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(RULES.read_text(encoding="utf-8").replace("(rate(", "(rte(", 1))
    assert "rte" in promtool(prometheus_programs, "check", "rules", str(broken))


def test_an_alert_that_never_fires_is_found_by_its_test(
    prometheus_programs: Programs, tmp_path: Path
) -> None:
    rules = RULES.read_text(encoding="utf-8").replace("> 50000", "> 50000000")
    (tmp_path / "weir.yml").write_text(rules)
    tests = tmp_path / "weir.test.yml"
    tests.write_text((RULES.parent / "weir.test.yml").read_text(encoding="utf-8"))
    assert "WeirConsumerLagGrows" in promtool(prometheus_programs, "test", "rules", str(tests))


@pytest.mark.parametrize("tests", ["weir.test.yml", "feed.test.yml"])
def test_each_alert_fires_for_its_fault_and_none_for_a_stream_that_is_well(
    prometheus_programs: Programs, tests: str
) -> None:
    assert not promtool(prometheus_programs, "test", "rules", f"rules/{tests}")


def test_promtool_finds_no_fault_with_a_scrape(prometheus_programs: Programs) -> None:
    metrics = Metrics(CollectorRegistry(), "1.0")
    work(metrics)
    lines = generate_latest(metrics.registry).decode().splitlines(keepends=True)
    text = "".join(line for line in lines if "_created" not in line)
    found = promtool(prometheus_programs, "check", "metrics", given=text.encode()).splitlines()
    # An account-day is a thing that is counted, no unit of time.
    assert [line for line in found if not line.startswith("weir_account_days_closed_total")] == []


def work(metrics: Metrics) -> None:
    """Count what a worker that is well counts in a moment, each metric by its real API."""
    metrics.transactions.inc(480)
    metrics.rejections.labels("duplicate").inc(2)
    metrics.redeliveries.inc()
    metrics.alerts.labels("daily-amount", "raised").inc()
    metrics.account_days_closed.inc(30)
    metrics.run_duration.observe(0.004)
    metrics.run_records.observe(500)
    metrics.flush_duration.observe(0.03)
    metrics.flush_bytes.inc(200_000)
    metrics.recovery_duration.observe(0.2)
    metrics.rebalances.inc()
    metrics.last_flush.set_to_current_time()
    metrics.account_changes.inc(3)
    metrics.account_rejections.labels("malformed").inc()
    metrics.policy_version.set(2)
    metrics.policy_refused.set(0)
    metrics.partitions_assigned.set(2)
    for partition in ("0", "1"):
        metrics.event_time_lag.labels(partition).set(1.5)
        metrics.consumer_lag.labels(partition).set(12)
        metrics.models_warm.labels(partition).set(1)
        for kind in ("transactions", "account-days"):
            metrics.tail_scores.labels(partition, kind).set(1200)
        metrics.outliers_held_back.labels(partition).set(2)
        metrics.names_held.labels(partition, "segments").set(6)
        metrics.names_beyond.labels(partition, "segment-days").set(0)
        metrics.state_accounts.labels(partition).set(900)
        metrics.accounts_known.labels(partition).set(1200)
        metrics.state_bytes.labels(partition).set(2e6)
        metrics.state_open_transactions.labels(partition).set(5000)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Job -> host:port, in the order of JOBS: of WEIR_METRICS_URL, else of some that run here.

    Prometheus is to see it from its start on: what happens once (recovery) moves from 0 then.
    """
    url = os.environ.get("WEIR_METRICS_URL")
    if url:
        addresses = [urllib.parse.urlsplit(part).netloc for part in url.split(",")]
        yield dict(zip(JOBS, addresses, strict=True))
        return
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(DEFAULT_POLICY + DEFAULT_BUDGET, encoding="utf-8")
    with embedded_rig(policy) as settings:
        url = f"sqlite:///{policy.parent / 'weir.db'}"
        port = free_port()
        archive, console = (
            WorkerProcess(replace(settings, metrics_port=free_port(), store=url), command)
            for command in (
                ("streams.cli", "archive"),
                ("streams.cli", "console", "--port", str(port), "--no-browser"),
            )
        )
        worker = WorkerProcess(settings)
        stop = threading.Event()
        sender = threading.Thread(target=asyncio.run, args=[feed(settings, stop)])
        sender.start()
        reader = threading.Thread(target=look, args=[f"http://127.0.0.1:{port}/healthz", stop])
        reader.start()
        try:
            everyone = (worker, archive, console)
            for process in everyone:
                while not process.samples():
                    process.ensure_running()
                    time.sleep(0.1)
            addresses = [f"127.0.0.1:{process.settings.metrics_port}" for process in everyone]
            yield dict(zip(JOBS, addresses, strict=True))
        finally:
            stop.set()
            sender.join()
            reader.join()
            for process in (worker, archive, console):
                process.close()


def look(address: str, stop: threading.Event) -> None:
    """Ask the console for something, again and again, until told to stop."""
    while not stop.wait(0.3):
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):  # noqa: S310 - http, our own
            pass


async def feed(settings: Settings, stop: threading.Event) -> None:
    """Send a made population with faults, until told to stop."""
    population = Population(2000, 3660, seed=1, with_faults=True)
    topic = Topics.of(settings).transactions
    async with Outbox(cluster_of(settings)) as outbox:
        async for _ in send_batches(outbox, topic, made_batches(population), rate=3000):
            if stop.is_set():
                break


@pytest.fixture(scope="module")
def prometheus(
    prometheus_programs: Programs, scraped: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus_of(
        prometheus_programs, folder, DASHBOARDS / "prometheus.yml", scraped
    ) as server:
        yield server


def unanswered(server: PrometheusServer, expressions: set[str]) -> set[str]:
    """Return the expressions that a Prometheus has no number for, after a while of asking."""
    give_up_at = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        left = {e for e in expressions if not any(is_number(s) for s in server.query(e))}
        if not left or time.monotonic() > give_up_at:
            return left
        expressions = left
        time.sleep(0.5)


def is_number(sample: dict[str, Any]) -> bool:
    return str(sample["value"][1]) not in {"NaN", "+Inf", "-Inf"}


@pytest.mark.slow
def test_a_real_prometheus_has_a_number_for_every_panel(prometheus: PrometheusServer) -> None:
    assert unanswered(prometheus, set(panel_expressions().values())) == set()


@pytest.mark.slow
def test_a_real_prometheus_has_a_number_for_every_series_that_a_rule_asks_for(
    prometheus: PrometheusServer,
) -> None:
    asked = {
        node.prettify()
        for rule in ALL_RULES
        for node in selectors(promql_parser.parse(rule["expr"]))
    }
    asked = {re.sub(" offset [0-9a-z]+$", "", series) for series in asked}  # it is seconds old
    recorded = {rule["expr"] for rule in ALL_RULES if "record" in rule}
    assert unanswered(prometheus, asked | recorded) == set()
    assert {rule["health"] for rule in prometheus.rules()} == {"ok"}


@pytest.mark.slow
def test_a_query_for_what_is_not_there_stays_unanswered(
    prometheus: PrometheusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ANSWER_SECONDS_MAX", 0.0)
    assert unanswered(prometheus, {"weir_never_was_total"}) == {"weir_never_was_total"}
    with pytest.raises(ValueError, match="parse error"):
        prometheus.query("sum(")
