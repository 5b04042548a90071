"""Rows that are elements of lists somewhere in JSON documents (``json_records``), given as if each stood on a line.

Only the way to the lists is read step by step; a value that is not on it is passed over, and an element is cut out as
text. Neither a document nor its list is held in memory. Behind this feed all is as for a file of lines, so the types
and values are those of such a file.

Worked example: with ``json_records: items`` and ``json_parent_fields: [owner]`` the document
``{"owner": "x", "items": [{"a": 1}, {"a": 2.50}]}`` gives the lines ``{"a": 1,"owner":"x"}`` and
``{"a": 2.50,"owner":"x"}``.

A parent's member that comes behind its list is waited for: the elements are kept meanwhile, up to ``MAX_KEPT_BYTES``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from millrace.engine.formats.json import values as json_values
from millrace.engine.formats.json.feed import FIRST_BYTES, JsonPiece, RowOrigins
from millrace.engine.formats.json.text_window import ObjectRun, TextPlace, TextWindow, on_one_line
from millrace.engine.formats.json.types import Number, text_of
from millrace.engine.formats.json.values import Refused
from millrace.engine.formats.limits import MAX_KEPT_BYTES, MAX_MEMBERS, MAX_PARENT_BYTES
from millrace.engine.formats.memory import without_collection
from millrace.engine.formats.streams.encoding import Utf8Stream
from millrace.engine.json_paths import MOST_STEPS, ParentField, RecordPath, written
from millrace.errors import DataError, MalformedFile, TooBig

_MOST_ROWS = 2**16
"""Of a piece: where each is in the file is noted."""
_SHOWN_NAMES = 20
_SHOWN = 20


@dataclass(slots=True, eq=False)
class _Scope:
    """An object on the way to the rows: its members that rows repeat, as JSON text; closed once it has been read."""

    wanted: tuple[ParentField, ...]
    outer: _Scope | None
    texts: dict[str, str] = field(default_factory=dict)
    is_closed: bool = False

    def lacks(self) -> str | None:
        """A field that may still come, of this object or one around it; None if there is none."""
        if not self.is_closed:
            for parent in self.wanted:
                if parent.name not in self.texts:
                    return parent.name
        return self.outer.lacks() if self.outer else None

    def text(self, parent: ParentField) -> str:
        """A field's value; null if its object has no such member."""
        if parent in self.wanted or self.outer is None:
            return self.texts.get(parent.name, "null")
        return self.outer.text(parent)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Elements of one list: their texts on one line each, without the last brace if parents' members follow it.

    ``bytes`` and ``lines`` are their places, ``scope`` is the object around them; None: nothing follows.
    """

    texts: list[str]
    bytes: list[int]
    lines: list[int]
    scope: _Scope | None

    def part(self, start: int, count: int) -> _Rows:
        """Some of the rows."""
        if not start and count >= len(self.texts):
            return self
        end = start + count
        return _Rows(self.texts[start:end], self.bytes[start:end], self.lines[start:end], self.scope)

    def lacks(self) -> str | None:
        """A member of a parent that is still to come."""
        return self.scope.lacks() if self.scope else None


class RecordsFeed:
    """Gives the elements of a stream's documents as pieces of lines; see ``feed.Feed``."""

    def __init__(self, stream: Utf8Stream, path: RecordPath, block_bytes: int) -> None:
        self._documents = _Documents(TextWindow(stream, block_bytes), path)
        self._parents = path.parents
        self._block_bytes = block_bytes
        self._byte = 0
        self._rows = 0

    def pieces(self) -> Iterator[JsonPiece]:
        """All of the rows. What is wrong is raised behind those before it."""
        parts, size = self._parts(), min(FIRST_BYTES, self._block_bytes)
        fault: DataError | None = None
        ends = False
        while not ends:
            piece = _GrowingPiece(self._byte)
            try:
                with without_collection():
                    ends = self._fill(piece, parts, size)
            except DataError as error:
                fault, ends = error, True
            if piece.lines:
                yield self._finished(piece)
            size = self._block_bytes
        if fault is not None:
            raise fault

    def _fill(self, piece: _GrowingPiece, parts: Iterator[tuple[_Rows, str]], size: int) -> bool:
        """Add rows until there are so many bytes; True where none are left."""
        while piece.length < size and len(piece.lines) < _MOST_ROWS:
            part = next(parts, None)
            if part is None:
                return True
            piece.add(*part)
        return False

    def _parts(self) -> Iterator[tuple[_Rows, str]]:
        """Rows, and what is behind each of them; of 4,096 rows that repeat 60 kB only some at once."""
        for rows in self._documents.settled():
            ending = self._ending(rows.scope)
            step = max(1, self._block_bytes // len(ending))
            for start in range(0, len(rows.texts), step):
                yield rows.part(start, step), ending

    def _ending(self, scope: _Scope | None) -> str:
        """What is behind the rows of a list, parents' members among it."""
        if scope is None:
            return "\n"
        members = ",".join(f"{json.dumps(parent.name)}:{scope.text(parent)}" for parent in self._parents)
        return members + "}\n"

    def _finished(self, piece: _GrowingPiece) -> JsonPiece:
        finished = JsonPiece(
            "".join(piece.lines).encode(errors="surrogateescape"),
            self._byte,
            self._rows + 1,
            in_array=False,
            first=self._byte == 0,
            last=False,
            whole=True,
            origins=piece.origins,
        )
        self._byte += piece.length
        self._rows += len(piece.lines)
        return finished


class _GrowingPiece:
    """A piece in the making."""

    def __init__(self, byte: int) -> None:
        self._byte = byte
        self.lines: list[str] = []
        self.length = 0
        self.origins = RowOrigins()

    def add(self, rows: _Rows, ending: str) -> None:
        lines = [text + ending for text in rows.texts]
        ends = list(accumulate(map(_byte_length, lines), initial=self._byte + self.length))
        self.origins.extend(ends[:-1], rows.bytes, rows.lines)
        self.lines += lines
        self.length = ends[-1] - self._byte


def _byte_length(text: str) -> int:
    if text.isascii():
        return len(text)
    return len(text.encode(errors="surrogateescape"))


class _Documents:
    """Walks through documents to the elements of their lists."""

    def __init__(self, window: TextWindow, path: RecordPath) -> None:
        self._window = window
        self._path = path
        self._parents = path.parents
        self._document = 0
        self._lists = 0
        self._row = 1

    def settled(self) -> Iterator[_Rows]:
        """The rows in the file's order, each once all that it repeats is known."""
        kept, size = deque[_Rows](), 0
        for rows in self._lists_of_rows():
            kept.append(rows)
            size += sum(map(len, rows.texts))
            while kept and (lacking := kept[0].lacks()) is None:
                size -= sum(map(len, kept[0].texts))
                yield kept.popleft()
            if kept and size > MAX_KEPT_BYTES:
                raise self._late_parent(kept[0].bytes[0], lacking)
        # All documents have been read to their ends, so nothing is lacking any more.
        yield from kept

    def _late_parent(self, byte: int, name: str | None) -> TooBig:
        return TooBig(
            f"document {self._document:,}: the parent field {name!r} has not come before more than {MAX_KEPT_BYTES:,}"
            f" bytes of rows, the first of them at byte {byte:,}; write it before the list, or leave it out of"
            " json_parent_fields",
            byte=byte,
            column=name,
        )

    def _lists_of_rows(self) -> Iterator[_Rows]:
        while self._window.seek():
            self._document += 1
            self._lists = 0
            begin = self._window.place()
            yield from self._walk(0, None, is_sought=False)
            if not self._lists and begin.character == "{":
                raise self._error(f"there is no list at {str(self._path)!r}", begin)

    def _walk(self, depth: int, scope: _Scope | None, *, is_sought: bool, lists: int = 0) -> Iterator[_Rows]:
        """The elements of the value that begins here; ``is_sought``: a ``*`` led here, so it may be anything.

        ``lists`` is how many lists are open around it, each directly within the other.
        """
        begin = self._window.place()
        if depth == len(self._path.steps):
            yield from self._rows(begin, scope)
        elif begin.character == "{":
            yield from self._members(depth, scope, begin, is_sought=is_sought)
        elif begin.character == "[":
            if lists == MOST_STEPS:
                raise self._error(f"more than {MOST_STEPS} lists are open, each directly within the other", begin)
            for _ in self._items():
                yield from self._walk(depth, scope, is_sought=is_sought, lists=lists + 1)
        # On the way `orders.*.lines` a member "total": 2 beside the orders leads to no rows, and is no fault.
        elif is_sought:
            self._skip()
        else:
            raise self._error(self._expectation(depth), begin)

    def _expectation(self, depth: int) -> str:
        shown = repr(self._window.peek(_SHOWN))
        if not depth:
            return f"expected an object that has rows at {str(self._path)!r}, found {shown}"
        way = written(self._path.steps[:depth])
        return f"expected an object at {way!r}, on the way to {str(self._path)!r}, found {shown}"

    def _members(self, depth: int, outer: _Scope | None, begin: TextPlace, *, is_sought: bool) -> Iterator[_Rows]:
        """The elements within an object on the way."""
        step = self._path.steps[depth]
        scope = self._scope(depth, outer)
        names = dict[str, None]()
        is_last = depth + 1 == len(self._path.steps)
        for name in self._names(names):
            if step.matches(name) and self._leads_on(step.is_any, is_last=is_last):
                self._require_no_parent(name, scope.wanted)
                yield from self._walk(depth + 1, scope, is_sought=step.is_any)
            else:
                self._take(name, scope)
        scope.is_closed = True
        may_lack = step.is_any or is_sought
        if not may_lack and step.name not in names:
            raise self._lacking_member(step.name, names, begin)

    def _scope(self, depth: int, outer: _Scope | None) -> _Scope:
        return _Scope(tuple(parent for parent in self._parents if parent.depth == depth), outer)

    def _leads_on(self, is_any: bool, *, is_last: bool) -> bool:  # noqa: FBT001 - a step's own word
        """Whether the member's value is on the way: what ``*`` matches may be something else."""
        if not is_any:
            return True
        begin = self._window.character
        return begin == "[" or (begin == "{" and not is_last)

    def _require_no_parent(self, name: str, wanted: tuple[ParentField, ...]) -> None:
        for parent in wanted:
            if parent.steps[0].name == name:
                raise self._error(
                    f"json_parent_fields names {written(parent.steps)!r}, which is on the way to the rows of"
                    f" {str(self._path)!r} here; leave it out",
                    self._window.place(),
                )

    def _lacking_member(self, name: str, names: dict[str, None], begin: TextPlace) -> MalformedFile:
        shown = ", ".join(map(repr, list(names)[:_SHOWN_NAMES])) or "none"
        more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
        return self._error(
            f"an object has no member {name!r}, where json_records: {self._path} leads; its members are {shown}{more}",
            begin,
        )

    def _names(self, names: dict[str, None]) -> Iterator[str]:
        """The names of an object's members, each with the window at its value; adds them to ``names``."""
        window = self._window
        window.step(1)
        if self._require("}") == "}":
            window.step(1)
            return
        while True:
            yield self._member_name(names)
            if not self._has_next("}"):
                return

    def _member_name(self, names: dict[str, None]) -> str:
        """The next member's name, which goes to ``names``; moves to its value."""
        window = self._window
        begin = window.place()
        if begin.character != '"':
            raise self._error(f"expected a member's name, found {window.peek(_SHOWN)!r}", begin)
        name: str = self._value()
        if name in names:
            raise self._error(f"the name {name[:100]!r} stands twice in one object", begin)
        if len(names) >= MAX_MEMBERS:
            raise TooBig(
                f"{self._where()}: an object on the way to the rows has more than {MAX_MEMBERS:,} members up to byte"
                f" {begin.byte:,}; write what they hold as a list",
                byte=begin.byte,
            )
        names[name] = None
        if self._require("a colon") != ":":
            raise self._error(f"expected a colon, found {window.peek(_SHOWN)!r}", window.place())
        window.step(1)
        self._require("a value")
        return name

    def _items(self) -> Iterator[None]:
        """One turn for each item of a list, with the window at it."""
        self._window.step(1)
        if self._require("]") == "]":
            self._window.step(1)
            return
        while True:
            self._require("a value")
            yield
            if not self._has_next("]"):
                return

    def _has_next(self, end: str) -> bool:
        """Step over a comma, or over the end of an object or a list: then there is no next."""
        window = self._window
        character = self._require("," + end)
        if character not in {",", end}:
            what = "object's" if end == "}" else "list's"
            raise self._error(f"expected a comma or the {what} end, found {window.peek(_SHOWN)!r}", window.place())
        window.step(1)
        if character == ",":
            self._require("a value")
        return character == ","

    def _rows(self, begin: TextPlace, scope: _Scope | None) -> Iterator[_Rows]:
        """The elements of a list of rows. ``null`` in its place is no rows: so Go writes an empty list."""
        self._lists += 1
        if begin.character == "n" and self._value() is None:
            return
        if begin.character != "[":
            raise self._error(f"expected a list at {str(self._path)!r}, found {self._window.peek(_SHOWN)!r}", begin)
        if not self._parents:
            scope = None
        for _ in self._items():
            while (run := self._window.take_objects()).texts:
                yield self._rows_of(run, scope)
            yield self._one_row(scope)

    def _rows_of(self, run: ObjectRun, scope: _Scope | None) -> _Rows:
        texts = run.texts
        if scope is not None:
            texts = [self._opened(value, text) for value, text in zip(run.values, texts, strict=True)]
        for value, byte in zip(run.values, run.bytes, strict=True):
            self._require_no_double(value, byte)
            self._row += 1
        return _Rows(texts, run.bytes, run.lines, scope)

    def _one_row(self, scope: _Scope | None) -> _Rows:
        place = self._window.place()
        value, text = self._window.take_value(f"row {self._row:,}", row=self._row)
        text = on_one_line(text)
        if isinstance(value, dict):
            return self._rows_of(ObjectRun([value], [text], [place.byte], [place.line]), scope)
        # What is no object is no row: who parses the lines says so.
        self._row += 1
        return _Rows([text], [place.byte], [place.line], None)

    def _opened(self, value: dict[str, Any], text: str) -> str:
        """An object's text with room for more members: ``{"a":1`` and a comma."""
        return text[:-1] + "," if value else text[:-1]

    def _require_no_double(self, value: dict[str, Any], byte: int) -> None:
        for parent in self._parents:
            if parent.name in value:
                raise self._doubled(parent, byte)

    def _doubled(self, parent: ParentField, byte: int) -> MalformedFile:
        return MalformedFile(
            f"row {self._row:,} at byte {byte:,}: the row has a field {parent.name!r} itself, which"
            f" json_parent_fields adds; give the parent's another name: NEW_NAME={parent.name}",
            row=self._row,
            byte=byte,
            column=parent.name,
        )

    def _take(self, name: str, scope: _Scope) -> None:
        """Pass a member over; keep of it what rows repeat."""
        wanted = [parent for parent in scope.wanted if parent.steps[0].name == name]
        if not wanted:
            self._skip()
            return
        place = self._window.place()
        _, text = self._window.take_value(self._where())
        for parent in wanted:
            inner = _find_inner(text, parent)
            if len(inner) > MAX_PARENT_BYTES:
                raise TooBig(
                    f"{self._where()}, byte {place.byte:,}: the parent field {parent.name!r} has {len(inner):,}"
                    f" characters, which every row would repeat; {MAX_PARENT_BYTES:,} are the most",
                    byte=place.byte,
                    column=parent.name,
                )
            scope.texts[parent.name] = inner

    def _value(self) -> Any:
        return self._window.take_value(self._where())[0]

    def _skip(self) -> None:
        self._window.take_value(self._where())

    def _require(self, expected: str) -> str:
        if not self._window.seek():
            raise self._window.truncated(self._where(), f"expected {expected}")
        return self._window.character

    def _where(self) -> str:
        return f"document {self._document:,}"

    def _error(self, reason: str, place: TextPlace) -> MalformedFile:
        return MalformedFile(f"{self._where()} at byte {place.byte:,}: {reason}", byte=place.byte)


def _find_inner(text: str, parent: ParentField) -> str:
    """The JSON text of what a parent field means within its member; null if it is not there."""
    if len(parent.steps) == 1:
        return on_one_line(text)
    try:
        value, _ = json_values.value(text, 0, odd=True)
    except Refused as error:
        raise MalformedFile(f"the parent field {parent.name!r}: {error}", column=parent.name) from None
    for step in parent.steps[1:]:
        if not isinstance(value, dict) or step.name not in value:
            return "null"
        value = value[step.name]
    if lone := json_values.lone_surrogate({parent.name: value}):
        raise MalformedFile(
            f"the parent field {parent.name!r}: the escape {lone} is half of a character (a lone surrogate)",
            column=parent.name,
        )
    # A number has the digits that the file has: 1.10 stays 1.10.
    return str(value) if isinstance(value, Number) else text_of(value)
