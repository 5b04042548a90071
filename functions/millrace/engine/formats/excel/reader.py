"""Reading Excel: one sheet, by calamine, whose cells have the types that they have in the sheet.

A column of whole numbers is of integers; one of several kinds of cells is text. Cells that Excel could not calculate,
and formulas that nobody calculated, are no values: their rows are bad. Of merged cells the first has the value.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.excel.numbers import EXACT_WHOLE, LongWhole, to_moment
from millrace.engine.formats.excel.package import (
    Package,
    SheetCells,
    cells_of_ods,
    cells_of_xlsb,
    cells_of_xlsx,
    check_all_of_ods,
    name_of_cell,
)
from millrace.engine.formats.limits import MAX_CELLS, check_columns
from millrace.engine.names import column_names, suggestion
from millrace.engine.option_list import say_option
from millrace.engine.options import ALL_SHEETS, BadRows, Compression, Face, ReadOptions
from millrace.engine.types.printing import BARE, with_form
from millrace.errors import MalformedFile, MissingPackage, UnknownSheet, UnsupportedType

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_ROWS_OF_EXCEL = 2**20
"""The most that a sheet has ("Excel specifications and limits")."""
_SHOWN_NAMES = 20
_SCANS = {"xl/workbook.xml": cells_of_xlsx, "xl/workbook.bin": cells_of_xlsb, "content.xml": cells_of_ods}
Cell = Any


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was chosen: calamine's, the place of its first cell, and what is wrong in which cell."""

    name: str
    rows: Callable[[], Iterator[list[Cell]]]
    first: tuple[int, int]
    cells: SheetCells


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,  # noqa: ARG001 - every reader takes it; a sheet is looked at as a whole first
    report: Callable[[BadRow], None],
) -> Records:
    """Open a sheet of a workbook; see ``formats.base.Reader``."""
    if options.compression is not Compression.NONE:
        raise MalformedFile(f"a workbook compresses inside; a {options.compression} file around it is not read")
    sheet = choose_sheet(source, options)
    table = _SheetTable(sheet, options)
    return Records(table.schema, table.batches(report))


@dataclass(frozen=True, slots=True)
class ListedSheet:
    """A sheet of a workbook; ``reason`` says why it is read only if it is named, and is empty if it is read."""

    name: str
    reason: str


def list_sheets(source: BinaryIO) -> list[ListedSheet]:
    """All sheets of a workbook, in its order."""
    scan = _find_scan(source)
    source.seek(0)
    workbook = _open_workbook(source)
    return [ListedSheet(sheet.name, _why_not_read(sheet, scan)) for sheet in workbook.sheets_metadata]


def _why_not_read(sheet: Any, scan: Callable[[str], SheetCells]) -> str:
    if not _is_shown(sheet):
        return "the sheet is hidden"
    return "" if scan(sheet.name).first is not None else "it has no cells"


def _is_shown(sheet: Any) -> bool:
    return str(sheet.visible).endswith(".Visible")


def describe_two_readings(names: Sequence[str], face: Face) -> str:
    """Why ``all`` is refused for a workbook with a sheet of that name; empty if there is none."""
    if ALL_SHEETS not in names:
        return ""
    number = names.index(ALL_SHEETS) + 1
    return (
        f"{say_option(face, 'excel_sheet', ALL_SHEETS)} can mean each sheet of the workbook, or the one that is named"
        f" {ALL_SHEETS!r}: for that one write its number, {say_option(face, 'excel_sheet', str(number))}; for each,"
        " rename it"
    )


def choose_sheet(source: BinaryIO, options: ReadOptions) -> Sheet:
    """The sheet that the options name, or the only visible one that has cells.

    Raises UnknownSheet for a sheet that is not there, or where several could be meant.
    """
    scan = _find_scan(source)
    source.seek(0)
    workbook = _open_workbook(source)
    names = list(workbook.sheet_names)
    if options.excel_sheet == ALL_SHEETS:
        if reason := describe_two_readings(names, options.face):
            raise UnknownSheet(reason)
    elif options.excel_sheet is not None:
        name = _named(names, options.excel_sheet)
        return _load(workbook, name, scan(name))
    found = list(_sheets_with_cells(workbook, scan))
    if len(found) > 1:
        raise _to_refusal([name for name, _ in found], options)
    if not found:
        return Sheet("", lambda: iter(()), (0, 0), SheetCells())
    return _load(workbook, *found[0])


def _to_refusal(names: Sequence[str], options: ReadOptions) -> UnknownSheet:
    listed = _enumerate_names(names)
    if options.excel_sheet is None:
        return UnknownSheet(
            f"excel_sheet: {len(names):,} sheets of the workbook have cells, and one is a table: say which of {listed}"
        )
    said = partial(say_option, options.face, "excel_sheet")
    return UnknownSheet(
        f"{said(ALL_SHEETS)} makes a table of each sheet, which a bulk sync does where every object is a table; one"
        f" table is made here, and {len(names):,} sheets have cells: choose one with {said()}: {listed}"
    )


def _sheets_with_cells(workbook: Any, scan: Callable[[str], SheetCells]) -> Iterator[tuple[str, SheetCells]]:
    """The visible sheets that have cells."""
    for sheet in workbook.sheets_metadata:
        if _is_shown(sheet):
            cells = scan(sheet.name)
            if cells.first is not None:
                yield sheet.name, cells


def _named(names: Sequence[str], wanted: str) -> str:
    """The sheet of that name, or of that number from 1."""
    if wanted in names:
        return wanted
    # Numbers are compared as text: "²" is a digit that is no number, and int() refuses numbers of 5,000 digits.
    numbers = list(map(str, range(1, len(names) + 1)))
    if wanted in numbers:
        return names[numbers.index(wanted)]
    raise UnknownSheet(
        f"excel_sheet: the workbook has no sheet {wanted[:100]!r}{suggestion(wanted, names)}; it has"
        f" {_enumerate_names(names)}"
    )


def _enumerate_names(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:_SHOWN_NAMES]))
    if len(names) > _SHOWN_NAMES:
        return f"{listed} and {len(names) - _SHOWN_NAMES:,} more"
    return listed


def _find_scan(source: BinaryIO) -> Callable[[str], SheetCells]:
    """What looks through the cells of a sheet, by the kind of the workbook."""
    source.seek(0)
    head = source.read(4)
    if head == _OLE:
        # calamine gives a cell with an error (#DIV/0!) as an empty one, and nothing here can look into such a file.
        raise UnsupportedType(
            "the file is an old workbook (.xls), whose cells with errors look like empty ones, or an encrypted one;"
            " save it as .xlsx without a password"
        )
    if head != _ZIP:
        raise MalformedFile(f"the file is no workbook of Excel: it begins with {head!r}", byte=0)
    package = Package(source)
    for part, scan in _SCANS.items():
        if part in package.names:
            if scan is cells_of_ods:
                check_all_of_ods(package)  # calamine reads all sheets of such a file at once
            return lambda name: _checked(scan(package, name))
    raise MalformedFile("the zip is no workbook: it has neither xl/workbook.xml, xl/workbook.bin nor content.xml")


def _checked(cells: SheetCells) -> SheetCells:
    cells.check()
    return cells


def _open_workbook(source: BinaryIO) -> Any:
    try:
        import python_calamine as calamine  # noqa: PLC0415 - only who reads Excel needs it
    except ImportError as error:
        raise MissingPackage(
            'Excel is read by the package python-calamine, which is not installed: pip install "millrace[formats]";'
            " on AWS the stack ships it where the configuration names the format excel, so deploy again"
        ) from error
    return _translate(lambda: calamine.CalamineWorkbook.from_filelike(io.BytesIO(source.read())))


def _translate(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except BaseException as error:
        if "Password" in type(error).__name__:
            raise UnsupportedType("the workbook is encrypted; save it without a password") from error
        if _is_of_calamine(error):
            raise MalformedFile(f"the workbook is damaged: {error}") from error
        raise


def _load(workbook: Any, name: str, cells: SheetCells) -> Sheet:
    sheet = _translate(lambda: workbook.get_sheet_by_name(name))
    return Sheet(name, partial(_iterate_rows, sheet), sheet.start or (0, 0), cells)


def _iterate_rows(sheet: Any) -> Iterator[list[Cell]]:
    row = (sheet.start or (0, 0))[0] + 1
    try:
        for cells in sheet.iter_rows():
            yield cells
            row += 1
    except OverflowError as error:
        raise MalformedFile(f"row {row:,} of the sheet has a length of time beyond what is possible") from error
    except BaseException as error:
        if _is_of_calamine(error):
            raise MalformedFile(f"row {row:,} of the sheet cannot be read: {error}") from error
        raise


def _is_of_calamine(error: BaseException) -> bool:
    """Whether calamine raised it, or gave up (a panic, which is no Exception)."""
    return type(error).__module__.startswith(("python_calamine", "pyo3_runtime"))


@dataclass(frozen=True, slots=True)
class _ExcelRow:
    """A row with its number in the sheet (from 1), and what is wrong with it."""

    cells: list[Cell]
    number: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class _ExcelColumn:
    """A column: where it is in a row, its field, and what makes its values of cells."""

    position: int
    field: pa.Field
    convert: Callable[[Cell], Any]


class _SheetTable:
    """A sheet's header, columns and rows."""

    def __init__(self, sheet: Sheet, options: ReadOptions) -> None:
        self._sheet = sheet
        self._options = options
        self._missing = frozenset(options.null_values)
        self._bad = self._find_bad()
        kinds: dict[int, set[type]] = {}
        header: list[Cell] | None = None
        width = 0
        for row in self._rows():
            width = max(width, len(row.cells))
            if header is None and options.has_headers:
                header = row.cells
                continue
            if row.reason is None:
                for position, cell in enumerate(row.cells):
                    if cell != "":
                        kinds.setdefault(position, set()).add(_kind_of(cell))
        self._columns = _columns(header, kinds, width, numbered=not options.has_headers)
        check_columns(len(self._columns), f"the sheet {sheet.name!r}")
        self.schema = pa.schema([column.field for column in self._columns])

    def _rows(self) -> Iterator[_ExcelRow]:
        """The sheet's rows that have a cell, those to be skipped left out.

        calamine's rectangle ends with the last value that it knows: bad cells may be beside, before or behind it.
        """
        number = top = self._sheet.first[0]
        yield from self._bad_rows(0, top)
        for number, cells in enumerate(self._sheet.rows(), top + 1):
            self._keep_numbers(number - 1, cells)
            values = self._without_nulls(cells)
            reason = self._bad.get(number - 1)
            is_blank = reason is None and values.count("") == len(values)
            if not is_blank and number > self._options.skip_lines:
                yield _ExcelRow(values, number, reason)
        yield from self._bad_rows(number, _ROWS_OF_EXCEL)

    def _keep_numbers(self, row: int, cells: list[Cell]) -> None:
        """Put back what calamine changed in a row; a length of time may be below zero, and stays."""
        known, first = self._sheet.cells, self._sheet.first[1]
        for column, number in known.find_kept(row):
            if 0 <= column - first < len(cells) and not isinstance(cells[column - first], dt.timedelta):
                cells[column - first] = number
        for column, form in known.find_days(row):
            if 0 <= column - first < len(cells) and type(cells[column - first]) is int:
                cells[column - first] = to_moment(cells[column - first], form, from_1904=known.from_1904)

    def _without_nulls(self, cells: list[Cell]) -> list[Cell]:
        if not self._missing:
            return cells
        return ["" if cell in self._missing else cell for cell in cells]

    def _bad_rows(self, start: int, end: int) -> Iterator[_ExcelRow]:
        for row in sorted(row for row in self._bad if max(start, self._options.skip_lines) <= row < end):
            yield _ExcelRow([], row + 1, self._bad[row])

    def _find_bad(self) -> dict[int, str]:
        """Why rows are bad, by their numbers from 0: the first cell of each that is."""
        cells, found = self._sheet.cells, dict[int, str]()
        for (row, column), reason in sorted(cells.bad.items()):
            if cells.errors.get((row, column)) not in self._missing:
                found.setdefault(row, f"the cell {name_of_cell(row, column)} {reason}")
        return found

    def batches(self, report: Callable[[BadRow], None]) -> Iterator[pa.RecordBatch]:
        """The rows as batches; bad ones are reported or raised."""
        most = max(1, MAX_CELLS // 4 // max(1, len(self._columns)))
        rows = self._rows()
        if self._options.has_headers:
            self._check_header(next(rows, None))
        good = list[list[Cell]]()
        for count, row in enumerate(rows, 1):
            if row.reason is not None:
                self._put_aside(row, count, report)
                continue
            good.append(row.cells)
            if len(good) >= most:
                yield self._to_batch(good)
                good = []
        if good:
            yield self._to_batch(good)

    @staticmethod
    def _check_header(row: _ExcelRow | None) -> None:
        if row is not None and row.reason is not None:
            raise MalformedFile(f"the header in row {row.number:,} of the sheet has no name for a column: {row.reason}")

    def _put_aside(self, row: _ExcelRow, count: int, report: Callable[[BadRow], None]) -> None:
        reason = f"row {count:,}, which is row {row.number:,} of the sheet: {row.reason}"
        if self._options.bad_rows is not BadRows.QUARANTINE:
            raise MalformedFile(f"{reason}; or put bad rows aside with bad_rows: quarantine", row=count)
        raw = json.dumps(list(map(_to_text, row.cells)), ensure_ascii=False)
        report(BadRow(line=row.number, row=count, byte=0, reason=reason, raw=raw))

    def _to_batch(self, rows: list[list[Cell]]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([_to_array(rows, column) for column in self._columns], schema=self.schema)


def _to_array(rows: list[list[Cell]], column: _ExcelColumn) -> pa.Array:
    position, convert = column.position, column.convert
    values = list[Any]()
    for cells in rows:
        cell = cells[position] if position < len(cells) else ""
        values.append(None if cell == "" else convert(cell))
    return pa.array(values, column.field.type)


class _Whole(float):
    """The kind of numbers that an integer holds exactly; Excel's own are all floats."""


def _kind_of(cell: Cell) -> type:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT_WHOLE:
        return _Whole
    return type(cell)


def _to_datetime(cell: Cell) -> dt.datetime:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, dt.time())


_KINDS: Sequence[tuple[frozenset[type], pa.DataType, Callable[[Cell], Any]]] = (
    (frozenset({_Whole, int, LongWhole}), pa.int64(), int),
    (frozenset({_Whole, int, float}), pa.float64(), float),
    (frozenset({bool}), pa.bool_(), bool),
    (frozenset({dt.date}), pa.date32(), lambda cell: cell),
    (frozenset({dt.date, dt.datetime}), pa.timestamp("us"), _to_datetime),
    (frozenset({dt.time}), pa.time64("us"), lambda cell: cell),
    (frozenset({dt.timedelta}), pa.duration("us"), lambda cell: cell),
)
"""The kinds of cells of a column, its type, and what makes its values; all others are text."""


def _columns(
    header: list[Cell] | None, kinds: dict[int, set[type]], width: int, *, numbered: bool
) -> list[_ExcelColumn]:
    """The columns that have a name or a value."""
    titles = [""] * width
    for position, cell in enumerate(header or ()):
        titles[position] = _to_text(cell)
    names = column_names(titles)
    columns = list[_ExcelColumn]()
    for position, name in enumerate(names):
        if not titles[position] and position not in kinds and not numbered:
            continue  # an empty column between others, or beside them
        kind, convert = _type_of(kinds.get(position, set()))
        form = BARE if kind == pa.float64() else ""
        columns.append(_ExcelColumn(position, with_form(pa.field(name, kind), form), convert))
    return columns


def _type_of(kinds: set[type]) -> tuple[pa.DataType, Callable[[Cell], Any]]:
    for accepted, kind, convert in _KINDS:
        if kinds and kinds <= accepted:
            return kind, convert
    return pa.string(), _to_text


def _to_text(cell: Cell) -> str:
    """A cell as text: 1 for a whole number, true and false, ISO 8601 for times, and PT1.500000S for a length."""
    # Before numbers, since Python's True is an integer, too.
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and _kind_of(cell) is _Whole:
        return str(int(cell))
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, dt.timedelta):
        return _print_length(cell)
    return str(cell)


def _print_length(length: dt.timedelta) -> str:
    """As a column of lengths is printed: one and a half days are PT129600.000000S."""
    sign = "-" if length < dt.timedelta() else ""
    seconds, microseconds = divmod(abs(length), dt.timedelta(seconds=1))
    return f"PT{sign}{seconds}.{microseconds.microseconds:06}S"
