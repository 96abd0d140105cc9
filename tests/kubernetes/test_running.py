"""What the chart makes around the pods: scaling, evictions, networks, the store, monitoring."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from sqlalchemy import make_url, text

from monitor.store.store import Store
from streams.worker.metrics import METRICS
from tests.kubernetes.chart import (
    CHART,
    DASHBOARDS,
    KINDS,
    LEAST,
    MAP,
    POLICY,
    ROOT,
    SECRETS,
    VERSIONS,
    WHOLE,
    Manifest,
    environment,
    merged,
    of_kind,
    pods,
)
from tests.kubernetes.helm import Helm
from tests.support.postgres import PostgresUnavailableError, postgres

# -- the store ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_store_opens_by_a_connection_service_file(
    rendered: dict[str, list[Manifest]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(pods(rendered["least"])["archive"])
    assert given["PGSERVICEFILE"] == f"{SECRETS}/pg_service.conf"
    folder = tmp_path / "server"
    folder.mkdir()
    try:
        with postgres(folder) as url:
            port = make_url(url).port
            file = tmp_path / "pg_service.conf"
            lines = ["[weir]", "host=127.0.0.1", f"port={port}", "user=weir", "dbname=postgres"]
            file.write_text("\n".join([*lines, "password=chosen", ""]), encoding="utf-8")
            file.chmod(
                0o440
            )  # as Kubernetes mounts it; a .pgpass of this mode would be passed over
            monkeypatch.setenv("PGSERVICEFILE", str(file))
            store = Store.open(given["WEIR_STORE"])
            with store.begin() as connection:
                assert connection.execute(text("select current_user")).scalar_one() == "weir"
            store.engine.dispose()
            saved = tmp_path / "weir.tar"
            done = subprocess.run(
                [sys.executable, "-m", "streams.cli", "store", "backup", saved],
                env={**os.environ, "WEIR_STORE": given["WEIR_STORE"]},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert saved.stat().st_size > 0
    except PostgresUnavailableError as error:
        pytest.skip(f"NO POSTGRESQL, no store was opened: {error}")


# -- running --------------------------------------------------------------------------------------


def test_workers_are_scaled_by_lag_up_to_the_partitions(
    rendered: dict[str, list[Manifest]],
) -> None:
    partitions = int(environment(pods(rendered["least"])["worker"])["WEIR_PARTITIONS"])
    for kind in ("keda", "hpa"):
        assert "replicas" not in of_kind(rendered[kind], "Deployment")["weir-worker"]["spec"]
    keda = of_kind(rendered["keda"], "ScaledObject")["weir-worker"]["spec"]
    hpa = of_kind(rendered["hpa"], "HorizontalPodAutoscaler")["weir-worker"]["spec"]
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "weir-worker"}
    assert keda["scaleTargetRef"] == hpa["scaleTargetRef"] == target
    assert keda["maxReplicaCount"] == hpa["maxReplicas"] == partitions
    assert keda["minReplicaCount"] == hpa["minReplicas"] == 2
    assert hpa["metrics"][0]["external"]["metric"]["name"] in known_metrics()
    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]


def known_metrics() -> set[str]:
    return {metric.name for metric in METRICS.values()}


def test_keda_asks_for_a_metric_that_there_is(chart: Helm) -> None:
    other = merged(KINDS["keda"], {"settings": {"WEIR_GROUP": "weir-2"}})
    (found,) = of_kind(chart.template(other), "ScaledObject").values()
    query = found["spec"]["triggers"][0]["metadata"]["query"]
    assert promql_parser.parse(query).prettify()
    (asked,) = re.findall(r"weir_\w+", query)
    assert asked in known_metrics()
    assert 'group="weir-2"' in query


def test_an_eviction_takes_one_worker_at_a_time(rendered: dict[str, list[Manifest]]) -> None:
    (budget,) = of_kind(rendered["least"], "PodDisruptionBudget").values()
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    deployed = of_kind(rendered["whole"], "Deployment")
    rollout = deployed["weir-worker"]["spec"]["strategy"]["rollingUpdate"]
    assert rollout == {"maxSurge": 0, "maxUnavailable": 1}
    assert deployed["weir-archive"]["spec"]["replicas"] == 1
    assert deployed["weir-archive"]["spec"]["strategy"] == {"type": "Recreate"}


DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
KAFKA = [{"protocol": "TCP", "port": 9093}, {"protocol": "TCP", "port": 9094}]
STORE = [{"protocol": "TCP", "port": 5432}]


def test_a_process_reaches_and_is_reached_by_what_it_needs_alone(
    rendered: dict[str, list[Manifest]],
) -> None:
    found = of_kind(rendered["whole"], "NetworkPolicy")
    egress = {
        name.rpartition("-")[2]: [rule["ports"] for rule in each["spec"]["egress"]]
        for name, each in found.items()
    }
    https = [{"protocol": "TCP", "port": 443}]
    assert egress == {
        "worker": [DNS, KAFKA, [{"protocol": "TCP", "port": 4318}]],
        "archive": [DNS, KAFKA, STORE],
        "console": [DNS, KAFKA, STORE, https],
    }
    ingress = {
        name.rpartition("-")[2]: [rule["ports"][0]["port"] for rule in each["spec"]["ingress"]]
        for name, each in found.items()
    }
    assert ingress == {
        "worker": ["metrics"], "archive": ["metrics"], "console": ["metrics", "https"],
    }  # fmt: skip
    for each in found.values():
        assert each["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert all(rule["from"] for rule in each["spec"]["ingress"])
        within = [rule for rule in each["spec"]["egress"] if rule["ports"] in (KAFKA, STORE)]
        assert within
        assert all("to" in rule for rule in within)


def test_by_default_there_is_no_console_and_nothing_from_outside(
    rendered: dict[str, list[Manifest]],
) -> None:
    assert set(pods(rendered["least"])) == {"worker", "archive"}
    assert of_kind(rendered["least"], "Service") == {}
    assert of_kind(rendered["whole"], "Ingress") == {}
    (service,) = of_kind(rendered["whole"], "Service").values()
    assert service["spec"]["type"] == "ClusterIP"


# -- monitoring -----------------------------------------------------------------------------------


def test_jobs_and_group_are_those_of_the_rules(rendered: dict[str, list[Manifest]]) -> None:
    config = yaml.safe_load((DASHBOARDS / "prometheus.yml").read_text(encoding="utf-8"))
    jobs = {job["job_name"] for job in config["scrape_configs"]} - {"prometheus"}
    labels = []
    for monitor in of_kind(rendered["whole"], "PodMonitor").values():
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")
        labels.append(
            {each["targetLabel"]: each["replacement"] for each in endpoint["relabelings"]}
        )
    assert {each["job"] for each in labels} == jobs
    assert {each["group"] for each in labels} == {"weir"}


def test_the_rules_are_the_shipped_ones(rendered: dict[str, list[Manifest]], chart: Helm) -> None:
    shipped = yaml.safe_load((DASHBOARDS / "rules" / "weir.yml").read_text(encoding="utf-8"))
    (found,) = of_kind(rendered["whole"], "PrometheusRule").values()
    assert found["spec"] == shipped
    elsewhere = merged(WHOLE, {"monitoring": {"runbooks": "https://git.bank.example/weir/"}})
    (found,) = of_kind(chart.template(elsewhere), "PrometheusRule").values()
    rules = [rule for group in found["spec"]["groups"] for rule in group["rules"]]
    alerts = [rule for rule in rules if "alert" in rule]
    for rule in alerts:
        url = rule["annotations"]["runbook_url"]
        assert url.startswith("https://git.bank.example/weir/docs/operations.md#")


def test_the_dashboards_are_the_shipped_ones(rendered: dict[str, list[Manifest]]) -> None:
    shipped = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (DASHBOARDS / "grafana" / "dashboards").iterdir()
    }
    found = [
        each
        for each in of_kind(rendered["whole"], "ConfigMap").values()
        if "grafana_dashboard" in each["metadata"]["labels"]
    ]
    assert {k: json.loads(v) for each in found for k, v in each["data"].items()} == shipped


def test_another_policy_starts_the_workers_again(chart: Helm) -> None:
    def annotations(policy: str) -> Any:  # noqa: ANN401 - of a manifest
        made = chart.template(merged(LEAST, {"policy": {"text": policy}}))
        assert of_kind(made, "ConfigMap")["weir-policy"]["data"] == {"policy.toml": policy}
        return of_kind(made, "Deployment")["weir-worker"]["spec"]["template"]["metadata"]

    assert annotations(POLICY) == annotations(POLICY)
    assert annotations(POLICY) != annotations(POLICY + "# changed\n")


def test_a_map_is_read_by_workers_and_console_and_another_one_starts_workers_again(
    chart: Helm,
) -> None:
    def made(text: str) -> list[Manifest]:
        return chart.template(merged(WHOLE, {"transactions": {"map": {"text": text}}}))

    first = made(MAP)
    assert of_kind(first, "ConfigMap")["weir-map"]["data"] == {"map.toml": MAP}
    for name, pod in pods(first).items():
        given = environment(pod).get("WEIR_TRANSACTIONS_MAP")
        mounted = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        volumes = {each["name"]: each for each in pod["volumes"]}
        if name not in {"worker", "console"}:
            assert given is None
            continue
        assert given == f"{mounted['map']}/map.toml"
        assert volumes["map"]["configMap"]["name"] == "weir-map"

    def annotations(manifests: list[Manifest]) -> Any:  # noqa: ANN401 - of a manifest
        return of_kind(manifests, "Deployment")["weir-worker"]["spec"]["template"]["metadata"]

    assert annotations(made(MAP)) == annotations(first)
    assert annotations(made(MAP + "# changed\n")) != annotations(first)


@pytest.mark.parametrize("release", ["weir", "weir-test", "risk"])
def test_two_releases_share_no_name(chart: Helm, release: str) -> None:
    names = {each["metadata"]["name"] for each in chart.template(WHOLE, release)}
    other = {each["metadata"]["name"] for each in chart.template(WHOLE, "other")}
    assert names & other == set()
    assert all(len(name) <= 63 for name in names)


def test_the_chart_is_of_the_program_s_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    described = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert described["appVersion"] == project["version"]
    assert described["kubeVersion"] == f">={VERSIONS[0]}.0-0"
