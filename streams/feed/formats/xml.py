"""Read XML as a stream of elements, with no entity, no document type and no network."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lxml import etree

from streams.feed.mapping import FeedError

Element = Any
"""An element of lxml, which ships no types."""

_SAFE = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def elements_of(
    file: IO[bytes], path: Path, tags: tuple[str, ...], part: str = ""
) -> Iterator[Element]:
    """Yield each element with one of the tags as it ends; whoever takes it empties it.

    `part` names what of the file this is. Raises FeedError if it is no XML, or has a document
    type: only that could declare entities.
    """
    named = [f"{{*}}{tag}" for tag in tags]
    where = f"{part}, " if part else ""
    found = etree.iterparse(file, events=("end",), tag=named, **_SAFE)
    try:
        is_first = True
        for _, element in found:
            if is_first:
                _refuse_document_type(element, path, where)
            is_first = False
            yield element
        if found.root is not None:
            _refuse_document_type(found.root, path, where)
    except etree.XMLSyntaxError as error:
        problem = (
            f"{where}line {error.lineno}: it is no whole XML: {_said(error)}: ask its sender for"
            " the file again"
        )
        raise FeedError([problem], str(path)) from None


def root_of(file: IO[bytes], path: Path, part: str) -> Element:
    """Return the root of a small part of a file. Raises FeedError as `elements_of`."""
    try:
        root = etree.parse(file, etree.XMLParser(**_SAFE)).getroot()
    except etree.XMLSyntaxError as error:
        problem = f"{part}, line {error.lineno}: it is no whole XML: {_said(error)}"
        raise FeedError([problem], str(path)) from None
    _refuse_document_type(root, path, f"{part}, ")
    return root


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    name: str = element.tag
    return name.rpartition("}")[2]


def _said(error: etree.XMLSyntaxError) -> str:
    """Return what is wrong, in one line, without its place."""
    return " ".join(str(error.msg).partition(", line ")[0].split())


def _refuse_document_type(element: Element, path: Path, where: str) -> None:
    if element.getroottree().docinfo.doctype:
        problem = (
            f"{where}it has a document type (<!DOCTYPE), which no bank's statement and no workbook"
            " has: it could name other files. Ask its sender for one without"
        )
        raise FeedError([problem], str(path))
