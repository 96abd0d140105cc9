"""Pods of the chart run what the program takes: commands, settings, files, probes."""

import re
from pathlib import Path
from typing import Any

import pytest
import trustme
import typer.main
import yaml
from prometheus_client import CollectorRegistry

from streams.cli.main import app
from streams.exposition import Condition, Readiness, application
from streams.reference.commands import commands
from streams.settings import settings_of
from tests.kubernetes.chart import (
    DOCKERFILE,
    IMAGE,
    LEAST,
    ROOT,
    SECRETS,
    Manifest,
    each_kind,
    environment,
    of_kind,
    pods,
    secret_files,
)

# -- the program ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """What the files of secrets have that a start looks into."""
    authority = trustme.CA()
    issued = authority.issue_cert("weir")
    return {
        "ca.pem": authority.cert_pem.bytes(),
        "client.pem": b"".join(part.bytes() for part in issued.cert_chain_pems),
        "client-key.pem": issued.private_key_pem.bytes(),
    }


@each_kind
def test_the_program_takes_its_command_and_its_settings(
    rendered: dict[str, list[Manifest]], kind: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    known = dict(commands(typer.main.get_command(app), "weir"))
    for name, pod in pods(rendered[kind]).items():
        folder = tmp_path / name
        folder.mkdir()
        for file in secret_files(pod):
            (folder / file).write_bytes(contents.get(file, b"chosen"))
        main = pod["containers"][0]
        assert "command" not in main  # the image's entry point is weir
        command, *options = main["args"]
        known[f"weir {command}"].make_context(command, options)
        image = {key: value for key, value in IMAGE.items() if key.startswith("WEIR_")}
        given = {
            key: value.replace(SECRETS, str(folder)) for key, value in environment(pod).items()
        }
        settings = settings_of({**image, **given})
        assert settings.broker == LEAST["kafka"]["brokers"]
        assert settings.metrics_port == 9464, name


def test_the_command_line_tells_an_option_that_there_is_not() -> None:
    known = dict(commands(typer.main.get_command(app), "weir"))
    with pytest.raises(Exception, match="No such option"):  # click's own, which typer brings
        known["weir console"].make_context("console", ["--hosts=0.0.0.0"])


@each_kind
def test_what_is_read_is_mounted(rendered: dict[str, list[Manifest]], kind: str) -> None:
    for pod in pods(rendered[kind]).values():
        main = pod["containers"][0]
        texts = " ".join([*environment(pod).values(), *main["args"]])
        mounted = {f"{SECRETS}/{path}" for path in secret_files(pod)}
        assert set(re.findall(rf"{SECRETS}/[\w.-]+", texts)) <= mounted
        for container in [main, *pod.get("initContainers", [])]:
            volumes = {volume["name"] for volume in pod["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        points = {mount["mountPath"] for mount in main["volumeMounts"]}
        assert (SECRETS in points) == bool(mounted)
        for place in (environment(pod).get("WEIR_POLICY"), environment(pod).get("WEIR_STORE_DAYS")):
            assert place is None or {place, str(Path(place).parent)} & points


@each_kind
def test_no_secret_is_in_an_environment(rendered: dict[str, list[Manifest]], kind: str) -> None:
    for pod in pods(rendered[kind]).values():
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert "envFrom" not in container
            assert all(set(each) == {"name", "value"} for each in container.get("env", []))
    assert of_kind(rendered[kind], "Secret") == {}


def test_a_service_named_weir_puts_nothing_into_the_environment(
    rendered: dict[str, list[Manifest]],
) -> None:
    for pod in pods(rendered["whole"]).values():
        assert pod["enableServiceLinks"] is False
    with pytest.raises(ValueError, match="WEIR_CONSOLE_SERVICE_HOST is not a setting"):
        settings_of({"WEIR_BROKER": "a:1", "WEIR_CONSOLE_SERVICE_HOST": "10.0.0.1"})


@each_kind
def test_a_container_is_hardened(rendered: dict[str, list[Manifest]], kind: str) -> None:
    uid = int(re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)[0])
    for pod in pods(rendered[kind]).values():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == uid
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        for volume in pod["volumes"]:
            assert volume.get("projected", {}).get("defaultMode", 0o440) == 0o440


def test_compiled_kernels_are_copied_to_where_numba_writes(
    rendered: dict[str, list[Manifest]],
) -> None:
    pod = pods(rendered["least"])["worker"]
    (copy,) = pod["initContainers"]
    cache = IMAGE["NUMBA_CACHE_DIR"]
    assert copy["command"] == ["cp", "--recursive", f"{cache}/.", "/kernels/"]
    places = [
        {mount["mountPath"] for mount in each["volumeMounts"] if mount["name"] == "kernels"}
        for each in (copy, pod["containers"][0])
    ]
    assert places == [{"/kernels"}, {cache}]
    assert environment(pod)["WEIR_DATA_DIR"].startswith("/tmp/")  # noqa: S108 - the pod's


def test_a_stop_is_given_the_time_of_compose(rendered: dict[str, list[Manifest]]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for name, service in {"worker": "worker-1", "archive": "archive", "console": "console"}.items():
        grace = pods(rendered["whole"])[name]["terminationGracePeriodSeconds"]
        assert grace == int(compose[service]["stop_grace_period"].removesuffix("s"))


@each_kind
def test_a_probe_asks_the_port_of_the_metrics(
    rendered: dict[str, list[Manifest]], kind: str
) -> None:
    for name, pod in pods(rendered[kind]).items():
        main = pod["containers"][0]
        probes = {key: value["httpGet"] for key, value in main.items() if key.endswith("Probe")}
        paths = {key: probe["path"] for key, probe in probes.items()}
        wanted = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
        assert paths == ({} if name == "topics" else wanted)
        ports = {port["name"]: port["containerPort"] for port in main.get("ports", [])}
        for probe in probes.values():
            assert str(ports[probe["port"]]) == environment(pod)["WEIR_METRICS_PORT"]
        if name == "console":
            assert f"--port={ports['https']}" in main["args"]


@pytest.mark.parametrize(("path", "status"), [("/livez", "200 OK"), ("/readyz", "503 Service")])
def test_the_program_answers_what_the_probes_ask(path: str, status: str) -> None:
    unready = Readiness({"broker": Condition(is_ok=False, says="not yet")}, {})
    said: list[str] = []
    answer = application(CollectorRegistry(), lambda: unready)
    asked: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    list(answer(asked, lambda status, _headers, _error=None: said.append(status)))  # type: ignore[arg-type]
    assert said[0].startswith(status)
