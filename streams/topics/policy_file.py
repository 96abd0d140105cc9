"""The policy of a file, with the files of names and of rates that it states."""

from pathlib import Path
from typing import Final

from monitor.policy.document import POLICY_BYTES_MAX, policy_of_bytes
from monitor.policy.lists import ListFileError, with_files
from monitor.policy.policy import Policy, PolicyError
from monitor.policy.rates import RatesFileError, with_rates

LIST_BYTES_MAX: Final = 16 << 20
"""A file of names has no more; as part of a policy they have less, or the policy is refused."""


def policy_of_file(path: Path) -> Policy:
    """Return the policy of a file: its text has the names and the rates of the files it states.

    Paths of these begin at the policy's folder. Raises PolicyError with all problems of the policy,
    and OSError if its own file cannot be read.
    """
    with path.open("rb") as file:
        text = file.read(POLICY_BYTES_MAX + 1)
    if len(text) <= POLICY_BYTES_MAX and b"file" in text:
        try:
            written = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            return policy_of_bytes(text, str(path))
        try:
            full = with_files(written, lambda name: _bytes_of(path.parent / name))
            text = with_rates(full, lambda name: _bytes_of(path.parent / name)).encode()
        except (ListFileError, RatesFileError) as error:
            raise PolicyError([str(error)], str(path)) from None
        return policy_of_bytes(text, str(path), written)
    return policy_of_bytes(text, str(path))


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        found = file.read(LIST_BYTES_MAX + 1)
    if len(found) > LIST_BYTES_MAX:
        raise ListFileError(f"the list file {str(path)!r} must have at most {LIST_BYTES_MAX} bytes")
    return found
