"""A cluster as banks run it: clients prove who they are, and may do what they need alone."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from monitor.policy.document import DEFAULT_POLICY
from streams.kafka.admin import create_topics, delete_topics
from streams.kafka.cluster import cluster_of
from streams.lab.broker import free_port
from streams.lab.rig import WorkerProcess, without_weir
from streams.security import MECHANISMS
from streams.settings import Settings, settings_of
from streams.topics.catalog import topic_specs
from streams.topics.rights import PROCESSES, Right, kafka_acls, rights_of
from tests.kafka.secure_kafka import PASSWORD, SecureKafka
from tests.support.rigs import KAFKA, command, running, until, until_ended

pytestmark = pytest.mark.kafka

CERTIFICATE: Final = "certificate"
WAYS: Final = (CERTIFICATE, *MECHANISMS)
HEADER: Final = "transaction_id,account_id,booked_at,amount,currency,direction\n"


@pytest.fixture(scope="module")
def secure(kafka_jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    secure = SecureKafka(kafka_jars, tmp_path_factory.mktemp("secure") / "files")
    with secure.kafka:
        yield secure


@pytest.fixture
def common(secure: SecureKafka, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that all processes of a test share, but for how they connect; its topics."""
    policy = tmp_path / "policy.toml"
    policy.write_text(DEFAULT_POLICY, encoding="utf-8")
    name = f"test-{os.urandom(4).hex()}"
    common = KAFKA | {
        "WEIR_GROUP": name,
        "WEIR_TOPIC_PREFIX": f"{name}.",
        "WEIR_PARTITIONS": "2",
        "WEIR_POLICY": str(policy),
        "WEIR_DATA_DIR": str(tmp_path / "data"),
        "WEIR_STORE": f"sqlite:///{tmp_path / 'weir.db'}",
    }
    administrator = settings_of(common | {"WEIR_BROKER": secure.kafka.bootstrap})
    specs = topic_specs(administrator)
    create_topics(cluster_of(administrator), specs, 1)
    yield common
    delete_topics(cluster_of(administrator), specs)


def connecting(secure: SecureKafka, user: str, way: str) -> dict[str, str]:
    return secure.by_certificate(user) if way == CERTIFICATE else secure.by_user(user, way)


def settings_for(
    secure: SecureKafka, common: dict[str, str], user: str, way: str, *but: Right
) -> Settings:
    """Return a process's settings, after it was given its rights and no others."""
    settings = settings_of(common | connecting(secure, user, way))
    secure.give(user, [right for right in rights_of(user, settings) if right not in but])
    return settings


def rows(folder: Path, count: int) -> Path:
    """Return a file of transactions by which an account exceeds its daily count."""
    file = folder / "rows.csv"
    lines = [f"T{n},A1,2026-01-05T10:00:{n:02d}Z,12.30,EUR,debit\n" for n in range(count)]
    file.write_text(HEADER + "".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("way", WAYS)
def test_a_client_proves_who_it_is(
    secure: SecureKafka, common: dict[str, str], tmp_path: Path, way: str
) -> None:
    """Both libraries do: kafka-python asks for the topic, aiokafka writes to it."""
    settings = settings_for(secure, common, "send", way)
    sent = command("send", str(rows(tmp_path, 7)), "--json", **settings.variables())
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["sent"] == 7


@contextmanager
def process(settings: Settings, *words: str) -> Iterator[WorkerProcess]:
    with running(settings, "streams.cli", *words) as started:
        yield started


def asked(port: int, token: str, path: str, body: object = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        found: dict[str, Any] = json.load(answer)
        return found


@pytest.mark.slow
def test_worker_archive_and_console_decide_a_stream_with_just_their_rights(
    secure: SecureKafka, common: dict[str, str], tmp_path: Path
) -> None:
    """Each comes in a way of its own, and has the rights that `weir rights` names for it."""
    port = free_port()
    worker, archive, console, send, alerts = (
        settings_for(secure, common, user, way)
        for user, way in (
            ("worker", "SCRAM-SHA-512"),
            ("archive", "SCRAM-SHA-256"),
            ("console", "OAUTHBEARER"),
            ("send", CERTIFICATE),
            ("alerts", "PLAIN"),
        )
    )
    store = {"WEIR_STORE": common["WEIR_STORE"]}
    added = subprocess.run(
        [
            sys.executable,
            "-m",
            "streams.cli",
            "user",
            "add",
            "Ann",
            "--role",
            "analyst",
            "--password-stdin",
        ],
        input="correct horse battery 9\n",
        text=True,
        capture_output=True,
        check=False,
        env=without_weir(os.environ) | store,
    )
    assert added.returncode == 0, added.stderr
    words = "user", "token", "add", "t", "--for", "Ann", "--scope", "decide", "--json"
    made = command(*words, **store)
    token = json.loads(made.stdout)["token"]
    with ExitStack() as stack:
        running_worker = stack.enter_context(process(worker, "worker"))
        stack.enter_context(process(archive, "archive"))
        stack.enter_context(process(console, "console", "--port", str(port), "--no-browser"))
        sent = command("send", str(rows(tmp_path, 30)), **send.variables())
        assert sent.returncode == 0, sent.stderr

        def found() -> list[Any]:
            try:
                items: list[Any] = asked(port, token, "/alerts?status=open")["items"]
            except OSError:
                return []
            return items

        until(lambda: bool(found()), "an alert is on the console", running_worker)
        (alert, *_) = found()
        assert alert["account_id"] == "A1"
        asked(
            port,
            token,
            f"/alerts/{alert['alert_id']}/dispositions",
            {"disposition": "limit-wrong", "note": "a test"},
        )

        def listed() -> str:
            said = command("alerts", "--json", **alerts.variables())
            assert said.returncode == 0, said.stderr
            return said.stdout

        until(lambda: "limit-wrong" in listed(), "what Ann decided is on the topic")
        assert running_worker.terminate() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WEIR_SASL_PASSWORD": "wrong"}, "does not take who we say we are"),
        ({"WEIR_TLS_CA": "other"}, "certificate"),
    ],
)
def test_who_is_not_known_is_told_so(
    secure: SecureKafka, common: dict[str, str], tmp_path: Path, change: dict[str, str], said: str
) -> None:
    settings = settings_for(secure, common, "send", "SCRAM-SHA-512")
    wrong = tmp_path / "wrong"
    wrong.write_text("not " + PASSWORD, encoding="utf-8")
    files = {"wrong": wrong, "other": secure.other_ca}
    given = settings.variables() | {name: str(files[file]) for name, file in change.items()}
    ended = command("send", str(rows(tmp_path, 7)), **given)
    assert ended.returncode == 3, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("user", ["worker", "archive"])
def test_without_one_of_its_rights_a_process_ends_and_names_it(
    secure: SecureKafka, common: dict[str, str], user: str
) -> None:
    names = rights_of(user, settings_for(secure, common, user, "SCRAM-SHA-512"))
    assert len(names) > 6
    for right in names:
        settings = settings_for(secure, common, user, "SCRAM-SHA-512", right)
        with process(settings, user) as started:
            assert until_ended(started) == 3, right
            assert right.name in started.last_words(), right
            assert "Traceback" not in started.last_words()


def test_each_process_has_rights_to_topics_of_ours_alone(secure: SecureKafka) -> None:
    settings = settings_of({"WEIR_BROKER": secure.kafka.bootstrap})
    known = {spec.name for spec in topic_specs(settings)} | {settings.group}
    for user in PROCESSES:
        rights = rights_of(user, settings)
        assert len({*rights}) == len(rights)
        assert {right.name for right in rights} <= known
        assert len(list(kafka_acls(rights, f"User:{user}"))) == len(rights)
