"""The elements of an XML document that are rows, one after the other, in bounded memory.

Entities cannot be defined: a document with a document type is refused before anything of it is read, so that neither
bombs of entities nor references to other files do anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from millrace.engine.formats.limits import MAX_RECORD_BYTES, MAX_VALUES
from millrace.engine.formats.streams.decompression import ByteStream
from millrace.engine.names import suggestion
from millrace.errors import MalformedFile, TooBig, TruncatedFile

TEXT = "#text"
"""The name of the text beside an element's children or attributes."""
_READ_BYTES = 2**16
# A row's value becomes nested objects, and json.dumps recurses: without a limit of our own the depth that fails would
# depend on the machine.
_DEEPEST = 200
_LONGEST_TAG = 4 * 2**20
"""Older versions of expat look at an unfinished tag again with each piece of it: time grows with its square."""
# expat.h: XML_ERROR_NO_ELEMENTS, XML_ERROR_UNCLOSED_TOKEN, XML_ERROR_UNCLOSED_CDATA_SECTION.
_ENDS_EARLY = (3, 5, 20)
"""Expat's errors for a document without an element, with an open tag, and with an open CDATA section."""
_NIL = "xsi:nil"
_SPACE = "@xml:space"
_SHOWN_NAMES = 20


@dataclass(slots=True)
class Element:
    """An element: its attributes and children in their order, and its text."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    is_missing: bool = False

    def add(self, name: str, value: Any) -> None:
        """Add a child's value; those of one name become a list."""
        if name not in self.fields:
            self.fields[name] = value
            return
        earlier = self.fields[name]
        if not isinstance(earlier, list):
            earlier = self.fields[name] = [earlier]
        earlier.append(value)

    def add_attribute(self, name: str, value: str) -> None:
        """Note that it is nil, or add the attribute as a field; declarations of namespaces are left out."""
        # XML Schema Part 1, 2.6.2. The prefix is a habit, not a rule; but without namespaces the parser knows no
        # other name.
        if name == _NIL and value in {"true", "1"}:
            self.is_missing = True
        elif name != "xmlns" and not name.startswith("xmlns:"):
            self.fields[f"@{name}"] = value

    def value(self) -> Any:
        """Its text if that is all there is; else an object of its fields, None for one that says it is nil."""
        text = "".join(self.text)
        if self.is_missing and not self.fields and not text:
            return None
        if not self.fields:
            return text
        # Between children there are only the line ends and blanks of indentation, which are no value; but where the
        # element says that they are (XML 1.0, 2.10).
        if text.strip() or (text and self.fields.get(_SPACE) == "preserve"):
            self.fields[TEXT] = text
        return self.fields


@dataclass(frozen=True, slots=True)
class XmlRow:
    """A row: values by name, texts or (nested) objects and lists; ``byte`` is where its element begins."""

    values: dict[str, Any]
    byte: int


class RowPath:
    """The path of the elements that are rows, and how far a document has led along it."""

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps
        self._reached = 0
        self._others: dict[str, None] = {}
        """Names of elements that are in the place of the first step that was not reached."""

    def is_end(self, path: list[str]) -> bool:
        """Whether an element is a row; of elements that are none it is noted where they are.

        For example of ``catalog/books/book`` in ``<catalog><note/><shelf/></catalog>``: one step, note and shelf.
        """
        depth = len(path)
        if depth > len(self._steps) or path[:-1] != self._steps[: depth - 1]:
            return False
        if path[-1] != self._steps[depth - 1]:
            if depth - 1 == self._reached and len(self._others) <= _SHOWN_NAMES:
                self._others[path[-1]] = None
            return False
        if depth > self._reached:
            self._reached, self._others = depth, {}
        return depth == len(self._steps)

    def check(self) -> None:
        """Raise MalformedFile if the whole document had no row, and other elements where the path leads.

        An empty ``<catalog/>`` has no rows either, and nothing that could have been meant.
        """
        if self._reached == len(self._steps) or not self._others:
            return
        names, missing = list(self._others), self._steps[self._reached]
        shown = ", ".join(map(repr, names[:_SHOWN_NAMES])) + (" and more" if len(names) > _SHOWN_NAMES else "")
        holder = repr("/".join(self._steps[: self._reached])) if self._reached else "the document"
        raise MalformedFile(
            f"xml_row: {'/'.join(self._steps)} leads to no row: {holder} has {shown}, and no"
            f" {missing!r}{suggestion(missing, names)}; correct the path, or move a file without rows elsewhere"
        )


class _Builder:
    """Builds rows from what the parser meets."""

    def __init__(self, path: str | None, parser: expat.XMLParserType) -> None:
        self.row_path = RowPath(path.strip("/").split("/")) if path else None
        self._parser = parser
        self._path: list[str] = []
        self._row_depth = 0
        self._first_name: str | None = None
        self._open: list[Element] = []
        self._began = 0
        self._size = 0
        self._values = 0
        self.rows: list[XmlRow] = []
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        # Entities that hold entities are three lines that unpack to gigabytes ("billion laughs", CVE-2003-1564), and
        # external ones read files.
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        # Without it expat calls for each line end and each entity: many small texts where one would do.
        parser.buffer_text = True

    def _refuse_doctype(self, name: str, *_rest: object) -> None:
        raise MalformedFile(
            f"the XML document has a document type ({name!r}), by which entities can be defined; write it without",
            byte=self._parser.CurrentByteIndex,
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise MalformedFile(
                f"elements are nested more than {_DEEPEST} deep at byte {self._parser.CurrentByteIndex:,}"
            )
        if not self._open and not self._is_row():
            return
        if not self._open:
            self._began, self._size, self._values = self._parser.CurrentByteIndex, 0, 0
        element = Element(name)
        for attribute, value in attributes.items():
            self._count(len(attribute) + len(value))
            element.add_attribute(attribute, value)
        # Counted while it grows: a row that is too large must not be in memory before it is refused.
        self._count(len(name))
        self._open.append(element)

    def _is_row(self) -> bool:
        """Whether the element that begins is a row: at the path, or without one a child of the root."""
        if self.row_path is not None:
            return self.row_path.is_end(self._path)
        if len(self._path) != 2:
            return False
        self._first_name = self._first_name or self._path[1]
        if self._path[1] == self._first_name:
            return True
        raise MalformedFile(
            f"the document's root {self._path[0]!r} has children of several names, {self._first_name!r} and "
            f"{self._path[1]!r} at byte {self._parser.CurrentByteIndex:,}; say which are the rows with xml_row, such"
            f" as xml_row: {self._path[0]}/{self._first_name}",
            byte=self._parser.CurrentByteIndex,
        )

    def _text(self, text: str) -> None:
        if self._open:
            self._count(len(text))
            self._open[-1].text.append(text)
        elif self.row_path is None and text.strip():
            # With a path it is said what is wanted; without one nothing may be lost.
            raise MalformedFile(
                f"the document's root {self._path[0]!r} has text beside its rows, before byte"
                f" {self._parser.CurrentByteIndex:,}: {text.strip()[:60]!r}; say which are the rows with xml_row, and"
                " it is left out",
                byte=self._parser.CurrentByteIndex,
            )

    def _count(self, size: int) -> None:
        self._size += size
        self._values += 1
        if self._size > MAX_RECORD_BYTES or self._values > MAX_VALUES:
            raise TooBig(
                f"the row that begins at byte {self._began:,} has more than {MAX_RECORD_BYTES:,} characters, or "
                f"{MAX_VALUES:,} values",
                byte=self._began,
            )

    def _end(self, name: str) -> None:
        self._path.pop()
        if not self._open:
            return
        element = self._open.pop()
        value = element.value()
        if self._open:
            self._open[-1].add(name, value)
        else:
            self.rows.append(XmlRow(_fields_of(value), self._began))


def _fields_of(value: Any) -> dict[str, Any]:
    """The fields of a row, which has its text as one if it has no others; blanks between tags are none."""
    if isinstance(value, dict):
        return value
    if value is None or not value.strip():
        return {}
    return {TEXT: value}


def rows_of(stream: ByteStream, path: str | None) -> Iterator[XmlRow]:
    """The rows of a document; ``path`` names the elements from the root on, such as ``orders/order``.

    Raises MalformedFile, TruncatedFile and TooBig.
    """
    parser = expat.ParserCreate()
    builder = _Builder(path, parser)
    fed = 0
    is_ended = False
    while not is_ended:
        data = stream.read(_READ_BYTES)
        is_ended = not data
        fed += len(data)
        try:
            parser.Parse(data, is_ended)
        except expat.ExpatError as error:
            raise _to_refusal(error, fed, is_ended=is_ended) from error
        if fed - parser.CurrentByteIndex > _LONGEST_TAG:
            raise TooBig(
                f"a tag or comment that begins at byte {parser.CurrentByteIndex:,} has more than"
                f" {_LONGEST_TAG:,} bytes",
                byte=parser.CurrentByteIndex,
            )
        yield from builder.rows
        builder.rows.clear()
    if builder.row_path is not None:
        builder.row_path.check()


def _to_refusal(error: expat.ExpatError, fed: int, *, is_ended: bool) -> MalformedFile | TruncatedFile:
    reason = expat.ErrorString(error.code)
    if is_ended and (error.code in _ENDS_EARLY or "no element" in str(reason)):
        return TruncatedFile(f"the XML document stops before its end, after {fed:,} bytes: {reason}", byte=fed)
    return MalformedFile(f"the file is no XML in line {error.lineno:,}, column {error.offset + 1:,}: {reason}")


def to_json(value: Any) -> str:
    """A value as JSON text."""
    return json.dumps(value, ensure_ascii=False)
