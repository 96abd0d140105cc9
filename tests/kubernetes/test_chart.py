"""The Helm chart is rendered by Helm itself, valid for Kubernetes, and refuses what cannot be."""

import json
import re
import tarfile
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from streams.settings import Settings, variable
from tests.kubernetes.chart import (
    CHART,
    CONSOLE,
    CUSTOM,
    DASHBOARDS,
    KINDS,
    LEAST,
    POLICY,
    ROOT,
    VERSIONS,
    WHOLE,
    Manifest,
    each_kind,
    environment,
    merged,
    of_kind,
    pods,
)
from tests.kubernetes.helm import Helm, HelmError, HelmUnavailableError, helm, kubernetes_schema

# -- Helm and Kubernetes --------------------------------------------------------------------------


@each_kind
def test_helm_has_no_warning(chart: Helm, kind: str) -> None:
    assert chart.lint(KINDS[kind]) == []


def test_a_packed_chart_has_the_shipped_rules_and_dashboards(tmp_path: Path) -> None:
    try:
        with helm(CHART) as as_it_is:
            manifests = as_it_is.template(WHOLE)
            packed = as_it_is.package(tmp_path)
    except HelmUnavailableError as error:
        pytest.skip(f"NO HELM, the chart was not packed: {error}")
    assert len(of_kind(manifests, "PrometheusRule")["weir"]["spec"]["groups"]) > 1
    assert set(pods(manifests)) == {"worker", "archive", "console"}  # a hook is none of these
    with tarfile.open(packed) as archive:
        files = {each.name: archive.extractfile(each) for each in archive}
        read = {name: file.read() for name, file in files.items() if file}
    boards = list((DASHBOARDS / "grafana" / "dashboards").iterdir())
    assert boards
    wanted = {f"weir/files/dashboards/{path.name}": path for path in boards}
    wanted["weir/files/rules.yml"] = DASHBOARDS / "rules" / "weir.yml"
    for name, path in wanted.items():
        assert read[name] == path.read_bytes(), name


def test_the_values_that_the_page_shows_are_values(chart: Helm) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(text) for text in re.findall(r"(?:^    .*\n)+", page, re.MULTILINE)]
    install, scale = (yaml.safe_load(text) for text in blocks if re.match("image:|worker:", text))
    shown = merged(install, {"policy": {"text": POLICY}})
    assert set(pods(chart.template(shown))) == {"worker", "archive", "console"}
    assert of_kind(chart.template(merged(shown, scale)), "ScaledObject")


def invalid(manifests: list[Manifest], version: str) -> list[str]:
    """Return what the schemas of a version of Kubernetes have against manifests."""
    definitions = DRAFT202012.create_resource(kubernetes_schema(version, "_definitions"))
    known = Registry().with_resource("/api/_definitions.json", definitions)
    found = []
    for each in manifests:
        if each["kind"] not in CUSTOM:
            group, _, level = each["apiVersion"].rpartition("/")
            parts = [each["kind"].lower(), group.partition(".")[0], level]
            schema = kubernetes_schema(version, "-".join(part for part in parts if part))
            validator = jsonschema.Draft202012Validator(schema, registry=known)
            found += [f"{each['kind']}: {error.message}" for error in validator.iter_errors(each)]
    return found


@each_kind
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(
    rendered: dict[str, list[Manifest]], kind: str, version: str
) -> None:
    assert invalid(rendered[kind], version) == []


def test_the_schemas_tell_a_field_that_is_misspelt(rendered: dict[str, list[Manifest]]) -> None:
    broken = json.loads(json.dumps(of_kind(rendered["least"], "Deployment")["weir-worker"]))
    pod = broken["spec"]["template"]["spec"]
    pod["containers"][0]["readinessProbes"] = pod["containers"][0].pop("readinessProbe")
    assert "readinessProbes" in str(invalid([broken], VERSIONS[-1]))


@each_kind
def test_what_selects_pods_selects_them(rendered: dict[str, list[Manifest]], kind: str) -> None:
    made = [each for each in rendered[kind] if each["kind"] == "Deployment"]
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in made]
    selectors = [
        each["spec"].get("podSelector", each["spec"].get("selector"))
        for each in rendered[kind]
        if each["kind"] in {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"}
    ]
    services = of_kind(rendered[kind], "Service").values()
    selectors += [{"matchLabels": each["spec"]["selector"]} for each in services]
    for selector in selectors:
        wanted = selector["matchLabels"].items()
        assert sum(wanted <= each.items() for each in labels) == 1


# -- what is refused ------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no broker": ({"kafka": {"brokers": ""}}, "/kafka/brokers"),
    "a broker without a port": ({"kafka": {"brokers": "kafka"}}, "/kafka/brokers"),
    "an unknown part": ({"workers": {}}, "'workers' not allowed"),
    "an unknown key": ({"worker": {"replica": 3}}, "'replica' not allowed"),
    "an unknown setting": ({"settings": {"WEIR_GRUOP": "a"}}, "'WEIR_GRUOP' not allowed"),
    "one name for all workers": ({"settings": {"WEIR_INSTANCE": "a"}}, "not allowed"),
    "a setting of the chart's own": ({"settings": {"WEIR_STORE": "a"}}, "not allowed"),
    "a secret by its value": ({"worker": {"kafka": {"password": "a"}}}, "/worker/kafka/password"),
    "a number as text": ({"kafka": {"partitions": "8"}}, "/kafka/partitions"),
    "no policy": ({"policy": {"text": ""}}, "give the policy once"),
    "two policies": ({"policy": {"configMap": "a"}}, "give the policy once"),
    "two maps": ({"transactions": {"map": {"text": "a", "configMap": "a"}}}, "give the map once"),
    "a registry without a map": (
        {"transactions": {"registry": {"url": "https://a.example"}}},
        "of use with a map only",
    ),
    "a registry's user without a password": (
        {"transactions": {"map": {"configMap": "a"}, "registry": {"user": "a"}}},
        "registry.password.secret",
    ),
    "no address of a registry": (
        {"transactions": {"registry": {"url": "registry:8081"}}},
        "/transactions/registry/url",
    ),
    "more workers than partitions": ({"worker": {"replicas": 9}}, "9 workers are more than the 8"),
    "scaling beyond the partitions": (
        {"worker": {"autoscaling": {"kind": "keda", "max": 9}}},
        "9 workers are more than the 8",
    ),
    "least above most": (
        {"worker": {"autoscaling": {"kind": "hpa", "min": 5, "max": 4}}},
        "min must be at most",
    ),
    "no store": ({"store": {"secret": ""}}, "need store.secret"),
    "no user": ({"worker": {"kafka": {"username": ""}}}, "worker.kafka must have a username"),
    "no token": ({"kafka": {"saslMechanism": "OAUTHBEARER"}}, "kafka.tokenAudience is missing"),
    "a console without a name": ({"console": {**CONSOLE, "names": []}}, "console.names"),
    "a console without TLS": (
        {"console": {**CONSOLE, "certificate": {"secret": ""}}},
        "console.certificate.secret",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_cannot_be_are_refused(chart: Helm, case: str) -> None:
    values, says = REFUSED[case]
    with pytest.raises(HelmError, match=re.escape(says)):
        chart.template(merged(LEAST, values))


def test_the_schema_has_every_setting_that_the_chart_does_not_set_itself(
    rendered: dict[str, list[Manifest]],
) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    free = set(schema["properties"]["settings"]["properties"])
    everyone = [pod for manifests in rendered.values() for pod in pods(manifests).values()]
    ours = {name for pod in everyone for name in environment(pod) if name.startswith("WEIR_")}
    default = set(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["settings"])
    # Of a Deployment no pod has a name that it keeps: WEIR_INSTANCE would be one for all.
    assert free | (ours - default) | {"WEIR_TLS_KEY_PASSWORD", "WEIR_INSTANCE"} == {
        variable(each.name) for each in fields(Settings)
    }
    assert free & ours == default


def test_further_rules_for_what_leaves_are_those_of_the_component_that_they_name(
    rendered: dict[str, list[Manifest]],
) -> None:
    policies = of_kind(rendered["whole"], "NetworkPolicy")
    ports = {
        name.rpartition("-")[2]: {
            port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]
        }
        for name, policy in policies.items()
    }
    assert [name for name, found in ports.items() if 4318 in found] == ["worker"]
    assert [name for name, found in ports.items() if 443 in found] == ["console"]
