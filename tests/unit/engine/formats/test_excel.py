"""Excel: which sheet is read, the types of its cells, what is no value, and what is refused before it is read."""

from __future__ import annotations

import datetime as dt
import io
import re
import sys
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.base import BadRow
from millrace.engine.formats.excel.numbers import DateFormat, find_date_format, find_kept_number
from millrace.engine.formats.excel.package import name_of_cell
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import TARGET_FORMATS, BadRows, Compression, Face, FileFormat, ReadOptions
from millrace.errors import (
    DataError,
    MalformedFile,
    MissingPackage,
    TooBig,
    TruncatedFile,
    UnknownSheet,
    UnsupportedType,
)
from tests.properties import examples
from tests.unit.engine.formats.builders import conversion, converted
from tests.unit.engine.formats.workbooks import grid, moment, number, ods, packed, text, xlsb, xlsx

EXCEL = FORMATS[FileFormat.EXCEL]
ORDERS = xlsx({"Orders": grid(("id", "name", "price"), (1, "Ada", 1.5), (2, "Bob", 12))})


def read_table(data: bytes, *, bad: list[BadRow] | None = None, **options: Any) -> pa.Table:
    aside = bad if bad is not None else []
    records = EXCEL.read(io.BytesIO(data), ReadOptions(**options), report=aside.append)
    return pa.Table.from_batches(list(records.batches), records.schema)


def saved(workbook: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def column(*values: Any) -> bytes:
    """A workbook of one column, a, that openpyxl writes."""
    workbook = openpyxl.Workbook()
    for value in ("a", *values):
        workbook.active.append([value])
    return saved(workbook)


def test_the_first_row_names_the_columns_and_cells_keep_their_types() -> None:
    table = read_table(ORDERS)

    assert table.to_pylist() == [{"id": 1, "name": "Ada", "price": 1.5}, {"id": 2, "name": "Bob", "price": 12.0}]
    assert table.schema.types == [pa.int64(), pa.string(), pa.float64()]


def test_numbers_are_printed_as_they_are() -> None:
    assert converted(ORDERS, "excel", "csv") == b"id,name,price\n1,Ada,1.5\n2,Bob,12\n"


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2**53 - 1, None], pa.int64(), [1, 2**53 - 1]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([1e300], pa.float64(), [1e300]),
        ([True, False], pa.bool_(), [True, False]),
        (["00501", "1"], pa.string(), ["00501", "1"]),
        (["x", 7, 1.5, True], pa.string(), ["x", "7", "1.5", "true"]),
        ([dt.date(1969, 7, 20)], pa.date32(), [dt.date(1969, 7, 20)]),
        (
            [dt.datetime(2026, 1, 31, 12, 0, 0, 123000), dt.date(2026, 2, 1)],  # noqa: DTZ001 - Excel knows no zones
            pa.timestamp("us"),
            [dt.datetime(2026, 1, 31, 12, 0, 0, 123000), dt.datetime(2026, 2, 1)],  # noqa: DTZ001 - Excel's
        ),
        ([dt.time(1, 2, 3)], pa.time64("us"), [dt.time(1, 2, 3)]),
        ([dt.timedelta(days=1, hours=2)], pa.duration("us"), [dt.timedelta(days=1, hours=2)]),
        ([dt.date(2026, 1, 1), "n/a"], pa.string(), ["2026-01-01", "n/a"]),
    ],
)
def test_types_are_those_of_the_cells(values: list[Any], kind: pa.DataType, expected: list[Any]) -> None:
    found = read_table(column(*values)).column("a")

    assert found.type == kind
    assert found.drop_null().to_pylist() == expected


def test_dates_that_count_from_1904() -> None:
    workbook = openpyxl.Workbook()
    workbook.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    workbook.active.append(["a"])
    workbook.active.append([dt.date(2026, 1, 31)])

    assert read_table(saved(workbook)).column("a").to_pylist() == [dt.date(2026, 1, 31)]


class TestNumbersThatCalamineChanges:
    """It holds each number as a double, and makes a moment of each that has a date's format."""

    @pytest.mark.parametrize("whole", [2**53 + 1, -(2**53) - 1, 12345678901234567, 2**63 - 1, -(2**63)])
    def test_a_whole_number_keeps_its_digits(self, whole: int) -> None:
        found = read_table(xlsx({"One": grid(("a",), (1,), (whole,))})).column("a")

        assert found.type == pa.int64()
        assert found.to_pylist() == [1, whole]

    @pytest.mark.parametrize(
        "digits", ["9223372036854775808", "1" * 25, "1e400", "-1E400", "1e-400", "0.1234567890123456789", "9" * 5000]
    )
    def test_what_no_type_of_a_column_holds_is_the_text_that_it_is(self, digits: str) -> None:
        data = xlsx({"One": grid(("a",), (1,)) | {"A3": number(digits)}})

        assert read_table(data).column("a").to_pylist() == ["1", digits]

    @given(st.floats(allow_nan=False, allow_infinity=False))
    @settings(max_examples=examples(200), deadline=None)
    def test_a_double_is_itself_however_it_is_written(self, double: float) -> None:
        """With 15 digits or more, as Excel and others write it."""
        for text_of_it in (repr(double), f"{double:.16e}", f"{double:.30e}", f"{double:.17g}"):
            if not re.fullmatch("-?[0-9]{16,}", text_of_it):
                assert find_kept_number(text_of_it) is None

    @given(st.integers(-(2**70), 2**70))
    @settings(max_examples=examples(200), deadline=None)
    def test_a_whole_number_is_kept_or_is_a_double(self, whole: int) -> None:
        kept = find_kept_number(str(whole))

        assert int(kept or float(whole)) == whole

    def test_beside_other_numbers_it_is_text_as_no_type_holds_both(self) -> None:
        data = xlsx({"One": grid(("a",), (0.5,), (2**53 + 1,))})

        assert read_table(data).column("a").to_pylist() == ["0.5", "9007199254740993"]

    def test_open_document_keeps_its_digits_too(self) -> None:
        cell = '<table:table-cell table:number-columns-repeated="2" office:value-type="float" office:value="{}"/>'
        data = ods(f'<table:table-row table:number-rows-repeated="2">{cell.format(2**53 + 1)}</table:table-row>')

        assert read_table(data, has_headers=False).to_pylist() == [{"column_1": 2**53 + 1, "column_2": 2**53 + 1}] * 2

    @pytest.mark.parametrize("serial", [-1, -0.25, -1000, 60, 60.5, 1 - 1e-10, 2_958_466])
    @pytest.mark.parametrize("kind", ["xlsx", "xlsb"])
    def test_a_number_that_is_no_moment_stays_a_number(self, serial: float, kind: str) -> None:
        """Excel shows -1 as #####, and 60 as 29 February 1900."""
        if kind == "xlsb":
            data = xlsb(("a",), (float(serial),), (45000.0,), number_format=14)
        else:
            data = xlsx({"One": grid(("a",)) | {"A2": moment(serial), "A3": moment(45000)}})

        assert read_table(data).column("a").to_pylist() == [str(serial), "2023-03-15"]

    @pytest.mark.parametrize(
        ("serial", "expected"),
        [
            (1, dt.date(1900, 1, 1)),
            (59, dt.date(1900, 2, 28)),
            (61, dt.date(1900, 3, 1)),
            (45000, dt.date(2023, 3, 15)),
            (2_958_465, dt.date(9999, 12, 31)),
            (0, dt.time()),
        ],
    )
    @pytest.mark.parametrize("kind", ["xlsx", "xlsb"])
    def test_whole_days_are_dates_in_each_kind_of_workbook(self, serial: int, expected: object, kind: str) -> None:
        data = xlsx({"One": grid(("a",)) | {"A2": moment(serial)}})
        if kind == "xlsb":
            data = xlsb(("a",), (float(serial),), number_format=14)

        assert read_table(data).column("a").to_pylist() == [expected]

    def test_whole_days_may_be_a_length_of_time(self) -> None:
        days = [{"a": dt.timedelta(days=2)}, {"a": dt.timedelta(days=-2)}]

        assert read_table(xlsb(("a",), (2.0,), (-2.0,), number_format=46)).to_pylist() == days
        assert read_table(column(dt.timedelta(days=2), dt.timedelta(days=-2))).to_pylist() == days

    def test_beside_other_cells_a_length_is_printed_as_in_a_column_of_lengths(self) -> None:
        lengths = [dt.timedelta(days=1, hours=12), dt.timedelta(microseconds=-1500)]
        alone = converted(column(*lengths), "excel", "csv").decode().split()

        assert read_table(column(*lengths, "x")).column("a").to_pylist() == [*alone[1:], "x"]

    @pytest.mark.parametrize(
        ("code", "form"),
        [
            ("dd.mm.yyyy", DateFormat.MOMENT),
            ("[$-409]mmmm\\ d", DateFormat.MOMENT),
            ("[h]:mm", DateFormat.LENGTH),
            ("[SS]", DateFormat.LENGTH),
            ('#,##0.00\\ "days"_D;[Red]-0*s', None),
            ("General", None),
            ("0.00E+00", None),
        ],
    )
    def test_a_formats_code_says_what_it_makes_of_numbers(self, code: str, form: DateFormat | None) -> None:
        assert find_date_format("164", {"164": code}) is form

    @pytest.mark.parametrize("days", [1e12, -1e300])
    def test_a_length_beyond_what_is_possible_is_refused_with_its_row(self, days: float) -> None:
        data = xlsx({"One": grid(("a",), (1,)) | {"A3": moment(days)}}, date_format="46")

        with pytest.raises(MalformedFile, match="row 3 of the sheet"):
            read_table(data)

    @pytest.mark.parametrize("inside", ["4<!-- x -->2", "4<![CDATA[2]]>"])
    def test_a_value_that_it_would_read_in_part_is_refused(self, inside: str) -> None:
        with pytest.raises(MalformedFile, match=r"the cell A2 has (a comment|CDATA) within its value"):
            read_table(xlsx({"One": grid(("a",), (inside,)) | {"A2": number(inside)}}))


class TestSheets:
    TWO = xlsx({"Orders": grid(("a",), (1,)), "2": grid(("b",), (2,)), "Empty": {}})

    def test_a_sheet_is_chosen_by_its_name(self) -> None:
        assert read_table(self.TWO, excel_sheet="Orders").to_pylist() == [{"a": 1}]

    def test_or_by_its_number_though_a_name_goes_first(self) -> None:
        assert read_table(self.TWO, excel_sheet="1").to_pylist() == [{"a": 1}]
        assert read_table(self.TWO, excel_sheet="2").to_pylist() == [{"b": 2}]

    def test_all_is_none_of_several_and_the_message_names_them_as_it_is_written_there(self) -> None:
        says = {
            Face.CONFIGURATION: r"^excel_sheet: all makes a table of each .*choose one with excel_sheet: 'Orders', '2'",
            Face.COMMAND: r"^--excel-sheet all makes .* choose one with --excel-sheet: 'Orders', '2'",
            Face.JOB: r'^"excel_sheet": all makes .* choose one with "excel_sheet": \'Orders\', \'2\'',
        }
        for face, message in says.items():
            with pytest.raises(UnknownSheet, match=message):
                read_table(self.TWO, excel_sheet="all", face=face)

    def test_all_of_one_sheet_is_that_one(self) -> None:
        data = xlsx({"Lists": grid(("x",), (1,)), "Data": grid(("a",), (1,))}, {"Lists": "hidden"})

        assert read_table(data, excel_sheet="all").to_pylist() == [{"a": 1}]

    def test_all_can_be_a_sheets_name_and_is_refused_then(self) -> None:
        data = xlsx({"Orders": grid(("a",), (1,)), "all": grid(("b",), (2,))})

        with pytest.raises(UnknownSheet, match=r"write its number, --excel-sheet 2; for each, rename it"):
            read_table(data, excel_sheet="all", face=Face.COMMAND)
        assert read_table(data, excel_sheet="2").to_pylist() == [{"b": 2}]

    def test_where_several_have_cells_one_must_be_named(self) -> None:
        with pytest.raises(UnknownSheet, match=r"2 sheets of the workbook have cells.*'Orders', '2'"):
            read_table(self.TWO)

    def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(self) -> None:
        with pytest.raises(UnknownSheet, match=r"no sheet 'Order'; did you mean 'Orders'.*'2', 'Empty'"):
            read_table(self.TWO, excel_sheet="Order")

    @pytest.mark.parametrize("wanted", ["0", "4", "²", "٣", "1.0", "-1", "9" * 5000])
    def test_so_is_what_is_no_number_of_a_sheet(self, wanted: str) -> None:
        with pytest.raises(UnknownSheet, match=r"it has 'Orders', '2', 'Empty'"):
            read_table(self.TWO, excel_sheet=wanted)

    def test_hidden_and_empty_sheets_are_not_taken_by_default(self) -> None:
        data = xlsx({"Lists": grid(("x",), (1,)), "Data": grid(("a",), (1,))}, {"Lists": "hidden"})

        assert read_table(data).to_pylist() == [{"a": 1}]
        assert read_table(data, excel_sheet="Lists").to_pylist() == [{"x": 1}]

    def test_an_empty_workbook_has_no_rows(self) -> None:
        assert read_table(xlsx({"One": {}})).num_rows == 0


class TestHeader:
    def test_without_headers_columns_are_numbered(self) -> None:
        table = read_table(ORDERS, has_headers=False)

        assert table.schema.names == ["column_1", "column_2", "column_3"]
        assert table.num_rows == 3

    def test_rows_above_it_are_skipped(self) -> None:
        data = xlsx({"One": grid(("Report", 7), (None,), ("a", "b"), (1, 2))})

        assert read_table(data, skip_lines=2).to_pylist() == [{"a": 1, "b": 2}]

    def test_a_table_may_begin_anywhere(self) -> None:
        data = xlsx({"One": {"C5": text("a"), "D5": text("b"), "C6": number(1), "D7": number(2)}})

        assert read_table(data).to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": 2}]

    def test_names_are_made_unique_and_empty_columns_are_none(self) -> None:
        data = xlsx({"One": {"A1": text("a"), "B1": text("a"), "D1": number(2026), "E2": number(5), "A2": number(1)}})

        assert read_table(data).schema.names == ["a", "a_2", "2026", "column_5"]

    def test_blank_rows_are_passed_over(self) -> None:
        data = xlsx({"One": grid(("a",), (1,), (None,), (2,))})

        assert read_table(data).to_pylist() == [{"a": 1}, {"a": 2}]


class TestNoValues:
    ERROR = xlsx({"One": {**grid(("a", "b"), (1, 2), (3,), (5, 6)), "B3": ' t="e"><v>#DIV/0!</v>'}})

    def test_a_formula_gives_the_value_that_was_calculated(self) -> None:
        data = xlsx({"One": {**grid(("a", "b"), (1,)), "B2": "><f>A2*2</f><v>2</v>"}})

        assert read_table(data).to_pylist() == [{"a": 1, "b": 2}]

    def test_a_formula_that_was_never_calculated_is_refused(self) -> None:
        """It is the sheet's last cell, which calamine does not count."""
        data = xlsx({"One": {**grid(("a", "b"), (1, 2)), "C3": "><f>A2*2</f>"}})

        with pytest.raises(MalformedFile, match=r"row 2, which is row 3 .* the cell C3 has the formula =A2\*2 and no"):
            read_table(data)

    def test_openpyxl_writes_formulas_without_values(self) -> None:
        with pytest.raises(MalformedFile, match="the cell A3 has the formula"):
            read_table(column(1, "=A2*2"))

    def test_an_error_is_refused_with_its_cell(self) -> None:
        with pytest.raises(MalformedFile, match="the cell B3 holds the error #DIV/0!") as refused:
            read_table(self.ERROR)

        assert refused.value.row == 2

    def test_its_row_is_put_aside_and_counted(self) -> None:
        bad: list[BadRow] = []

        table = read_table(self.ERROR, bad=bad, bad_rows=BadRows.QUARANTINE)

        assert table.to_pylist() == [{"a": 1, "b": 2}, {"a": 5, "b": 6}]
        assert [(one.line, one.row, one.raw) for one in bad] == [(3, 2, '["3", ""]')]
        rows = conversion(self.ERROR, "excel", "csv", bad_rows=BadRows.QUARANTINE).rows
        assert (rows.read, rows.written, rows.quarantined) == (3, 2, 1)

    def test_an_error_may_mean_missing(self) -> None:
        table = read_table(self.ERROR, null_values=("#DIV/0!",))

        assert table.column("b").to_pylist() == [2, None, 6]

    def test_of_merged_cells_the_first_has_the_value(self) -> None:
        workbook = openpyxl.Workbook()
        for row in (("a", "b"), ("x", 1), (None, 2)):
            workbook.active.append(row)
        workbook.active.merge_cells("A2:A3")

        assert read_table(saved(workbook)).to_pylist() == [{"a": "x", "b": 1}, {"a": None, "b": 2}]


class TestOtherKinds:
    CELL = '<table:table-cell office:value-type="float" office:value="{}"/>'
    NAME = '<table:table-row><table:table-cell office:value-type="string"><text:p>a</text:p></table:table-cell>'

    def test_open_document(self) -> None:
        data = ods(f"{self.NAME}</table:table-row><table:table-row>{self.CELL.format(7)}</table:table-row>")

        assert read_table(data).to_pylist() == [{"a": 7}]

    def test_an_error_in_open_document_is_refused(self) -> None:
        error = '<table:table-cell office:value-type="string" calcext:value-type="error"><text:p>#N/A</text:p>'
        data = ods(f"{self.NAME}</table:table-row><table:table-row>{error}</table:table-cell></table:table-row>")

        with pytest.raises(MalformedFile, match="the cell A2 holds an error"):
            read_table(data)

    def test_an_error_that_is_repeated_is_refused_at_each_place(self) -> None:
        error = (
            '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="2"'
            ' office:value-type="string" calcext:value-type="error"/></table:table-row>'
        )
        bad = list[BadRow]()

        table = read_table(ods(f"{self.NAME}</table:table-row>{error}"), bad=bad, bad_rows=BadRows.QUARANTINE)

        assert table.num_rows == 0
        assert [row.line for row in bad] == [2, 3]

    @pytest.mark.parametrize("lost", ["<text:tab/>", "<text:line-break/>", "<![CDATA[b]]>"])
    def test_a_text_that_would_lose_a_part_is_refused(self, lost: str) -> None:
        note = f"<office:annotation><text:p>{lost}</text:p></office:annotation>"
        head = f"{self.NAME}</table:table-row><table:table-row>"
        cell = '<table:table-cell office:value-type="string">{}<text:p>a{}c</text:p></table:table-cell>'

        assert read_table(ods(f"{head}{cell.format(note, '')}</table:table-row>")).to_pylist() == [{"a": "ac"}]
        with pytest.raises(MalformedFile, match=r"the cell A2 has .* within its text"):
            read_table(ods(f"{head}{cell.format('', lost)}</table:table-row>"))

    def test_cells_repeated_without_measure_are_refused(self) -> None:
        many = '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
        data = ods(f'<table:table-row table:number-rows-repeated="1048576">{many}</table:table-row>')

        with pytest.raises(TooBig, match="1,048,576 rows and 16,384 columns"):
            read_table(data)

    def test_the_binary_kind(self) -> None:
        assert read_table(xlsb(("a", "b"), (1.0, "x"))).to_pylist() == [{"a": 1, "b": "x"}]

    def test_an_error_in_the_binary_kind_is_refused(self) -> None:
        with pytest.raises(MalformedFile, match="the cell B2 holds an error"):
            read_table(xlsb(("a", "b"), (1.0, None)))


class TestRefusedWorkbooks:
    def test_two_cells_far_apart_are_refused_before_they_are_read(self) -> None:
        data = xlsx({"One": {"A1": number(1), "XFD1048576": number(2)}})

        with pytest.raises(TooBig, match="1,048,576 rows and 16,384 columns"):
            read_table(data)

    def test_a_part_that_is_larger_than_it_says_is_refused(self) -> None:
        data = bytearray(xlsx({"One": grid(("a",), *((number,) for number in range(5_000)))}))
        at = data.rfind(b"xl/worksheets/s1.xml") - 46
        assert data[at : at + 4] == b"PK\x01\x02"
        data[at + 24 : at + 28] = (1000).to_bytes(4, "little")

        with pytest.raises(MalformedFile, match="cannot be unpacked"):
            read_table(bytes(data))

    @pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\x89PNG", b"<html>"])
    def test_what_is_no_workbook_is_refused(self, data: bytes) -> None:
        with pytest.raises(MalformedFile, match="no workbook of Excel"):
            read_table(data)

    def test_another_zip_is_refused(self) -> None:
        with pytest.raises(MalformedFile, match="the zip is no workbook"):
            read_table(packed({"a.csv": "a\n1\n"}))

    def test_every_cut_is_refused(self) -> None:
        for end in range(4, len(ORDERS), 7):
            with pytest.raises((TruncatedFile, MalformedFile)):
                read_table(ORDERS[:end])

    def test_an_old_or_encrypted_workbook_is_refused(self) -> None:
        """In an .xls a cell with an error cannot be told from an empty one: a value would be gone without a word."""
        with pytest.raises(UnsupportedType, match=r"old workbook \(.xls\).*save it as .xlsx"):
            read_table(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))

    def test_a_document_type_is_refused(self) -> None:
        parts = {"xl/workbook.xml": '<!DOCTYPE a [<!ENTITY b "c">]><workbook/>'}

        with pytest.raises(DataError):
            read_table(packed(parts))

    def test_a_compressed_workbook_is_refused(self) -> None:
        with pytest.raises(MalformedFile, match="compresses inside"):
            read_table(ORDERS, compression=Compression.GZIP)

    def test_without_the_package_it_is_said_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "python_calamine", None)

        with pytest.raises(MissingPackage, match=r"pip install \"millrace\[formats\]\""):
            read_table(ORDERS)

    def test_an_encrypted_workbook_is_named(self) -> None:
        with pytest.raises((UnsupportedType, MalformedFile)):
            read_table(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"EncryptedPackage".ljust(4096, b"\0"))


@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_it_becomes_every_format(target: FileFormat) -> None:
    assert conversion(ORDERS, "excel", target).rows.written == 2


def test_explain_names_the_sheet() -> None:
    content = explain_file(io.BytesIO(ORDERS), FileFormat.EXCEL, ReadOptions()).content

    assert content.error is None
    assert [(fact.name, fact.value) for fact in content.facts] == [("sheet", "Orders")]
    assert [(one.name, one.type) for one in content.columns] == [
        ("id", "int64"),
        ("name", "text"),
        ("price", "float64"),
    ]


@pytest.mark.parametrize(("place", "name"), [((0, 0), "A1"), ((0, 27), "AB1"), ((1048575, 16383), "XFD1048576")])
def test_cells_have_their_names(place: tuple[int, int], name: str) -> None:
    assert name_of_cell(*place) == name
