"""Reading JSON: objects one after the other, or one array of them, whichever the bytes are.

Parsing is exact: numbers keep their digits, names may not repeat, nothing is guessed. Missing fields are null.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa

from millrace import schema
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, WrongEncoding
from millrace.file_format import BadRows, ReadOptions
from millrace.formats.base import BadRow, Records
from millrace.formats.compression import open_plain
from millrace.formats.encoding import Utf8Stream
from millrace.formats.json_types import Node, Number, as_batch, columns_of, fields_of, text_of

BLOCK_BYTES = 2**20
SAMPLE_BYTES = 4 * 2**20
"""How much text is looked at before types are chosen and writing begins."""
MAX_RECORD_BYTES = 128 * 2**20
_NEAR_THE_END = 16
"""An error this near to the end of what has been read may come from what has not: the longest literal is shorter."""
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NEGATIVE_ZERO = re.compile(r"-0(?![.0-9eE])")
_INT_DIGITS = 4000
_LITERALS = ("true", "false", "null", "-")
Report = Callable[[BadRow], None]
Row = dict[str, Any]
Scan = Callable[[str, int], tuple[Any, int]]


class _Repeated(ValueError):
    """A name stands twice in one object."""


class _NotANumber(ValueError):
    """NaN or an infinity, which Python's parser takes and JSON does not."""


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return row


def _constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _integer(text: str) -> int | Number:
    return Number(text) if text == "-0" or len(text) > _INT_DIGITS else int(text)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_constant=_constant)
_odd_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Number, parse_int=_integer, parse_constant=_constant
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Parsed rows as columns, and how much text they were."""

    columns: dict[str, Sequence[Any]]
    rows: int
    size: int


def read(source: BinaryIO, options: ReadOptions, *, types: object = None, report: Report) -> Records:
    """Open a JSON file; see ``formats.base.Reader``."""
    rows = _rows(source, options, report)
    if isinstance(types, Node):
        return Records(fields_of(types), _convert(types, [], rows))
    node, sample = Node(), list[_Rows]()
    for block in rows:
        sample.append(block)
        node.observe_columns(block.columns, 0)
        if sum(block.size for block in sample) >= SAMPLE_BYTES:
            break
    return Records(fields_of(node), _convert(node, sample, rows))


def observe(source: BinaryIO, options: ReadOptions, node: Node) -> Iterator[tuple[int, int]]:
    """Add a file's values to what is known of their types, a block at a time; give each block's rows and size."""
    for block in _rows(source, options, lambda _bad: None):
        node.observe_columns(block.columns, 0)
        yield block.rows, block.size


def rows(source: BinaryIO, options: ReadOptions) -> Iterator[tuple[Row, int]]:
    """A file's rows one by one, parsed exactly, each with how much text it is; raise DataError behind the good ones."""
    return _parser(source, options, lambda _bad: None).rows()


def _rows(source: BinaryIO, options: ReadOptions, report: Report) -> Iterator[_Rows]:
    return _parser(source, options, report).blocks()


def _parser(source: BinaryIO, options: ReadOptions, report: Report) -> _Parser:
    stream = Utf8Stream(open_plain(source, options.compression), options.encoding)
    return _Parser(stream, report if options.bad_rows is BadRows.QUARANTINE else None)


def _convert(node: Node, sample: list[_Rows], rest: Iterator[_Rows]) -> Iterator[pa.RecordBatch]:
    into = fields_of(node)
    while sample:
        block = sample.pop(0)
        yield as_batch(block.columns, block.rows, into)
    for block in rest:
        node.observe_columns(block.columns, 0)
        if not fields_of(node).equals(into, check_metadata=True):
            _widen(node, rest)
        yield as_batch(block.columns, block.rows, into)


def _widen(node: Node, rest: Iterator[_Rows]) -> NoReturn:
    for block in rest:
        node.observe_columns(block.columns, 0)
    raise schema.Widened(node)


class _Parser:
    """Cuts a stream of JSON text into rows."""

    def __init__(self, stream: Utf8Stream, report: Report | None) -> None:
        self._stream = stream
        self._report = report
        # Where bad rows are put aside, bytes that are no text become lone surrogates first, found row by row.
        self._errors = "strict" if report is None else "surrogateescape"
        self._decode = codecs.getincrementaldecoder("utf-8")(self._errors)
        self._undecodable: UnicodeDecodeError | None = None
        self._text = ""
        self._at = 0
        self._byte = stream.start
        self._line = 1
        self._row = 1
        self._ended = False
        self._odd = False
        self._surrogates = False

    def blocks(self) -> Iterator[_Rows]:
        """The rows in blocks of about a megabyte of text."""
        rows = self.rows()
        while True:
            with _uncollected():
                block, size = _take(rows)
            if not block:
                return
            yield _Rows(columns_of(block), len(block), size)

    def rows(self) -> Iterator[tuple[Row, int]]:
        """The rows one by one, each with how much text it is."""
        if not self._seek():
            return
        if self._text[self._at] == "[":
            self._at += 1
            yield from self._array()
        else:
            yield from self._lines()

    def _lines(self) -> Iterator[tuple[Row, int]]:
        while self._seek():
            try:
                parsed = self._object()
            except DataError as error:
                self._put_aside(error)
            else:
                yield parsed

    def _array(self) -> Iterator[tuple[Row, int]]:
        if self._require("]") != "]":
            while True:
                self._seek()
                yield self._object()
                if self._require(",]") == "]":
                    break
                self._at += 1
                if self._require("a value") == "]":
                    raise self._malformed("a value is missing after the comma", self._at)
        self._at += 1
        if self._seek():
            raise self._malformed("text follows the end of the array", self._at)

    def _require(self, expected: str) -> str:
        if not self._seek():
            raise self._truncated("the array is not closed")
        found = self._text[self._at]
        if expected == ",]" and found not in expected:
            raise self._malformed(f"expected a comma or the array's end, found {found!r}", self._at)
        return found

    def _seek(self) -> bool:
        """Go to the next character that is no white space; False at the end of the text."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def _more(self) -> bool:
        """Read on; what has been parsed is forgotten. False at the end of the text."""
        if self._ended:
            return False
        done = self._text[: self._at]
        self._byte += len(done) if done.isascii() else len(done.encode(errors=self._errors))
        self._line += done.count("\n")
        rest = self._text[self._at :]
        if len(rest) > MAX_RECORD_BYTES:
            raise TooBig(f"row {self._row:,} is longer than {MAX_RECORD_BYTES:,} bytes", row=self._row, byte=self._byte)
        text = self._next_text(max(BLOCK_BYTES, len(rest)), rest)
        self._text, self._at = rest + text, 0
        self._odd = "-0" in self._text and _NEGATIVE_ZERO.search(self._text) is not None
        self._surrogates = "\\u" in self._text and _SURROGATE.search(self._text) is not None
        return bool(text)

    def _next_text(self, size: int, rest: str) -> str:
        """The next text; text before a byte that is none is given first, so that the error can tell its row."""
        while self._undecodable is None:
            data = self._stream.read(size)
            self._ended = not data
            try:
                text = self._decode.decode(data, final=self._ended)
            except UnicodeDecodeError as error:
                self._undecodable = error
                text = error.object[: error.start].decode()
            if text or (self._ended and self._undecodable is None):
                return text
        self._ended = True
        at = self._byte + len(rest.encode(errors=self._errors))
        raise self._wrong_encoding(self._undecodable, at) from self._undecodable

    def _wrong_encoding(self, error: UnicodeError, at: int) -> DataError:
        cut_off = "unexpected end" in str(error)
        kind = TruncatedFile if cut_off else WrongEncoding
        hint = "the file stops within a character" if cut_off else "say which encoding the file has"
        return kind(f"row {self._row:,}: the byte at offset {at:,} is not UTF-8 text; {hint}", row=self._row, byte=at)

    def _object(self) -> tuple[Row, int]:
        """The object that begins here, and how much text it is; steps behind it."""
        while (parsed := self._value()) is None:
            pass
        row, end = parsed
        if not isinstance(row, dict):
            found = self._text[self._at : self._at + 20].splitlines()[0]
            raise self._malformed(f"a row must be an object, found {found!r}", self._at)
        if self._report is not None:
            self._check_text(self._at, end)
        if self._surrogates:
            self._check_surrogates(row)
        length = end - self._at
        self._at = end
        self._row += 1
        return row, length

    def _value(self) -> tuple[Any, int] | None:
        """The value that begins here, and its end; None where more text was needed for it and has been read."""
        begin = self._at
        scan: Scan = (_odd_decoder if self._odd else _decoder).scan_once  # type: ignore[attr-defined] # not in typeshed
        try:
            return scan(self._text, begin)
        except StopIteration as stop:
            self._read_on_or_refuse("no JSON value stands here", int(stop.value))
        except json.JSONDecodeError as error:
            self._read_on_or_refuse(error.msg, error.pos)
        except _Repeated as error:
            raise self._malformed(f"the name {str(error)[:100]!r} stands twice in one object", begin) from None
        except _NotANumber as error:
            raise self._malformed(f"{error} is not JSON; write it as a string or as null", begin) from None
        except ValueError:  # an integer of more digits than Python converts without being asked
            self._odd = True
        except RecursionError:
            raise self._malformed("values are nested deeper than any that can be read", begin) from None
        return None

    def _read_on_or_refuse(self, reason: str, at: int) -> None:
        cut_off = reason.startswith("Unterminated") or at >= len(self._text) - _NEAR_THE_END
        behind = at - self._at
        if not (cut_off and self._more()):
            raise self._not_json(reason, self._at + behind)

    def _check_text(self, begin: int, end: int) -> None:
        try:
            self._text[begin:end].encode()
        except UnicodeEncodeError as error:
            raise self._wrong_encoding(error, self._place(begin + error.start)[1]) from error

    def _check_surrogates(self, row: Row) -> None:
        try:
            text_of(row).encode()
        except UnicodeEncodeError as error:
            lone = error.object[error.start]
            raise self._malformed(
                f"the escape \\u{ord(lone):04x} is half of a character (a lone surrogate)", self._at
            ) from None

    def _place(self, at: int) -> tuple[str, int]:
        byte = self._byte + len(self._text[:at].encode(errors=self._errors))
        return f"row {self._row:,} at byte {byte:,}: ", byte

    def _malformed(self, reason: str, at: int) -> MalformedFile:
        place, byte = self._place(at)
        return MalformedFile(place + reason, row=self._row, byte=byte)

    def _not_json(self, reason: str, at: int) -> DataError:
        rest = self._text[at:].strip()
        unfinished = any(literal.startswith(rest) for literal in _LITERALS) or (
            reason.startswith("Invalid \\u") and '"' not in rest
        )
        if self._ended and (unfinished or reason.startswith("Unterminated")):
            return self._truncated(reason)
        return self._malformed(reason, at)

    def _truncated(self, reason: str) -> TruncatedFile:
        place, byte = self._place(len(self._text))
        return TruncatedFile(f"{place}the file stops before its end: {reason}", row=self._row, byte=byte)

    def _put_aside(self, error: DataError) -> None:
        """Report the line in which a bad row begins, and go on behind it; or raise."""
        if self._report is None or isinstance(error, TooBig):
            raise error
        while (end := self._text.find("\n", self._at)) < 0 and self._more():
            pass
        end = len(self._text) if end < 0 else end
        _, byte = self._place(self._at)
        line = self._line + self._text.count("\n", 0, self._at)
        raw = self._text[self._at : end].rstrip("\r").encode(errors=self._errors).decode(errors="backslashreplace")
        self._report(BadRow(line=line, row=self._row, byte=byte, reason=str(error), raw=raw))
        self._at = end
        self._row += 1


def _take(rows: Iterator[tuple[Row, int]]) -> tuple[list[Row], int]:
    block, size = list[Row](), 0
    for row, length in rows:
        block.append(row)
        size += length
        if size >= BLOCK_BYTES:
            break
    return block, size


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without searches for cycles: parsed JSON has none, and its many objects set off one search after the other."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
