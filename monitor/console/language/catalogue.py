"""The language that a request is answered in, and the texts of each.

English texts stand in the code and are the keys of the catalogues. The language is that of the
context: of a request it is set once, by `Spoken`, and threads that work for the request have it.
Outside of a request, and for the API, it is English.
"""

import io
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from gettext import NullTranslations
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from babel.core import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from markupsafe import Markup, escape
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from collections.abc import Iterator

COOKIE: Final = "weir-language"
API: Final = "/api/"
_ACCEPTED_MAX: Final = 1000
"""Characters of Accept-Language that are looked at."""


class Language(NamedTuple):
    """A language: its tag in HTML, its own name, its texts, and how it writes days and times."""

    tag: str
    name: str
    locale: Locale
    texts: NullTranslations
    day: str
    minute: str


def _texts_of(folder: str) -> NullTranslations:
    """Return the texts of a catalogue, a file of gettext's; fuzzy ones do not count."""
    path = files("monitor.console") / "locale" / folder / "LC_MESSAGES" / "console.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=folder, domain="console", abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled, domain="console")


ENGLISH: Final = Language(
    "en", "English", Locale("en"), NullTranslations(), "yyyy-MM-dd", "yyyy-MM-dd HH:mm"
)
CHINESE: Final = Language(
    "zh-Hans",
    "简体中文",
    Locale("zh", script="Hans"),
    _texts_of("zh_Hans"),
    "yyyy年M月d日",
    "yyyy年M月d日 HH:mm",
)
LANGUAGES: Final = {language.tag: language for language in (ENGLISH, CHINESE)}

_SPOKEN: Final[ContextVar[Language]] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """Return the language of the context."""
    return _SPOKEN.get()


@contextmanager
def speaking(language: Language) -> "Iterator[None]":
    """Let a language be that of the context."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


class Said(str):
    """A text in the language of the context, as HTML may show it without a `lang` of its own."""

    __slots__ = ()


class Quoting(str):
    """A text that repeats what a record says in English; as HTML it marks that as English."""

    __slots__ = ("html",)
    html: Markup

    def __html__(self) -> str:
        return self.html


def gettext(message: str, **values: object) -> str:
    """Return a text in the language of the context, with values for its placeholders.

    >>> gettext("there is no alert %(alert_id)s", alert_id="A1")
    'there is no alert A1'
    """
    text = spoken().texts.gettext(message)
    return Said(text % values if values else text)


def marked(message: str, **values: object) -> Markup:
    """Return a text of a template in the language of the context, with its values escaped."""
    text = Markup(spoken().texts.gettext(message))  # noqa: S704 - texts of the code and catalogues
    return text % values if values or "%" in text else text


def ngettext(singular: str, plural: str, number: int, **values: object) -> str:
    """Return a text for a number of things, in the language of the context."""
    text = spoken().texts.ngettext(singular, plural, number)
    return Said(text % values if values else text)


def quoting(message: str, english: str, **values: object) -> str:
    """Return a text with a record's English for its placeholder `english`."""
    text = spoken().texts.gettext(message)
    said = Quoting(text % {**values, "english": english})
    marked = Markup('<span lang="en">{}</span>').format(english)
    said.html = escape(text) % {**values, "english": marked}
    return said


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text that is translated where it is shown, and return it as it is."""
    return message


def nN_(singular: str, plural: str) -> tuple[str, str]:  # noqa: N802 - as N_
    """Mark a text for a number of things, as `N_` does one, and return both forms."""
    return singular, plural


def accepted(header: str) -> Language:
    """Return the language that Accept-Language likes best of ours; English if it likes none.

    >>> accepted("zh-CN,zh;q=0.9,en;q=0.8").tag, accepted("de, zh;q=0.1, en;q=0.4").tag
    ('zh-Hans', 'en')
    """
    best, found = 0.0, ENGLISH
    for part in header[:_ACCEPTED_MAX].split(","):
        tag, _, rest = part.partition(";")
        weight = _weight(rest)
        primary = tag.strip().lower().partition("-")[0]
        language = {"en": ENGLISH, "zh": CHINESE}.get(primary)
        if language is not None and weight > best:
            best, found = weight, language
    return found


def _weight(text: str) -> float:
    """Return the weight of a part; 0 for anything else."""
    name, _, value = text.strip().partition("=")
    if not name:
        return 1.0
    digits = value.strip()
    is_weight = name.strip().lower() == "q" and digits.replace(".", "", 1).isdecimal()
    return min(1.0, float(digits)) if is_weight and digits.isascii() else 0.0


def language_of(headers: Headers, cookies: Mapping[str, str]) -> Language:
    """Return the language that somebody chose, else the one that their browser likes best."""
    chosen = LANGUAGES.get(cookies.get(COOKIE, ""))
    return accepted(headers.get("accept-language", "")) if chosen is None else chosen


def language_cookie(tag: str, is_https: bool) -> str:  # noqa: FBT001 - as those of sessions
    """Return a Set-Cookie value by which a browser keeps a language for a year."""
    secure = "; Secure" if is_https else ""
    return f"{COOKIE}={tag}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"


class Spoken:
    """Middleware that answers each request in the language of whoever asks; the API in English."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer in a language."""
        if scope["type"] != "http" or scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        with speaking(language_of(Headers(scope=scope), HTTPConnection(scope).cookies)):
            await self._app(scope, receive, send)
