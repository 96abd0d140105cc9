"""Names and passwords that people may have."""

import unicodedata
from typing import Final

NAME_LENGTH_MAX: Final = 64
PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 128

_COMMON: Final = """
000000000000 012345678910 111111111111 112233445566 121212121212 123123123123 123456789012
1234567890123 12345678901234 123456789123 1234qwerasdf 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc
abc123abc123 abcd12345678 abcdefghijkl abcdefghijklm admin1234567 admin12345678 adminadminadmin
administrator administrator1 asdfasdfasdf asdfghjkl123 baseball1234 changeme1234 changeme12345
changemechangeme correcthorsebatterystaple dragon123456 football1234 iloveyou1234 iloveyouforever
letmein12345 letmeinletmein monkey123456 p@ssw0rd1234 p@ssword1234 passw0rd1234 password1234
password12345 password123456 password1234567 password12345678 password2026 passwordpassword
princess1234 q1w2e3r4t5y6 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop12
qwertyuiop123 qwertyuiopasdfgh qwertzuiopasdfgh sunshine1234 superman1234 trustno1trustno1
weirweirweir welcome12345 welcome123456 zxcvbnm12345
"""
COMMON: Final = frozenset(_COMMON.split())
"""The commonest passwords of at least `PASSWORD_LENGTH_MIN` characters."""


def problems_of_name(name: str) -> list[str]:
    """Return all that is wrong with a name."""
    problems = []
    if not 1 <= len(name) <= NAME_LENGTH_MAX:
        problems.append(f"a name must have 1 to {NAME_LENGTH_MAX} characters, not {len(name)}")
    if not name.isprintable() or unicodedata.normalize("NFKC", name) != name:
        problems.append(f"a name must be of plain printable characters, not {name[:80]!a}")
    if name != name.strip():
        problems.append(f"a name must not begin or end with a blank: {name[:80]!r}")
    if name.startswith("("):
        problems.append("a name must not begin with '(': the audit names others than users so")
    return problems


def problems_of_password(password: str, name: str) -> list[str]:
    """Return all that is wrong with a password of somebody of this name."""
    problems = []
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        problems.append(
            f"a password must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters,"
            f" not {len(password)}"
        )
    if password.casefold() == name.casefold():
        problems.append("a password must not be the name")
    if password.casefold() in COMMON:
        problems.append("a password must not be one of the commonest: take a few words of your own")
    return problems


def as_typed(name: str) -> str:
    """Return a name as a user may have it, on whatever keyboard it was typed."""
    return unicodedata.normalize("NFKC", name[: NAME_LENGTH_MAX + 1])


def bytes_of(password: str) -> bytes:
    """Return the same bytes for the same characters, on whatever keyboard they were typed."""
    typed = password[: PASSWORD_LENGTH_MAX + 1]
    return unicodedata.normalize("NFKC", typed).encode("utf-8", "surrogatepass")
