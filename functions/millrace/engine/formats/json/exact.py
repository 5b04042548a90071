"""JSON text as rows, exactly: numbers keep their digits, names may not repeat, nothing is guessed; slow.

It also knows what Arrow's parser does not: where in the file the trouble is, and what can be put aside.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import pyarrow as pa

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.json import values as json_values
from millrace.engine.formats.json.cells import SHORTEST_REFUSED, Places
from millrace.engine.formats.json.feed import JsonPiece, RowOrigins
from millrace.engine.formats.json.types import Node, as_batches, columns_of
from millrace.engine.formats.json.values import NotJson, Refused, Row
from millrace.engine.formats.limits import MAX_CELLS, MAX_RECORD_BYTES, MAX_VALUES
from millrace.engine.formats.memory import without_collection
from millrace.engine.options import WorkSizes
from millrace.errors import DataError, MalformedFile, TooBig, TruncatedFile, WrongEncoding

_SHOWN = 20
_MOST_ROWS = 8192
"""Of a block: each may have values where no other has."""
_LONG_ROW = 2**22
"""Characters from which it pays to count a row's commas before more is read, and to forget it once it is columns."""
_NO_END = (
    "; where the row ends cannot be told, so the array is refused: "
    "rows that are no JSON can be put aside only where each has its line"
)
_SPACE = re.compile(r"[ \t\n\r]*")
Report = Callable[[BadRow], None]


@dataclass(frozen=True, slots=True)
class ExactRows:
    """Parsed rows as columns, how much text they were, and where long ones are."""

    columns: dict[str, Sequence[Any]]
    count: int
    size: int
    places: Places = field(default_factory=dict)

    def observe(self, node: Node) -> bool:
        """Add the rows' values to what is known of their types; False where that is as before."""
        node.observe_columns(self.columns, 0)
        return True

    @property
    def cells(self) -> int:
        """How many values there are, missing ones included."""
        return self.count * len(self.columns)

    def as_batches(self, into: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows as batches of a schema that holds what is known."""
        return as_batches(self.columns, self.count, into, self.places)


class ExactParser:
    """Parses pieces of JSON text. ``more`` gives the next piece, for rows that go beyond theirs; None at the end.

    ``row`` is the number of the next row. ``continues``: the file goes on behind the last piece, with another row.
    """

    def __init__(
        self,
        more: Callable[[], JsonPiece | None],
        report: Report | None,
        *,
        block_bytes: int = WorkSizes().block,
        continues: bool = False,
    ) -> None:
        self._continues = continues
        self._pull = more
        self._block_bytes = block_bytes
        self._report = report
        # Where bad rows are put aside, bytes that are no text become lone surrogates first, found row by row.
        self._errors = "strict" if report is None else "surrogateescape"
        self._decode = codecs.getincrementaldecoder("utf-8")(self._errors)
        self._undecodable: UnicodeDecodeError | None = None
        self._text = ""
        self._at = 0
        self._byte = 0
        self._counted = self._counted_bytes = 0
        self._line = 1
        self._origins: RowOrigins | None = None
        self.row = 1
        self._begun = False
        self._in_array = self._has_arrays = False
        self._open_array = False
        self._ended = False
        self._odd = False
        self._surrogates = False

    def rows(self, piece: JsonPiece) -> Iterator[tuple[Row, int]]:
        """The rows from the beginning of a piece until a row ends where a piece does, each with its size."""
        self._text, self._at, self._byte, self._line = "", 0, piece.byte, piece.line
        self._counted = self._counted_bytes = 0
        self._origins = piece.origins
        self._in_array = piece.in_array
        self._append(piece.data, last=False)
        yield from self._next_rows()

    def blocks(self, piece: JsonPiece) -> Iterator[ExactRows]:
        """The rows of ``rows`` in blocks."""
        rows = self.rows(piece)
        while True:
            with without_collection():
                places = dict[int, tuple[int, int]]()
                block, size = _take(self._note_places(rows, places), self._block_bytes)
            if not block:
                return
            yield self._as_columns(block, size, places)

    def _as_columns(self, block: list[Row], size: int, places: Places) -> ExactRows:
        columns = columns_of(block)
        if size >= _LONG_ROW:
            # A number of 30 MB is in the text as well, and this generator's frames hold its row until they go on.
            for row in block:
                row.clear()
            self._forget_parsed()
        return ExactRows(columns, len(block), size, places)

    def _note_places(
        self, rows: Iterator[tuple[Row, int]], places: dict[int, tuple[int, int]]
    ) -> Iterator[tuple[Row, int]]:
        """The rows; notes the numbers and bytes of long ones by their position among these."""
        for position, (row, length) in enumerate(rows):
            if length >= SHORTEST_REFUSED:
                places[position] = self.row - 1, self._byte_of_row(self._at - length)
            yield row, length

    @property
    def byte(self) -> int:
        """The byte of what is parsed next, counted in the pieces."""
        return self._byte_of(self._at)

    def _byte_of_row(self, at: int) -> int:
        """The byte in the file of a row's beginning; each is asked for behind the last."""
        # Text is counted once: from its beginning for each row would be quadratic.
        between = self._text[self._counted : at]
        self._counted = at
        self._counted_bytes += len(between.encode(errors=self._errors))
        byte = self._byte + self._counted_bytes
        if self._origins is None:
            return byte
        return self._origins.locate(byte)[0]

    def pass_over(self, piece: JsonPiece, rows: int) -> None:
        """Hear that somebody else has parsed a piece."""
        self._begun = True
        self._has_arrays = piece.in_array
        self._open_array = piece.in_array and not piece.last
        self.row += rows

    def finish(self) -> None:
        """Refuse an array that was not closed."""
        if self._open_array:
            raise self._truncated_error("the array is not closed")

    def _next_rows(self) -> Iterator[tuple[Row, int]]:
        if not self._begun:
            if not self._seek():
                return iter(())
            self._begun = True
            self._has_arrays = self._in_array
        if self._has_arrays:
            return self._arrays()
        return self._lines()

    def _arrays(self) -> Iterator[tuple[Row, int]]:
        """The elements of one array after the other."""
        while self._open_array or self._begin_array():
            yield from self._elements()
            if self._open_array:
                return

    def _begin_array(self) -> bool:
        """Step into the next array; False where there is none."""
        if self._is_done():
            return False
        self._open_array = True
        self._at += 1
        if self._require("]") == "]":
            self._close()
        return True

    def _lines(self) -> Iterator[tuple[Row, int]]:
        while not self._is_done():
            if (parsed := self._row_or_none()) is not None:
                yield parsed

    def _elements(self) -> Iterator[tuple[Row, int]]:
        """The elements of the open array, to its end or to the end of the piece."""
        while self._open_array and not self._is_done():
            # An empty array ended where it began, so a comma was before: [{"a": 1}, ] is no JSON.
            if self._require("a value") == "]":
                raise self._malformed_error("a value is missing after the comma", self._at)
            if (parsed := self._row_or_none()) is not None:
                yield parsed
            if self._require(",]") == "]":
                self._close()
                return
            self._at += 1

    def _close(self) -> None:
        """Step out of the array; what follows is looked at now, while nobody else has parsed the next piece."""
        self._at += 1
        if self._seek() and self._text[self._at] != "[":
            raise self._malformed_error("text follows the end of the array, which is no other array", self._at)
        self._open_array = False

    def _row_or_none(self) -> tuple[Row, int] | None:
        try:
            return self._object()
        except DataError as error:
            self._put_aside(error)
        return None

    def _is_done(self) -> bool:
        """Whether nothing is left of the text, after going to the next character that is no white space."""
        while True:
            self._skip_space()
            if self._at < len(self._text):
                return False
            if self._undecodable is None and not self._decode.getstate()[0]:
                return True
            self._more()

    def _require(self, expected: str) -> str:
        if not self._seek():
            raise self._truncated_error("the array is not closed")
        character = self._text[self._at]
        if expected == ",]" and character not in expected:
            raise self._malformed_error(f"expected a comma or the array's end, found {character!r}", self._at)
        return character

    def _seek(self) -> bool:
        """Go to the next character that is no white space; False at the end of all text."""
        while True:
            self._skip_space()
            if self._at < len(self._text):
                return True
            if not self._more():
                return False

    def _skip_space(self) -> None:
        if match := _SPACE.match(self._text, self._at):
            self._at = match.end()

    def _more(self) -> bool:
        """Read on; what has been parsed is forgotten. False at the end of the text."""
        if self._ended and self._undecodable is None:
            return False
        self._forget_parsed()
        self._check_size()
        held = len(self._text)
        if self._undecodable is not None:
            self._refuse_undecodable()
        # As much again as is held: a row is parsed from its beginning each time, and a row of 30 MB that is read by
        # megabytes would be parsed thirty times. The next bytes may be part of one character, and so no text yet.
        while len(self._text) == held and not self._ended:
            wanted = max(self._block_bytes, min(held, MAX_RECORD_BYTES - held))
            self._append(self._next_bytes(wanted), last=self._ended)
        return len(self._text) > held

    def _forget_parsed(self) -> None:
        parsed = self._text[: self._at]
        # Text of ASCII alone, which most is, has as many bytes as characters: it need not be encoded to be counted.
        if parsed.isascii():
            self._byte += len(parsed)
        else:
            self._byte += len(parsed.encode(errors=self._errors))
        self._line += parsed.count("\n")
        self._text, self._at = self._text[self._at :], 0
        self._counted = self._counted_bytes = 0

    def _check_size(self) -> None:
        """Refuse a row that is too long to be one."""
        held = len(self._text)
        if held > MAX_RECORD_BYTES:
            raise self._too_big(f"is longer than {MAX_RECORD_BYTES:,} bytes")
        if held > _LONG_ROW and self._text.count(",") > MAX_VALUES:
            raise self._too_big(f"is {held:,} bytes long already and has more than {MAX_VALUES:,} commas")

    def _too_big(self, reason: str) -> TooBig:
        byte = self._byte_in_file(0)
        return TooBig(
            f"row {self.row:,} at byte {byte:,} {reason}, more than can be one row; divide it",
            row=self.row,
            byte=byte,
        )

    def _next_bytes(self, size: int) -> bytes:
        parts, length = list[bytes](), 0
        while length < size and not self._ended:
            piece = self._pull()
            self._ended = piece is None
            if piece is not None:
                if self._origins is not None and piece.origins is not None:
                    self._origins += piece.origins
                parts.append(piece.data)
                length += len(piece.data)
        return b"".join(parts)

    def _append(self, data: bytes, *, last: bool) -> None:
        """Add text; that before a byte that is none is given first, so that the error can tell its row."""
        try:
            text = self._decode.decode(data, final=last)
        except UnicodeDecodeError as error:
            self._undecodable = error
            text = error.object[: error.start].decode()
        self._text += text
        self._odd = json_values.has_odd_integers(self._text)
        self._surrogates = json_values.has_surrogates(self._text)
        if not text and self._undecodable is not None:
            self._refuse_undecodable()

    def _refuse_undecodable(self) -> NoReturn:
        assert self._undecodable is not None  # noqa: S101 # only called where there is one
        at = self._byte_in_file(len(self._text))
        raise self._wrong_encoding(self._undecodable, at) from self._undecodable

    def _wrong_encoding(self, error: UnicodeError, at: int) -> DataError:
        cut_off = "unexpected end" in str(error)
        problem = f"row {self.row:,}: the byte at offset {at:,} is not UTF-8 text"
        if cut_off:
            return TruncatedFile(f"{problem}; the file stops within a character", row=self.row, byte=at)
        return WrongEncoding(
            f"{problem}; JSON is UTF-8, or UTF-16 or UTF-32 with a byte order mark: write the file so",
            row=self.row,
            byte=at,
        )

    def _object(self) -> tuple[Row, int]:
        """The object that begins here, and how much text it is; steps behind it."""
        while (parsed := self._value()) is None:
            pass
        row, end = parsed
        if not isinstance(row, dict):
            # Only for the message, which shows the same of the value wherever a piece ends.
            while len(self._text) < self._at + _SHOWN and self._more():
                pass
            beginning = self._text[self._at : self._at + _SHOWN].splitlines()[0]
            raise self._malformed_error(f"a row must be an object, found {beginning!r}", self._at)
        if self._report is not None:
            self._check_text(self._at, end)
        if self._surrogates:
            self._check_surrogates(row)
        length = end - self._at
        self._at = end
        self.row += 1
        return row, length

    def _value(self) -> tuple[Any, int] | None:
        """The value that begins here, and its end; None where more text was needed for it and has been read."""
        try:
            return json_values.value(self._text, self._at, odd=self._odd)
        except NotJson as error:
            self._read_on_or_refuse(error)
        except Refused as error:
            raise self._malformed_error(str(error), self._at) from None
        return None

    def _read_on_or_refuse(self, error: NotJson) -> None:
        behind = error.at - self._at
        if not (self._is_cut_off(error) and self._more()):
            raise self._not_json(error.reason, self._at + behind)

    def _is_cut_off(self, error: NotJson) -> bool:
        return json_values.may_be_cut_off(error, self._text)

    def _check_text(self, begin: int, end: int) -> None:
        try:
            self._text[begin:end].encode()
        except UnicodeEncodeError as error:
            raise self._wrong_encoding(error, self._place(begin + error.start)[1]) from error

    def _check_surrogates(self, row: Row) -> None:
        if lone := json_values.lone_surrogate(row):
            raise self._malformed_error(f"the escape {lone} is half of a character (a lone surrogate)", self._at)

    def _byte_of(self, at: int) -> int:
        """The byte of a place in the text, counted in the pieces."""
        return self._byte + len(self._text[:at].encode(errors=self._errors))

    def _byte_in_file(self, at: int) -> int:
        byte = self._byte_of(at)
        if self._origins is None:
            return byte
        return self._origins.locate(byte)[0]

    def _line_in_file(self, at: int) -> int:
        if self._origins is None:
            return self._line + self._text.count("\n", 0, at)
        return self._origins.locate(self._byte_of(at))[1]

    def _place(self, at: int) -> tuple[str, int]:
        byte = self._byte_in_file(at)
        return f"row {self.row:,} at byte {byte:,}: ", byte

    def _malformed_error(self, reason: str, at: int) -> MalformedFile:
        prefix, byte = self._place(at)
        return MalformedFile(prefix + reason, row=self.row, byte=byte)

    def _not_json(self, reason: str, at: int) -> DataError:
        if self._ended and not self._continues and json_values.is_unfinished(reason, self._text[at:]):
            return self._truncated_error(reason)
        return self._malformed_error(reason, at)

    def _truncated_error(self, reason: str) -> TruncatedFile:
        prefix, byte = self._place(len(self._text))
        return TruncatedFile(f"{prefix}the file stops before its end: {reason}", row=self.row, byte=byte)

    def _put_aside(self, error: DataError) -> None:
        """Report a bad row and go on behind it; or raise."""
        if self._report is None or isinstance(error, TooBig):
            raise error
        end = self._end_of_row(error)
        _, byte = self._place(self._at)
        line = self._line_in_file(self._at)
        raw = self._text[self._at : end].rstrip("\r").encode(errors=self._errors)
        self._report(BadRow.of(raw, line=line, row=self.row, byte=byte, reason=str(error)))
        self._at = end
        self.row += 1

    def _end_of_row(self, error: DataError) -> int:
        if self._open_array:
            return self._end_of_element(error)
        return self._end_of_line()

    def _end_of_line(self) -> int:
        while (end := self._text.find("\n", self._at)) < 0 and self._more():
            pass
        if end < 0:
            return len(self._text)
        return end

    def _end_of_element(self, error: DataError) -> int:
        """Where the array's element ends that begins here, if it is text that has an end."""
        while True:
            try:
                end = json_values.end_of_value(self._text, self._at)
                # A value that ends where the text does may go on in the next piece: 12 is all of it, or the beginning
                # of 123.
                if end < len(self._text) or not self._more():
                    return end
            except (NotJson, Refused) as unreadable:
                if isinstance(unreadable, Refused) or not (self._is_cut_off(unreadable) and self._more()):
                    raise type(error)(f"{error}{_NO_END}", row=error.row, byte=error.byte) from error


def _no_piece() -> None:
    """There is no further piece."""


def blocks_of(piece: JsonPiece, first_row: int = 1) -> Iterator[ExactRows]:
    """The rows of a piece that is known to hold nothing else; the first has this number."""
    parser = ExactParser(_no_piece, None)
    parser.row = first_row
    if not piece.first:
        parser.pass_over(replace(piece, last=False), 0)
    return parser.blocks(piece)


def _take(rows: Iterator[tuple[Row, int]], most_bytes: int) -> tuple[list[Row], int]:
    block, size, names = list[Row](), 0, set[str]()
    for row, length in rows:
        block.append(row)
        size += length
        names.update(row)
        if size >= most_bytes or len(block) >= _MOST_ROWS or len(block) * len(names) >= MAX_CELLS:
            break
    return block, size
