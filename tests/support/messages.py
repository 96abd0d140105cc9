"""The messages of the console: the template that is made of the code, and the catalogues.

`python -m tests.support.messages` writes the template and brings each catalogue up to date with it:
`make messages` calls it. New messages of a catalogue are empty then, and those that are no more
are taken out.
"""

import io
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from monitor.dispositions.disposition import MEANINGS

CONSOLE: Final = Path(__file__).parents[2] / "monitor" / "console"
LOCALE: Final = CONSOLE / "locale"
TEMPLATE: Final = LOCALE / "console.pot"
METHODS: Final = [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS: Final = {
    "**.html": {
        "newstyle_gettext": "true",
        "trimmed": "true",
        "silent": "false",
        "trim_blocks": "true",
        "lstrip_blocks": "true",
    }
}
KEYWORDS: Final = {
    "_": None,
    "gettext": None,
    "N_": None,
    "quoting": None,
    "ngettext": (1, 2),
    "nN_": (1, 2),
}
SHOWN: Final = tuple(MEANINGS.values())
"""Texts of other packages that pages show: these know nothing of languages."""


def extracted() -> Catalog:
    """Return the messages of the code, without those of a language."""
    found = Catalog(project="weir", fuzzy=False)
    for _, _, message, _, _ in extract_from_dir(CONSOLE, METHODS, OPTIONS, KEYWORDS):
        found.add(message)
    for text in SHOWN:
        found.add(text)
    return found


def template_text() -> str:
    """Return the template as it is written: sorted, without places, so that it changes little."""
    return _written(extracted(), has_header=False)


def _written(catalogue: Catalog, *, has_header: bool) -> str:
    file = io.BytesIO()
    write_po(
        file,
        catalogue,
        width=96,
        no_location=True,
        omit_header=not has_header,
        sort_output=True,
        ignore_obsolete=True,
    )
    return file.getvalue().decode()


def catalogues() -> dict[str, Path]:
    """Return the file of each language, by the name of its folder."""
    return {path.parts[-3]: path for path in sorted(LOCALE.glob("*/LC_MESSAGES/console.po"))}


def read(name: str, path: Path) -> Catalog:
    """Return a catalogue as it stands."""
    with path.open("rb") as file:
        return read_po(file, locale=name, domain="console", abort_invalid=True)


HEADER: Final = """msgid ""
msgstr ""
"Project-Id-Version: weir\\n"
"Language: {name}\\n"
"Plural-Forms: nplurals={nplurals}; plural={plural};\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def updated_text(name: str, path: Path) -> str:
    """Return a catalogue with the messages that the code has now."""
    found = read(name, path)
    found.update(extracted(), no_fuzzy_matching=True)
    header = HEADER.format(name=name, nplurals=found.num_plurals, plural=found.plural_expr)
    return header + _written(found, has_header=False)


def _is_whole(message: Message) -> bool:
    """Return whether a message is translated, in each of its forms."""
    forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(forms)


def main() -> None:
    """Write the template, and the catalogues."""
    TEMPLATE.write_text(template_text(), encoding="utf-8")
    for name, path in catalogues().items():
        path.write_text(updated_text(name, path), encoding="utf-8")
        left = [message for message in read(name, path) if message.id and not _is_whole(message)]
        print(f"{path.relative_to(CONSOLE)}: {len(left)} untranslated")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
