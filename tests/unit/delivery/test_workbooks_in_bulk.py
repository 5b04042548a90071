"""Workbooks in bulk syncs with `excel_sheet: all`: a table a sheet; whole or absent, accounted for, cleaned up."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from millrace.config.document import parse
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync, connection
from tests.examples import Run
from tests.unit.engine.formats.packing import zipped
from tests.unit.engine.formats.workbooks import grid, ods, text, xlsb, xlsx

REF = ObjectRef("acme-in", "in/2026/book.xlsx")
ORDERS = grid(("id", "amount"), (1, 2.5), (2, 3.75))
PEOPLE = grid(("name",), ("Ada",))


def run_of(inputs: Mapping[ObjectRef, bytes], *, source: Mapping[str, Any] | None = None, **sync: Any) -> Run:
    options = {"excel_sheet": "all"} if source is None else source
    document = {
        "connections": [connection("landing", "s3://acme-in/in", **options), connection("lake", "s3://acme-out")],
        "bulk_syncs": [bulk_sync("nightly", to="json", **sync)],
    }
    run = Run(parse(document), inputs)
    run.work(run.uploads())
    return run


def outputs_of(run: Run) -> dict[str, str]:
    return {ref.key: data.decode() for ref, data in run.outputs().items()}


def entry_of(run: Run, ref: ObjectRef = REF) -> Entry:
    entry = run.ledger.get("nightly", ref)
    assert entry is not None
    return entry


def renamed(workbook: bytes) -> bytes:
    """The workbook with the name of its sheet b made a."""
    parts = dict[str, bytes]()
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        for name in archive.namelist():
            parts[name] = archive.read(name).replace(b'<sheet name="b"', b'<sheet name="a"')
    return zipped(parts)


def failure_of(run: Run, ref: ObjectRef = REF) -> str:
    entry = entry_of(run, ref)
    assert entry.state is State.FAILED
    assert entry.failure is not None
    assert outputs_of(run) == {}
    return entry.failure.message


class TestSheetsAreTables:
    def test_each_sheet_has_its_output_below_the_workbooks_name(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "My people": PEOPLE})})

        assert outputs_of(run) == {
            "2026/book/Orders.jsonl": '{"id":1,"amount":2.5}\n{"id":2,"amount":3.75}\n',
            "2026/book/My people.jsonl": '{"name":"Ada"}\n',
        }
        entry = entry_of(run)
        assert (entry.state, entry.rows.read, entry.rows.written) == (State.CONVERTED, 3, 3)
        assert sorted(output.ref.key for output in entry.outputs) == sorted(outputs_of(run))

    @pytest.mark.parametrize(
        ("extension", "data"),
        [
            (".xlsm", xlsx({"One": PEOPLE})),
            (".xlsb", xlsb(("name",), ("Ada",))),
            (
                ".ods",
                ods(
                    "".join(
                        f'<table:table-row><table:table-cell office:value-type="string"><text:p>{value}</text:p>'
                        "</table:table-cell></table:table-row>"
                        for value in ("name", "Ada")
                    )
                ),
            ),
        ],
    )
    def test_of_all_kinds_of_workbooks(self, extension: str, data: bytes) -> None:
        run = run_of({ObjectRef("acme-in", f"in/book{extension}"): data})

        assert outputs_of(run) == {"book/One.jsonl": '{"name":"Ada"}\n'}

    def test_other_files_are_tables_as_ever(self) -> None:
        run = run_of({ObjectRef("acme-in", "in/a.csv"): b"id\n1\n", REF: xlsx({"Orders": PEOPLE})})

        assert list(outputs_of(run)) == ["2026/book/Orders.jsonl", "a.jsonl"]

    def test_a_sheet_that_a_newer_version_lacks_is_removed_and_a_new_one_comes(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "Old": PEOPLE})})

        run.upload(REF, xlsx({"New": PEOPLE, "Orders": ORDERS}))

        assert list(outputs_of(run)) == ["2026/book/New.jsonl", "2026/book/Orders.jsonl"]

    @pytest.mark.parametrize("gone", [{}, PEOPLE], ids=["emptied", "hidden"])
    def test_so_is_one_that_is_emptied_or_hidden(self, gone: Mapping[str, str]) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "Old": PEOPLE})})

        run.upload(REF, xlsx({"Orders": ORDERS, "Old": gone}, {"Old": "hidden"} if gone else None))

        assert list(outputs_of(run)) == ["2026/book/Orders.jsonl"]
        assert "1 of its sheets are ignored: 'Old'" in (entry_of(run).reason or "")

    def test_the_reason_says_why_sheets_are_ignored(self) -> None:
        sheets = {"Orders": ORDERS, "Empty": {}, "Lists": PEOPLE, "Deep": PEOPLE, "_notes": PEOPLE}
        run = run_of({REF: xlsx(sheets, {"Lists": "hidden", "Deep": "veryHidden"})})

        assert list(outputs_of(run)) == ["2026/book/Orders.jsonl"]
        reason = entry_of(run).reason or ""
        assert "4 of its sheets are ignored: 'Empty': it has no cells; 'Lists': the sheet is hidden" in reason

    def test_names_that_differ_in_case_alone_are_two_tables(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "orders": PEOPLE})})

        assert outputs_of(run)["2026/book/orders.jsonl"] == '{"name":"Ada"}\n'
        assert outputs_of(run)["2026/book/Orders.jsonl"].startswith('{"id":1')

    def test_a_name_says_nothing_of_a_format_and_a_number_is_a_name(self) -> None:
        run = run_of({REF: xlsx({"2": PEOPLE, "2026.Q1.csv": ORDERS, "1": ORDERS})})

        assert sorted(outputs_of(run)) == [
            "2026/book/1.jsonl",
            "2026/book/2.jsonl",
            "2026/book/2026.Q1.csv.jsonl",
        ]
        assert outputs_of(run)["2026/book/2.jsonl"] == '{"name":"Ada"}\n'

    def test_a_bad_sheet_leaves_all_as_it_was(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": PEOPLE})})
        before = outputs_of(run)

        bad = {**PEOPLE, "A3": ' t="e"><v>#DIV/0!</v>'}
        run.upload(REF, xlsx({"New": ORDERS, "People": bad}))

        assert outputs_of(run) == before
        failure = entry_of(run).failure
        assert failure is not None
        assert "People" in failure.message
        assert "A3" in failure.message

    def test_bad_rows_of_each_sheet_are_put_aside(self) -> None:
        bad = {**PEOPLE, "A3": ' t="e"><v>#DIV/0!</v>'}
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": bad})}, bad_rows="quarantine")

        assert sorted(outputs_of(run)) == [
            "2026/book/Orders.jsonl",
            "2026/book/People.jsonl",
            "_quarantine/2026/book/People.jsonl",
        ]
        assert '"source": "People"' in outputs_of(run)["_quarantine/2026/book/People.jsonl"]
        assert entry_of(run).state is State.QUARANTINED

    def test_source_columns_name_the_sheet(self) -> None:
        run = run_of({REF: xlsx({"P": PEOPLE})}, source={"excel_sheet": "all", "source_columns": ["file"]})

        assert outputs_of(run)["2026/book/P.jsonl"] == f'{{"name":"Ada","_file":"{REF}/P"}}\n'

    def test_the_deletion_of_the_workbook_removes_them(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": PEOPLE})}, on_delete="remove")

        run.work(run.deletions([REF]))

        assert outputs_of(run) == {}

    @pytest.mark.parametrize(
        ("key", "data"),
        [("in/2026/book/Orders.csv", b"id\n1\n"), ("in/2026/book.xlsm", xlsx({"Orders": PEOPLE}))],
        ids=["an object", "another workbook"],
    )
    def test_one_that_could_not_have_its_output_has_it_when_the_rival_goes(self, key: str, data: bytes) -> None:
        rival = ObjectRef("acme-in", key)
        run = run_of({rival: data, REF: xlsx({"Orders": ORDERS, "People": PEOPLE})}, on_delete="remove")
        failure = entry_of(run).failure
        assert failure is not None
        assert failure.error == "OutputCollision"
        assert list(outputs_of(run)) == ["2026/book/Orders.jsonl"]

        run.work(run.deletions([rival]))

        assert list(outputs_of(run)) == ["2026/book/Orders.jsonl", "2026/book/People.jsonl"]
        assert outputs_of(run)["2026/book/Orders.jsonl"].startswith('{"id":1,"amount"')


class TestSchemasOfSheets:
    def test_tables_are_chosen_named_and_read_by_their_schemas(self) -> None:
        schemas = [
            {"id": "2026/book/Orders", "user_output_name": "sales", "fields": ["amount"], "skip_lines": 1},
            {"id": "2026/book/Off", "enabled": False},
        ]
        titled = grid(("Report",), ("id", "amount"), (1, 2))
        run = run_of(
            {REF: xlsx({"Orders": titled, "Off": PEOPLE, "Other": PEOPLE})},
            schemas=schemas,
            automatically_add_new_fields="none",
        )

        assert outputs_of(run) == {"sales.jsonl": '{"amount":2}\n'}
        reason = entry_of(run).reason or ""
        assert "table '2026/book/Off' is not enabled" in reason
        assert "table '2026/book/Other' is not among the schemas" in reason

    def test_that_of_the_workbook_holds_for_each_sheet_without_its_own(self) -> None:
        schemas: list[Any] = [
            {"id": "2026/book", "excel_sheet": "all", "user_output_name": "shop", "skip_lines": 1},
            {"id": "2026/book/Orders", "user_output_name": "sales"},
        ]
        titled = grid(("Report",), ("name",), ("Ada",))
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": titled})}, source={}, schemas=schemas)

        assert sorted(outputs_of(run)) == ["sales.jsonl", "shop/People.jsonl"]
        assert outputs_of(run)["shop/People.jsonl"] == '{"name":"Ada"}\n'
        run.upload(REF, xlsx({"Orders": ORDERS}))
        assert sorted(outputs_of(run)) == ["sales.jsonl"]

    def test_one_that_names_a_sheet_makes_the_workbook_one_table(self) -> None:
        schemas = [{"id": "2026/book", "excel_sheet": "People"}]
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": PEOPLE})}, schemas=schemas)

        assert outputs_of(run) == {"2026/book.jsonl": '{"name":"Ada"}\n'}

    def test_a_workbook_that_is_not_enabled_has_no_tables(self) -> None:
        run = run_of({REF: xlsx({"Orders": ORDERS})}, schemas=[{"id": "2026/book", "enabled": False}])

        assert outputs_of(run) == {}
        assert entry_of(run).state is State.IGNORED

    def test_that_of_a_sheet_cannot_name_another(self) -> None:
        schemas = [{"id": "2026/book/Orders", "excel_sheet": "People"}]
        run = run_of({REF: xlsx({"Orders": ORDERS, "People": PEOPLE})}, schemas=schemas)

        assert "says excel_sheet: People" in failure_of(run)


class TestSheetsThatAreNoTables:
    @pytest.mark.parametrize(
        ("sheets", "says"),
        [
            ({"One": {}}, "the workbook has no sheet that can be read ('One': it has no cells)"),
            ({"../a": PEOPLE}, "the sheet '../a' leads out of the workbook's own folder"),
            ({"a//b": PEOPLE}, "the sheet 'a//b' leads out of the workbook's own folder"),
            ({"all": PEOPLE, "b": PEOPLE}, "excel_sheet: 1"),
        ],
        ids=["empty", "up", "empty name", "named all"],
    )
    def test_nothing_is_written_for_a_workbook_that_cannot_be_tables(
        self, sheets: Mapping[str, Mapping[str, str]], says: str
    ) -> None:
        assert says in failure_of(run_of({REF: xlsx(sheets)}))

    def test_two_sheets_of_one_name(self) -> None:
        run = run_of({REF: renamed(xlsx({"a": PEOPLE, "b": PEOPLE}))})

        assert "two sheets have the name 'a'" in failure_of(run)

    @pytest.mark.slow
    def test_three_hundred_sheets_are_too_many(self) -> None:
        run = run_of({REF: xlsx({f"s{number}": {"A1": text("a")} for number in range(300)})})

        assert "more than 100 outputs" in failure_of(run)
        assert "choose the tables in schemas" in failure_of(run)

    @pytest.mark.slow
    def test_a_few_of_too_many_can_be_chosen(self) -> None:
        data = xlsx({f"s{number}": {"A1": text("a"), "A2": text("x")} for number in range(101)})
        run = run_of({REF: data}, schemas=["2026/book/s7", "2026/book/s99"])

        assert list(outputs_of(run)) == ["2026/book/s7.jsonl", "2026/book/s99.jsonl"]


class TestWorkbooksInArchives:
    ZIP = ObjectRef("acme-in", "in/export.zip")

    def test_each_sheet_is_a_table_below_the_workbooks_name(self) -> None:
        books = {"a/book.xlsx": xlsx({"Orders": ORDERS, "Old": {}}), "b.csv": b"id\n1\n"}
        run = run_of({self.ZIP: zipped(books)}, source={"excel_sheet": "all", "source_columns": ["file"]})

        assert list(outputs_of(run)) == ["export/a/book/Orders.jsonl", "export/b.jsonl"]
        row = outputs_of(run)["export/a/book/Orders.jsonl"].splitlines()[0]
        assert row == '{"id":1,"amount":2.5,"_file":"s3://acme-in/in/export.zip/a/book.xlsx/Orders"}'
        reason = entry_of(run, self.ZIP).reason or ""
        assert "1 of its members are ignored: 'a/book.xlsx/Old': it has no cells" in reason

    def test_a_sheet_that_goes_and_one_that_comes(self) -> None:
        run = run_of({self.ZIP: zipped({"book.xlsx": xlsx({"Orders": ORDERS, "Old": PEOPLE})})})
        assert list(outputs_of(run)) == ["export/book/Old.jsonl", "export/book/Orders.jsonl"]

        run.upload(self.ZIP, zipped({"book.xlsx": xlsx({"New": PEOPLE, "Orders": ORDERS})}))

        assert list(outputs_of(run)) == ["export/book/New.jsonl", "export/book/Orders.jsonl"]

    def test_schemas_choose_and_name_them(self) -> None:
        schemas = [{"id": "export/book/Orders", "user_output_name": "sales"}, {"id": "export/one", "excel_sheet": "2"}]
        two = xlsx({"Orders": ORDERS, "People": PEOPLE})
        run = run_of({self.ZIP: zipped({"book.xlsx": two, "one.xlsx": two, "not.xlsx": two})}, schemas=schemas)

        assert list(outputs_of(run)) == ["export/one.jsonl", "sales.jsonl"]
        assert outputs_of(run)["export/one.jsonl"] == '{"name":"Ada"}\n'

    def test_bad_rows_of_a_sheet_are_put_aside(self) -> None:
        bad = {**PEOPLE, "A3": ' t="e"><v>#DIV/0!</v>'}
        run = run_of({self.ZIP: zipped({"book.xlsx": xlsx({"People": bad})})}, bad_rows="quarantine")

        assert '"source": "book.xlsx/People"' in outputs_of(run)["_quarantine/export/book/People.jsonl"]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("book", "says"),
        [
            (b"PK\x03\x04", "book.xlsx: "),
            (xlsx({"One": {}}), "book.xlsx: the workbook has no sheet that can be read"),
            (xlsx({"../a": PEOPLE}), "the member 'book.xlsx/../a' leads out of the archive's own folder"),
            (xlsx({"all": PEOPLE, "b": PEOPLE}), "excel_sheet: 1"),
            (xlsx({f"s{number}": {"A1": text("a")} for number in range(101)}), "more than 100 outputs"),
        ],
        ids=["damaged", "empty", "up", "named all", "too many"],
    )
    def test_one_that_cannot_be_tables_fails_the_archive(self, book: bytes, says: str) -> None:
        run = run_of({self.ZIP: zipped({"a.csv": b"id\n1\n", "book.xlsx": book})})

        assert says in failure_of(run, self.ZIP)

    def test_a_sheet_and_a_file_of_one_name(self) -> None:
        run = run_of({self.ZIP: zipped({"book/People.csv": b"id\n1\n", "book.xlsx": xlsx({"People": PEOPLE})})})

        assert "'book.xlsx/People' and 'book/People.csv' have the same output" in failure_of(run, self.ZIP)
