"""Settings: how one process runs, from environment variables. What decides is the policy's.

Every setting is a `WEIR_` variable. An unknown one, or a value that cannot be, stops the start,
and all the problems come in one message.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from monitor.dispositions.deadlines import Deadlines
from streams.security import MECHANISMS, PROTOCOLS, Security

PREFIX: Final = "WEIR_"
PORT_MAX: Final = 65_535
_WHOLE: Final = re.compile("[0-9]{1,9}")
SNAPSHOT_KEY_BYTES_MIN: Final = 16
DAYS_MAX: Final = 36_500
"""A hundred years, for which rows of the store may be kept."""

STORE_DEFAULT: Final = "sqlite:///weir.db"
_TOPIC_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,100}")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


class SettingsError(ValueError):
    """Settings that cannot be used: every problem of them, one a line; a single one is the line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        single = f" {problems[0]}" if len(problems) == 1 else None
        lines = single or "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"settings cannot be used:{lines}")


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("be a text")
    return value.strip()


def _path(value: str) -> Path:
    return Path(_text(value))


def _broker(value: str) -> str:
    text = value.strip().removeprefix("kafka://")
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not _WHOLE.fullmatch(port) or not 0 < int(port) <= PORT_MAX:
            raise ValueError("be host:port, with commas between, e.g. kafka-1:9092,kafka-2:9092")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not _WHOLE.fullmatch(value.strip()) or not low <= int(value) <= high:
            raise ValueError(f"be a whole number from {low} to {high}")
        return int(value)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value.strip()):
            raise ValueError("be a number of seconds, e.g. 2.5")
        if not low <= float(value) <= high:
            raise ValueError(f"be from {low:g} to {high:g} seconds")
        return float(value)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.strip() not in choices:
            raise ValueError(f"be one of {', '.join(choices)}")
        return value.strip()

    return parse


def _topic_prefix(value: str) -> str:
    if not _TOPIC_PREFIX.fullmatch(value):
        raise ValueError("have letters, digits, '.', '_' and '-' alone, at most 100")
    return value


def _instance(value: str) -> str:
    if not _INSTANCE.fullmatch(value) or value in {".", ".."}:
        raise ValueError("have letters, digits, '.', '_' and '-' alone, 1 to 249")
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        raise ValueError("have letters, digits, '.', '_' and '-' alone, 1 to 249")
    return value


def _url(example: str) -> Callable[[str], str]:
    def parsed(value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError(f"be a URL without a user, e.g. {example}")
        return value.strip()

    return parsed


def _setting(parse: Callable[[str], Any], about: str, default: Any = MISSING) -> Any:  # noqa: ANN401 - as dataclasses.field
    return field(default=default, metadata={"parse": parse, "about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one process runs. Each field is the variable of its name in capitals after `WEIR_`."""

    broker: str = _setting(_broker, "The Kafka brokers, host:port with commas between.")
    security_protocol: str = _setting(
        _one_of(*PROTOCOLS), "How to connect to them; SASL_SSL for real use.", PROTOCOLS[0]
    )
    tls_ca: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "Certificates (PEM) of whom to trust; none: the system's.", None
    )
    tls_certificate: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "Our own certificate (PEM), where brokers ask for one.", None
    )
    tls_key: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "Its key (PEM).", None
    )
    tls_key_password: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A file with the password of the key, if it has one.", None
    )
    sasl_mechanism: str | None = _setting(
        _one_of(*MECHANISMS), "How we say who we are, with SASL_SSL.", None
    )
    sasl_username: str | None = _setting(_text, "As whom, with PLAIN or SCRAM.", None)
    sasl_password: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A file with that user's password.", None
    )
    sasl_token: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A file with the token of OAUTHBEARER, read at each connection.", None
    )
    policy: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "The policy's TOML file; the topic's versions come on top.", None
    )
    group: str = _setting(
        _text, "The consumer group; its workers share the partitions and the state.", "weir"
    )
    instance: str | None = _setting(
        _instance,
        "This worker's own name in the group, by which a quick restart moves no partition.",
        None,
    )
    topic_prefix: str = _setting(_topic_prefix, "The prefix of every topic's name.", "weir.")
    transactions_topic: str | None = _setting(
        _topic, "The transactions topic, if it is another one; none: by the prefix.", None
    )
    transactions_map: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A map of its records, if they are not Weir's own JSON.", None
    )
    schema_registry: str | None = _setting(
        _url("https://registry:8081"),
        "The schema registry's API, for records of Avro and Protobuf.",
        None,
    )
    schema_registry_user: str | None = _setting(_text, "As whom it is asked, if it asks.", None)
    schema_registry_password: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A file with that user's password.", None
    )
    partitions: int = _setting(
        _whole(1, 10_000), "Partitions of the transactions topic; fixed once there is state.", 4
    )
    replication: int = _setting(
        _whole(1, 9), "Copies of each topic that Weir creates; 3 for real use.", 1
    )
    buckets: int = _setting(
        _whole(1, 65_536),
        "Buckets that the state of a partition begins with; more as it grows.",
        256,
    )
    transport: str = _setting(
        _one_of("run", "records", "plain"),
        "run: batches at a time; records: record by record, in runs; plain: Faust's own, slowest.",
        "run",
    )
    engine: str = _setting(
        _one_of("arrays", "plain"),
        "arrays: kernels decide on what is ordinary; plain: Python decides on every record.",
        "arrays",
    )
    fetch_records: int = _setting(
        _whole(1, 100_000), "Most records that are taken from a partition at a time.", 5000
    )
    flush_records: int = _setting(
        _whole(1, 10_000_000), "State is written after so many records of a partition ...", 50_000
    )
    flush_seconds: float = _setting(_seconds(0.01, 60), "... or after so many seconds.", 1.0)
    session_timeout_seconds: float = _setting(
        _seconds(1, 300), "The group gives a silent worker's partitions away after this.", 10.0
    )
    heartbeat_seconds: float = _setting(
        _seconds(0.1, 100), "Seconds between heartbeats; a third of the above.", 3.0
    )
    liveness_seconds: float = _setting(
        _seconds(1, 3600), "A worker with records waiting ends if none is decided for this.", 60.0
    )
    not_monitored_seconds: float = _setting(
        _seconds(1, 86_400),
        "Records that are decided so long after they were written are told.",
        60.0,
    )
    metrics_host: str = _setting(
        _text, "The address that serves metrics; 0.0.0.0 is all.", "127.0.0.1"
    )
    metrics_port: int = _setting(_whole(0, PORT_MAX), "Its port; 0 is none.", 0)
    traces_endpoint: str | None = _setting(
        _url("http://collector:4318/v1/traces"),
        "Where a worker sends its spans by OTLP/HTTP; none: nowhere.",
        None,
    )
    snapshot_key: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "A file with the secret that signs the models' state; none: a digest.", None
    )
    accept_state_loss: str = _setting(
        _one_of("no", "yes"), "yes: go on if the changelog has lost committed state.", "no"
    )
    store: str = _setting(
        _text, "The database of `weir archive` and `weir console`, as a URL.", STORE_DEFAULT
    )
    store_days: Path | None = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "Folder of sealed account-days; none: FILE.days beside an SQLite store.", None
    )
    keep_alerts: int | None = _setting(
        _whole(1, DAYS_MAX), "Days that closed alerts stay in the store; none: for ever.", None
    )
    keep_account_days: int | None = _setting(
        _whole(1, DAYS_MAX), "Days that account-days stay in the store; none: for ever.", None
    )
    keep_rejections: int | None = _setting(
        _whole(1, DAYS_MAX), "Days that rejections stay in the store; none: for ever.", None
    )
    keep_audit: int | None = _setting(
        _whole(1, DAYS_MAX), "Days that entries of the audit stay; none: for ever.", None
    )
    keep_sessions: int | None = _setting(
        _whole(1, DAYS_MAX), "Days that sessions and failed logins stay; none: for ever.", None
    )
    late_after: Deadlines = _setting(  # noqa: RUF009 - as dataclasses.field
        Deadlines.of, "How long after its first report an open alert is late.", Deadlines()
    )
    data_dir: Path = _setting(  # noqa: RUF009 - as dataclasses.field
        _path, "Scratch files of Faust; state is in Kafka.", Path(".weir")
    )
    log_format: str = _setting(
        _one_of("text", "json"), "text: a line a message; json: an object a line.", "text"
    )
    log_level: str = _setting(
        _one_of("debug", "info", "warning", "error"),
        "Which messages are written: those of this level and above.",
        "info",
    )

    @property
    def security(self) -> Security:
        """How to connect to them."""
        return Security(
            protocol=self.security_protocol,
            ca=self.tls_ca,
            certificate=self.tls_certificate,
            key=self.tls_key,
            key_password=self.tls_key_password,
            mechanism=self.sasl_mechanism,
            username=self.sasl_username,
            password=self.sasl_password,
            token=self.sasl_token,
        )

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make the same settings in another process."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {variable(name): str(value) for name, value in values.items() if value is not None}


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def engine_named(environment: Mapping[str, str]) -> str:
    """Return the engine that an environment names; all other settings are a worker's.

    Raises SettingsError if there is no such engine.
    """
    name = variable("engine")
    (setting,) = (setting for setting in fields(Settings) if setting.name == "engine")
    try:
        return str(setting.metadata["parse"](environment.get(name, setting.default)))
    except ValueError as error:
        raise SettingsError([f"{name} must {error}, not {environment[name]!r}"]) from None


def settings_of(environment: Mapping[str, str], **given: str | None) -> Settings:
    """Return the settings that an environment states; `given` texts (of options) come before it.

    Raises SettingsError with every problem.
    """
    known = {variable(f.name): f for f in fields(Settings)}
    texts = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    texts |= {variable(name): text for name, text in given.items() if text is not None}
    problems = [
        f"{name} is not a setting: use one of {', '.join(sorted(known))}"
        for name in sorted(set(texts) - set(known))
    ]
    values: dict[str, Any] = {}
    for name, setting in known.items():
        text = texts.get(name)
        if text is None:
            if setting.default is MISSING:
                option = f", and so is --{setting.name}" if setting.name in given else ""
                problems.append(f"{name} is missing{option}. {setting.metadata['about']}")
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            problems.append(f"{name} must {error}, not {text!r}")
    heartbeat = values.get("heartbeat_seconds", 3.0)
    if heartbeat * 2 > values.get("session_timeout_seconds", 10.0):
        problems.append(
            "WEIR_HEARTBEAT_SECONDS is more than half of WEIR_SESSION_TIMEOUT_SECONDS:"
            " one lost heartbeat would cost the worker its partitions"
        )
    if problems:
        raise SettingsError(problems)
    settings = Settings(**values)
    problems = settings.security.problems()
    if problems:
        raise SettingsError(problems)
    return settings


def snapshot_key_of(settings: Settings) -> bytes | None:
    """Return the secret of the file that WEIR_SNAPSHOT_KEY names; None if it names none.

    Raises SettingsError if the file cannot be read, or is too short to be a secret.
    """
    if settings.snapshot_key is None:
        return None
    try:
        key = settings.snapshot_key.read_bytes().strip()
    except OSError as error:
        raise SettingsError([f"WEIR_SNAPSHOT_KEY: {error}"]) from error
    if len(key) < SNAPSHOT_KEY_BYTES_MIN:
        problem = (
            f"WEIR_SNAPSHOT_KEY: {settings.snapshot_key} has {len(key)} bytes, a secret has at"
            f" least {SNAPSHOT_KEY_BYTES_MIN}: e.g. openssl rand -hex 32 > FILE"
        )
        raise SettingsError([problem])
    return key


RECORD_BYTES_MAX: Final = 900_000
"""Of a record that Weir writes, with its key, its headers and what the log adds. A broker takes
1,048,588 bytes (`message.max.bytes`) unless it is told otherwise."""
