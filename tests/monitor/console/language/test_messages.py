"""The catalogues are whole, and are those of the code."""

import re
from typing import Final

import pytest
from babel.messages.catalog import Message

from tests.support.messages import TEMPLATE, catalogues, extracted, read, template_text

_PLACE: Final = re.compile(r"%\([a-z_]+\)[a-z]|\{[a-z]+\}|</?[a-z]+>")


def forms_of(message: Message) -> list[str]:
    """Return the forms of a message's translation."""
    found = message.string or ""
    return [found] if isinstance(found, str) else list(found)


def test_the_template_is_that_of_the_code() -> None:
    written = TEMPLATE.read_text(encoding="utf-8")
    assert written == template_text(), "run: make messages"


@pytest.mark.parametrize("name", sorted(catalogues()))
def test_a_catalogue_has_every_message_translated_with_its_placeholders(name: str) -> None:
    catalogue = read(name, catalogues()[name])
    messages = {message.id: message for message in catalogue if message.id}
    wanted = {message.id for message in extracted() if message.id}
    assert set(messages) == wanted, "run: make messages"
    for key, message in messages.items():
        forms = forms_of(message)
        sources = [key] if isinstance(key, str) else list(key)
        assert all(forms), f"untranslated: {key!r}"
        assert not message.fuzzy, f"fuzzy: {key!r}"
        for form in forms:
            assert sorted(_PLACE.findall(form)) == sorted(_PLACE.findall(sources[-1])), key


@pytest.mark.parametrize("name", sorted(catalogues()))
def test_a_plural_has_as_many_forms_as_the_language(name: str) -> None:
    catalogue = read(name, catalogues()[name])
    for message in catalogue:
        if isinstance(message.id, tuple):
            assert len(forms_of(message)) == catalogue.num_plurals, message.id
