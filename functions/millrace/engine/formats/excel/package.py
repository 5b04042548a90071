"""A workbook as a zip: its parts, bounded and checked, and what stands in the cells of a sheet.

calamine gives an error's cell, and a formula that was never calculated, as an empty one, and holds a sheet as one
rectangle of cells: two cells far apart would be 17 billion. So the sheet is looked through before calamine reads it.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from millrace.engine.formats.excel.numbers import CellStyles, DateFormat, Kept, find_kept_number, is_no_moment
from millrace.errors import MalformedFile, TooBig, TruncatedFile

MAX_SHEET_CELLS = 12_000_000
"""Cells of a sheet's rectangle: each takes 32 bytes, whatever is in it."""
_MOST_UNPACKED = 768 * 2**20
_MOST_PARTS = 10_000
_READ_BYTES = 2**20
_MOST_BAD_CELLS = 1_000_000
_MOST_KEPT_NUMBERS = 2**21
_MOST_COLUMNS = 2**14
_STYLES = "xl/styles.xml"
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)
# XFD1048576 is the last cell of a sheet (Excel specifications and limits): three letters and seven digits.
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_LETTERS = 26


@dataclass(slots=True)
class SheetCells:
    """What is known of a sheet: the corners of its rectangle, rows and columns from 0, and which cells are wrong.

    ``bad`` maps (row, column) to a reason, and ``errors`` to the error's text where there is one. ``kept`` has the
    numbers that calamine changes, by one number for row and column, which takes less memory. ``days`` has, in
    ascending order, twice that number of each cell whose whole number is days in a date's format, and 1 more if it is a
    length of time; ``from_1904`` says what they are counted from.
    """

    first: tuple[int, int] | None = None
    last: tuple[int, int] = (0, 0)
    bad: dict[tuple[int, int], str] = field(default_factory=dict)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    kept: dict[int, Kept] = field(default_factory=dict)
    kept_columns: set[int] = field(default_factory=set)
    days: array[int] = field(default_factory=lambda: array("q"))
    from_1904: bool = False

    def see(self, row: int, column: int) -> None:
        """Add a cell that has a value."""
        if self.first is None:
            self.first = self.last = (row, column)
            return
        self.first = (min(self.first[0], row), min(self.first[1], column))
        self.last = (max(self.last[0], row), max(self.last[1], column))

    def refuse(self, row: int, column: int, reason: str, error: str = "") -> None:
        """Add a cell whose value is not known."""
        self.see(row, column)
        self.bad[row, column] = reason
        if error:
            self.errors[row, column] = error
        if len(self.bad) > _MOST_BAD_CELLS:
            raise TooBig(f"more than {_MOST_BAD_CELLS:,} cells of the sheet hold errors")

    def keep(self, row: int, column: int, number: Kept) -> None:
        """Add a cell whose number calamine changes."""
        if len(self.kept) >= _MOST_KEPT_NUMBERS:
            raise TooBig(
                f"more than {_MOST_KEPT_NUMBERS:,} cells of the sheet hold numbers of more digits than Excel keeps:"
                " write them as text"
            )
        self.kept[row * _MOST_COLUMNS + column] = number
        self.kept_columns.add(column)

    def find_kept(self, row: int) -> Iterator[tuple[int, Kept]]:
        """The numbers of a row that calamine changes, with their columns."""
        for column in self.kept_columns:
            number = self.kept.get(row * _MOST_COLUMNS + column)
            if number is not None:
                yield column, number

    def add_days(self, row: int, column: int, form: DateFormat) -> None:
        """Add a cell whose whole number is days; raise MalformedFile if it is not behind all others."""
        place = 2 * (row * _MOST_COLUMNS + column) + (form is DateFormat.LENGTH)
        if self.days and place < self.days[-1]:
            raise MalformedFile(f"the cell {name_of_cell(row, column)} of the workbook is behind a later one")
        self.days.append(place)

    def find_days(self, row: int) -> Iterator[tuple[int, DateFormat]]:
        """The columns of a row whose whole numbers are days, and what they are in their format."""
        first = bisect_left(self.days, 2 * _MOST_COLUMNS * row)
        for place in self.days[first : bisect_left(self.days, 2 * _MOST_COLUMNS * (row + 1))]:
            column, is_length = divmod(place - 2 * _MOST_COLUMNS * row, 2)
            yield column, DateFormat.LENGTH if is_length else DateFormat.MOMENT

    def check(self) -> None:
        """Raise TooBig where the rectangle has too many cells."""
        if self.first is None:
            return
        rows, columns = (last - first + 1 for first, last in zip(self.first, self.last, strict=True))
        if rows * columns > MAX_SHEET_CELLS:
            raise TooBig(
                f"the sheet's cells are in {rows:,} rows and {columns:,} columns; {MAX_SHEET_CELLS:,} cells are the"
                " most of one sheet, empty ones in between with them"
            )


def name_of_cell(row: int, column: int) -> str:
    """A cell's name: row 0 and column 27 are ``AB1``."""
    letters = ""
    column += 1
    while column:
        # Letters count from 1, without a zero: Z is 26, and AA is 27, as 1 * 26 + 1.
        column, letter = divmod(column - 1, _LETTERS)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"


def _place_of_cell(name: str) -> tuple[int, int] | None:
    match = _CELL.fullmatch(name)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * _LETTERS + ord(letter) - 64
    return int(match[2]) - 1, column - 1


class Package:
    """A workbook's zip, whose parts have been unpacked once: sizes and checksums are as it says."""

    def __init__(self, source: BinaryIO) -> None:
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        try:
            self._zip = zipfile.ZipFile(source)
        except zipfile.BadZipFile as error:
            raise TruncatedFile(
                f"the workbook's zip has no list of its parts at its end ({size:,} bytes): {error}", byte=size
            ) from error
        except (ValueError, NotImplementedError, struct.error) as error:
            raise MalformedFile(f"the workbook's zip is damaged: {error}") from error
        self.names = frozenset(self._zip.namelist())
        self._check()

    def _check(self) -> None:
        parts = self._zip.infolist()
        total = sum(part.file_size for part in parts)
        if len(parts) > _MOST_PARTS or total > _MOST_UNPACKED:
            raise TooBig(
                f"the workbook has {len(parts):,} parts of {total:,} bytes unpacked; {_MOST_PARTS:,} and"
                f" {_MOST_UNPACKED:,} are the most"
            )
        for part in parts:
            # zipfile compares the CRC-32 at a part's end, and gives no more bytes than the list of parts says: what the
            # library that reads the cells believes has been proven then.
            for _ in self.read(part.filename):
                pass

    def read(self, name: str) -> Iterator[bytes]:
        """A part's content, piece by piece; raise MalformedFile where it is damaged, or larger than it says."""
        try:
            with self._zip.open(name) as part:
                while data := part.read(_READ_BYTES):
                    yield data
        except _BROKEN as error:
            raise MalformedFile(f"the workbook's part {name!r} cannot be unpacked: {error}") from error

    def sheet_parts(self, workbook: str) -> Mapping[str, str]:
        """The relations of a workbook's part: the path of each by its id."""
        folder, name = posixpath.split(workbook)
        relations = f"{folder}/_rels/{name}.rels"
        targets: dict[str, str] = {}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag.endswith("Relationship"):
                target = attributes.get("Target", "")
                targets[attributes.get("Id", "")] = posixpath.normpath(posixpath.join(f"/{folder}", target))[1:]

        if relations in self.names:
            _parse(self.read(relations), relations, start)
        return targets


def _parse(
    pieces: Iterator[bytes],
    name: str,
    start: Callable[[str, dict[str, str]], None],
    *,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
    mark: Callable[[str], None] | None = None,
) -> None:
    """Let handlers see a part of XML; ``mark`` sees a comment, or text in CDATA, by that name."""
    parser = expat.ParserCreate()

    def refuse_doctype(*_rest: object) -> None:
        raise MalformedFile(f"the workbook's part {name!r} has a document type, by which entities can be defined")

    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    if mark is not None:
        parser.CommentHandler = lambda _text: mark("a comment")
        parser.StartCdataSectionHandler = lambda: mark("CDATA")
    try:
        for piece in pieces:
            parser.Parse(piece, False)  # noqa: FBT003 - expat's own signature
        parser.Parse(b"", True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise MalformedFile(f"the workbook's part {name!r} is no XML: {error}") from error


def cells_of_xlsx(package: Package, sheet: str) -> SheetCells:
    """What stands in the cells of an .xlsx sheet of that name."""
    relations = package.sheet_parts("xl/workbook.xml")
    parts: dict[str, str] = {}
    from_1904 = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal from_1904
        if _local(tag) == "workbookPr":
            from_1904 = attributes.get("date1904", "0") not in {"0", "false"}
        elif _local(tag) == "sheet":
            # The prefix of `r:id` is the writer's to choose.
            relation = next((value for name, value in attributes.items() if name.endswith(":id")), "")
            parts[attributes.get("name", "")] = relations.get(relation, "")

    _parse(package.read("xl/workbook.xml"), "xl/workbook.xml", start)
    part = _known_part(package, parts, sheet)
    scan = _XlsxScan(_find_date_styles(package), from_1904=from_1904)
    _parse(package.read(part), part, scan.start, end=scan.end, text=scan.text, mark=scan.mark)
    return scan.cells


def _find_date_styles(package: Package) -> frozenset[str]:
    """The numbers of the cells' styles whose format is a date's or a time's."""
    styles = CellStyles()
    is_of_cells = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal is_of_cells
        name = _local(tag)
        if name == "numFmt":
            styles.codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "xf" and is_of_cells:
            styles.formats.append(attributes.get("numFmtId", "0"))
        elif name in {"cellXfs", "cellStyleXfs"}:
            is_of_cells = name == "cellXfs"

    if _STYLES in package.names:
        _parse(package.read(_STYLES), _STYLES, start)
    forms = styles.find_date_formats()
    return frozenset(str(style) for style, form in forms.items() if form is DateFormat.MOMENT)


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


class _XlsxScan:
    """Sees ``<row r="2"><c r="B2" t="e"><f>A1/0</f><v>#DIV/0!</v></c></row>`` and the like."""

    def __init__(self, date_styles: frozenset[str], *, from_1904: bool) -> None:
        self.cells = SheetCells()
        self._date_styles = date_styles
        self._from_1904 = from_1904
        self._row = self._column = -1
        self._kind = self._style = ""
        self._parts = set[str]()
        self._texts: list[str] = []
        self._formula: list[str] = []
        self._inside = self._mark = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A row, a cell, or a part of a cell begins."""
        name = _local(tag)
        if name == "row":
            number = attributes.get("r", "")
            # `r` is optional (ECMA-376 Part 1, 18.3.1.73): a row or cell without it follows the last one.
            self._row = int(number) - 1 if number.isdigit() else self._row + 1
            self._column = -1
        elif name == "c":
            place = _place_of_cell(attributes.get("r", ""))
            self._row, self._column = place or (self._row, self._column + 1)
            self._kind = attributes.get("t", "n")
            self._style = attributes.get("s", "0")
            self._parts.clear()
            self._texts, self._formula, self._mark = [], [], ""
        self._parts.add(name)
        self._inside = name

    def text(self, text: str) -> None:
        """The text of a value or of a formula."""
        if self._inside == "v":
            self._texts.append(text)
        elif self._inside == "f":
            self._formula.append(text)

    def mark(self, name: str) -> None:
        """A comment or CDATA: calamine takes a value for ended there."""
        if self._inside == "v":
            self._mark = name

    def end(self, tag: str) -> None:
        """A cell ends, and all of it is known."""
        self._inside = ""
        if _local(tag) != "c":
            return
        value, place = "".join(self._texts), (self._row, self._column)
        # The type e is an error value, str a formula's text, inlineStr one in `is` (ECMA-376 Part 1, 18.18.11).
        if self._kind == "e":
            self.cells.refuse(*place, f"holds the error {value}", value)
        elif self._mark:
            self.cells.refuse(*place, f"has {self._mark} within its value, which is not read")
        elif value or "is" in self._parts:
            self.cells.see(*place)
            self._keep_number(value)
        else:
            self._check_formula()

    def _check_formula(self) -> None:
        if "f" in self._parts and self._kind != "str":  # a formula may give an empty text
            formula = "".join(self._formula)[:60]
            reason = f"has the formula ={formula} and no value of it: let Excel calculate and save the file"
            self.cells.refuse(self._row, self._column, reason)

    def _keep_number(self, value: str) -> None:
        if self._kind != "n":
            return
        number: Kept | None = None
        if self._style not in self._date_styles:
            number = find_kept_number(value)
        elif (serial := _to_float(value)) is not None and is_no_moment(serial, from_1904=self._from_1904):
            number = serial
        if number is not None:
            self.cells.keep(self._row, self._column, number)


def _to_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def cells_of_ods(package: Package, sheet: str) -> SheetCells:
    """What stands in the cells of an .ods sheet of that name."""
    scan = _OdsScan(sheet)
    _parse(package.read("content.xml"), "content.xml", scan.start, end=scan.end, mark=scan.mark)
    return scan.cells


def check_all_of_ods(package: Package) -> None:
    """Raise TooBig where a sheet of an .ods file has too many cells."""
    scan = _OdsScan(None)
    _parse(package.read("content.xml"), "content.xml", scan.start, end=scan.end)
    scan.cells.check()


class _OdsScan:
    """Sees ``<table:table-row table:number-rows-repeated="3"><table:table-cell office:value-type="float" .../>``."""

    def __init__(self, sheet: str | None) -> None:
        self.cells = SheetCells()
        self._sheet = sheet
        self._is_wanted = False
        self._row = self._column = 0
        self._repeated = 1
        self._last = range(0)
        self._is_in_note = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """A table, a row or a cell begins."""
        name = _local(tag)
        if name == "table":
            self._start_table(attributes)
        elif name == "table-row":
            self._column = 0
            self._repeated = _count(attributes, "table:number-rows-repeated")
        elif name in {"table-cell", "covered-table-cell"} and self._is_wanted:
            self._see(attributes)
        elif name == "annotation":
            self._is_in_note = True
        elif name in {"tab", "line-break"}:
            self.mark(f"a {name.replace('-', ' ')}")

    def _start_table(self, attributes: dict[str, str]) -> None:
        self.cells.check()
        # Without a name each sheet is looked at, and each has a rectangle of its own.
        self._is_wanted = self._sheet is None or attributes.get("table:name") == self._sheet
        if self._sheet is None:
            self.cells = SheetCells()
        self._row = 0

    def _see(self, attributes: dict[str, str]) -> None:
        count = _count(attributes, "table:number-columns-repeated")
        self._last = range(self._column, self._column + count)
        if attributes.get("calcext:value-type") == "error":
            self._refuse("holds an error")
        elif "table:formula" in attributes and "office:value-type" not in attributes:
            self._refuse("has a formula and no value of it: let the office calculate and save the file")
        elif "office:value-type" in attributes:
            self.cells.see(self._row, self._column)
            # Both corners are enough for a rectangle: a cell may be repeated a million times in one tag.
            self.cells.see(self._row + self._repeated - 1, self._column + count - 1)
            self._keep_number(attributes.get("office:value", ""))
        self._column += count

    def _places(self) -> Iterator[tuple[int, int]]:
        """Where the last cell is: it may be repeated to the right, and its row below."""
        for row in range(self._row, self._row + self._repeated):
            for column in self._last:
                yield row, column

    def _refuse(self, reason: str) -> None:
        for place in self._places():
            self.cells.refuse(*place, reason)

    def _keep_number(self, value: str) -> None:
        number = find_kept_number(value)
        if number is not None:
            for place in self._places():
                self.cells.keep(*place, number)

    def mark(self, name: str) -> None:
        """A tab, a line break or CDATA in a text, which calamine leaves out; it does read what is behind a comment."""
        if self._is_wanted and not self._is_in_note and name != "a comment":
            self._refuse(f"has {name} within its text, which is not read")

    def end(self, tag: str) -> None:
        """A row, a cell or a note at a cell ends."""
        name = _local(tag)
        if name == "table-row":
            self._row += self._repeated
        elif name == "annotation":
            self._is_in_note = False
        elif name in {"table-cell", "covered-table-cell"}:
            self._last = range(0)


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    # Nine digits are more than any sheet has, and int() of a text of megabytes would take long.
    if not text.isdigit() or len(text) > 9:
        raise MalformedFile(f"the workbook repeats a row or cell {text[:20]!r} times")
    return max(1, int(text))


_ROW_HEADER, _FIRST_CELL, _LAST_CELL = 0, 1, 11
_BLANK, _ERRORS = 1, (3, 11)
_SHORT_NUMBER, _NUMBERS = 2, (5, 9)
_FORMAT, _STYLE, _WORKBOOK_PROPERTIES, _SHEET = 44, 47, 153, 156
_STYLES_OF_CELLS, _END_OF_STYLES = 617, 618
_BINARY_STYLES = "xl/styles.bin"


def cells_of_xlsb(package: Package, sheet: str) -> SheetCells:
    """What stands in the cells of an .xlsb sheet of that name; its records are those of [MS-XLSB]."""
    cells, row = SheetCells(), 0
    part, cells.from_1904 = _part_of_xlsb(package, sheet)
    styles = _find_binary_styles(package)
    for kind, data in _records(package, part):
        # A cell's record begins with its column. Its row is that of the last row header before it.
        if kind == _ROW_HEADER:
            row = int.from_bytes(data[:4], "little")
        elif kind in _ERRORS:
            cells.refuse(row, int.from_bytes(data[:4], "little"), "holds an error")
        elif _FIRST_CELL <= kind <= _LAST_CELL and kind != _BLANK:
            column = int.from_bytes(data[:4], "little")
            cells.see(row, column)
            form = styles.get(int.from_bytes(data[4:7], "little"))
            if form is not None:
                _see_binary_moment(cells, (row, column), form, _read_number(kind, data))
    return cells


def _see_binary_moment(cells: SheetCells, place: tuple[int, int], form: DateFormat, number: float | int | None) -> None:
    row, column = place
    if isinstance(number, int):
        cells.add_days(row, column, form)
    elif number is not None and form is DateFormat.MOMENT and is_no_moment(number, from_1904=cells.from_1904):
        cells.keep(row, column, number)


def _find_binary_styles(package: Package) -> dict[int, DateFormat]:
    """The formats of the cells' styles, by their numbers, that are those of dates, times and lengths."""
    styles = CellStyles()
    is_of_cells = False
    if _BINARY_STYLES not in package.names:
        return {}
    for kind, data in _records(package, _BINARY_STYLES):
        if kind == _FORMAT:
            styles.codes[str(int.from_bytes(data[:2], "little"))] = _wide_text(data, 2)[0]
        elif kind == _STYLE and is_of_cells:
            styles.formats.append(str(int.from_bytes(data[2:4], "little")))
        elif kind in {_STYLES_OF_CELLS, _END_OF_STYLES}:
            is_of_cells = kind == _STYLES_OF_CELLS
    return styles.find_date_formats()


def _read_number(kind: int, data: bytes) -> float | int | None:
    """The number of a cell, as calamine gives it: an int only if it is written as one; None if it has none."""
    if kind in _NUMBERS and len(data) >= 16:
        return float(struct.unpack_from("<d", data, 8)[0])
    if kind != _SHORT_NUMBER or len(data) < 12:
        return None
    # RkNumber: bit 0 says that it is a hundred times the number, bit 1 that the other 30 bits are an integer; else they
    # are the highest bits of a double.
    word = int.from_bytes(data[8:12], "little", signed=True)
    number: float | int = word >> 2
    if not word & 2:
        number = float(struct.unpack("<d", struct.pack("<q", (word & ~3) << 32))[0])
    return number / 100 if word & 1 else number


def _part_of_xlsb(package: Package, sheet: str) -> tuple[str, bool]:
    """The part of a sheet, and whether days count from 1904."""
    relations = package.sheet_parts("xl/workbook.bin")
    parts: dict[str, str] = {}
    from_1904 = False
    for kind, data in _records(package, "xl/workbook.bin"):
        if kind == _WORKBOOK_PROPERTIES:
            from_1904 = bool(data[:1] and data[0] & 1)
        elif kind == _SHEET:
            relation, end = _wide_text(data, 8)
            parts[_wide_text(data, end)[0]] = relations.get(relation, "")
    return _known_part(package, parts, sheet), from_1904


def _known_part(package: Package, parts: Mapping[str, str], sheet: str) -> str:
    part = parts.get(sheet, "")
    if part not in package.names:
        raise MalformedFile(f"the workbook lists the sheet {sheet!r}, and has no part for it")
    return part


def _wide_text(data: bytes, at: int) -> tuple[str, int]:
    count = int.from_bytes(data[at : at + 4], "little")
    # A damaged count may say four billion: no more than there is can be meant.
    end = at + 4 + 2 * min(count, len(data))
    return data[at + 4 : end].decode("utf-16-le", errors="replace"), end


def _records(package: Package, name: str) -> Iterator[tuple[int, bytes]]:
    """The records of a binary part: a kind and a size of one to four bytes each, and the data."""
    data = b"".join(package.read(name))
    at = 0
    try:
        while at < len(data):
            kind, at = _number(data, at, 2)
            size, at = _number(data, at, 4)
            yield kind, data[at : at + size]
            at += size
    except IndexError:
        raise MalformedFile(f"the workbook's part {name!r} ends in a record") from None


def _number(data: bytes, at: int, most: int) -> tuple[int, int]:
    number = 0
    for step in range(most):
        byte = data[at + step]
        # Seven bits a byte, the lowest first; the highest bit says that another byte follows.
        number |= (byte & 127) << 7 * step
        if byte < 128:
            return number, at + step + 1
    return number, at + most
