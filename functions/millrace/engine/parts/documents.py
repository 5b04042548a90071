"""Documents: values of JSON that one process writes and another reads, in bytes that depend on the value alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from millrace.errors import MalformedFile

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Document: TypeAlias = Mapping[str, Json]
SCHEMA = 1
"""The version of all documents of this package, under the name ``schema``."""


def to_bytes(document: Document) -> bytes:
    """A document as bytes: equal documents give equal bytes."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def from_bytes(content: bytes) -> Document:
    """The document of bytes.

    Raises:
        MalformedFile: the bytes are none, or one of another version.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        raise MalformedFile(f"a document of a divided file is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise MalformedFile(f"a document of a divided file is not of schema {SCHEMA}: {content[:100]!r}")
    return document


def get_integer(document: Document, name: str) -> int:
    """A number of a document that ``to_bytes`` wrote."""
    return cast("int", document[name])


def get_text(document: Document, name: str) -> str:
    """A text of a document."""
    return cast("str", document[name])


def get_items(document: Document, name: str) -> Sequence[Json]:
    """A list of a document."""
    return cast("Sequence[Json]", document[name])


def get_numbers(document: Document, name: str) -> Sequence[Sequence[int]]:
    """A list of lists of numbers."""
    return cast("Sequence[Sequence[int]]", document[name])


def get_document(document: Document, name: str) -> Document:
    """A document within a document."""
    return cast("Document", document[name])
