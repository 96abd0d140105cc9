"""Known vulnerabilities of locked packages: `python -m tests.support.advisories LOCK...`.

It ends with 0 if every package was looked up and none is known to be vulnerable, with 1 if one is,
and with 3 if advisories could not be had. pip-audit alone ends with 0 if it could look up nothing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

CANARY: Final = "jinja2==2.4.1"
"""A version with advisories of many years: a service that knows none of them knows nothing."""

SERVICES: Final = ("pypi", "osv")
SECONDS_MAX: Final = 15
PIP_AUDIT: Final = Path(sys.executable).parent / "pip-audit"

NOTHING_FOUND: Final = 0
FOUND: Final = 1
NOT_LOOKED_UP: Final = 3


class Found(NamedTuple):
    """Advisories by package, and the packages that were not looked up."""

    advisories: dict[str, list[str]]
    missing: list[str]


def found_in(report: dict[str, Any]) -> Found:
    """Return what a report of pip-audit says."""
    advisories: dict[str, list[str]] = {}
    missing = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            missing.append(package["name"])
        elif package["vulns"]:
            name = f"{package['name']} {package['version']}"
            advisories[name] = [advisory["id"] for advisory in package["vulns"]]
    return Found(advisories, missing)


def status_of(canary: Found | None, locks: Iterable[Found | None]) -> int:
    """Return the exit status; None is a service that did not answer."""
    founds = list(locks)
    if any(found is not None and found.advisories for found in founds):
        return FOUND
    is_known = canary is not None and canary.advisories
    if not is_known or any(found is None or found.missing for found in founds):
        return NOT_LOOKED_UP
    return NOTHING_FOUND


def ask(service: str, lock: Path, *, has_hashes: bool) -> Found | None:
    """Ask a service about each package of a file; None if it did not answer."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                PIP_AUDIT, "--requirement", lock, "--disable-pip",
                "--require-hashes" if has_hashes else "--no-deps", "--vulnerability-service",
                service, "--timeout", str(SECONDS_MAX), "--progress-spinner", "off",
                "--format", "json", "--output", report,
            ],
            check=False, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        if not report.exists():
            return None
        return found_in(json.loads(report.read_text(encoding="utf-8")))


def in_words(found: Found | None) -> str:
    """Return what a service says about a file."""
    if found is None:
        return "no answer"
    known = [f"{package}: {', '.join(ids)}" for package, ids in found.advisories.items()]
    missing = [f"not looked up: {', '.join(found.missing)}"] if found.missing else []
    return "; ".join(known + missing) or "no known vulnerability"


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Ask one service after the other, until one answers."""
    locks = [Path(name) for name in sys.argv[1:]]
    status = NOT_LOOKED_UP
    for service in SERVICES:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(f"{CANARY}\n")
            file.flush()
            canary = ask(service, Path(file.name), has_hashes=False)
        if canary is None or not canary.advisories:
            say(f"{service}: no advisories of {CANARY}, which has some: not asked any further")
            continue
        founds = [ask(service, lock, has_hashes=True) for lock in locks]
        for lock, found in zip(locks, founds, strict=True):
            say(f"{service}: {lock}: {in_words(found)}")
        status = status_of(canary, founds)
        if status != NOT_LOOKED_UP:
            break
    return status


if __name__ == "__main__":
    sys.exit(main())
