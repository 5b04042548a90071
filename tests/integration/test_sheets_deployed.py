"""A workbook under one configuration, then under another: its sheet is one table, or all of its sheets are tables.

What stood under the former configuration goes once the new one's outputs are there, and stays if they cannot be made.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import convert.handler
import reconcile.handler
import reprocess.handler
from millrace.config.document import Document
from millrace.ledger.entries import State
from tests.configurations import bulk_sync, document
from tests.integration.conftest import FakeSurroundings, LambdaContext
from tests.unit.engine.formats.workbooks import grid, xlsx

BOOK = "in/book.xlsx"
ORDERS, PEOPLE = grid(("id",), (1,)), grid(("name",), ("Ada",))
BAD = {**PEOPLE, "A3": ' t="e"><v>#DIV/0!</v>'}
DATA = xlsx({"Orders": ORDERS, "People": PEOPLE})


def of_sheet(sheet: str, **sync: Any) -> Document:
    """The workbooks are one table each, of one sheet or of each sheet."""
    return document(bulk_sync(to="json", **sync), source={"excel_sheet": sheet})


ONE, ALL = of_sheet("Orders"), of_sheet("all")
OF_ONE, OF_ALL = ["lake/book.jsonl"], ["lake/book/Orders.jsonl", "lake/book/People.jsonl"]


@pytest.fixture
def configuration() -> Document:
    """That of one sheet comes first."""
    return ONE


def upload(around: FakeSurroundings, key: str, data: bytes) -> None:
    work(around.deliver({"Records": [around.upload(key, data)]}))


def work(event: dict[str, Any]) -> None:
    assert convert.handler.handle(event, LambdaContext()) == {"batchItemFailures": []}


def reprocess_all(around: FakeSurroundings) -> None:
    sent = reprocess.handler.handle({"sync": "nightly"}, LambdaContext())["sent"]
    work(around.deliver_waiting(sent))


def work_on_what_was_asked(around: FakeSurroundings) -> None:
    answer = around.sqs.get_queue_attributes(QueueUrl=around.queue, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    if waiting:
        work(around.deliver_waiting(waiting))


def named_outputs(around: FakeSurroundings, key: str = BOOK) -> list[str]:
    """What the ledger says that there is."""
    entry = around.entry(key)
    assert entry is not None
    return sorted(output.ref.key for output in entry.outputs)


@pytest.mark.parametrize(
    ("before", "after", "first", "then"),
    [(ONE, ALL, OF_ONE, OF_ALL), (ALL, ONE, OF_ALL, OF_ONE)],
    ids=["to all", "and back"],
)
class TestTheOtherWay:
    def test_a_reprocess_replaces_the_outputs(
        self, around: FakeSurroundings, before: Document, after: Document, first: list[str], then: list[str]
    ) -> None:
        around.deploy(before)
        upload(around, BOOK, DATA)
        assert around.outputs() == named_outputs(around) == first

        around.deploy(after)
        assert around.outputs() == first
        reprocess_all(around)

        assert around.outputs() == named_outputs(around) == then
        assert around.letters() == []

    def test_so_does_a_new_version_of_the_workbook(
        self, around: FakeSurroundings, before: Document, after: Document, first: list[str], then: list[str]
    ) -> None:
        around.deploy(before)
        upload(around, BOOK, DATA)
        assert around.outputs() == first

        around.deploy(after)
        upload(around, BOOK, xlsx({"Orders": PEOPLE, "People": ORDERS}))

        assert around.outputs() == named_outputs(around) == then

    def test_and_there_and_back_again_the_bytes_are_the_same(
        self, around: FakeSurroundings, before: Document, after: Document, first: list[str], then: list[str]
    ) -> None:
        around.deploy(before)
        upload(around, BOOK, DATA)
        written = {key: around.output(key) for key in around.outputs()}
        for configuration in (after, before):
            around.deploy(configuration)
            reprocess_all(around)

        assert {key: around.output(key) for key in around.outputs()} == written
        assert list(written) == first != then

    def test_the_deletion_of_the_workbook_removes_what_stands_of_the_former(
        self, around: FakeSurroundings, before: Document, after: Document, first: list[str], then: list[str]
    ) -> None:
        around.deploy(before)
        upload(around, BOOK, DATA)
        sheet = after.connections[0].configuration.options["excel_sheet"]
        around.deploy(of_sheet(sheet, on_delete="remove"))

        around.s3.delete_object(Bucket="acme-in", Key=BOOK)
        reconciled(around)

        assert around.outputs() == []
        entry = around.entry(BOOK)
        assert entry is not None
        assert entry.state is State.REMOVED
        assert first != then


def reconciled(around: FakeSurroundings) -> None:
    sent = reconcile.handler.handle({"sync": "nightly"}, LambdaContext())
    assert sent
    work_on_what_was_asked(around)


class TestWhatCannotBeMade:
    def test_outputs_of_one_sheet_stay_if_another_sheet_cannot_be_read(self, around: FakeSurroundings) -> None:
        upload(around, BOOK, xlsx({"Orders": ORDERS, "People": BAD}))
        around.deploy(ALL)

        reprocess_all(around)

        assert around.outputs() == named_outputs(around) == OF_ONE
        assert failure_of(around) == "MalformedFile"

    def test_those_of_all_sheets_stay_if_the_one_that_is_named_is_not_there(self, around: FakeSurroundings) -> None:
        around.deploy(ALL)
        upload(around, BOOK, DATA)
        around.deploy(of_sheet("Nmae"))

        reprocess_all(around)

        assert around.outputs() == named_outputs(around) == OF_ALL
        assert failure_of(around) == "UnknownSheet"

    def test_a_workbook_of_which_no_sheet_is_wanted_has_no_outputs(self, around: FakeSurroundings) -> None:
        upload(around, BOOK, DATA)
        around.deploy(of_sheet("all", schemas=["book/Returns"]))

        reprocess_all(around)

        entry = around.entry(BOOK)
        assert entry is not None
        assert entry.state is State.IGNORED
        assert around.outputs() == named_outputs(around) == []


def failure_of(around: FakeSurroundings, key: str = BOOK) -> str:
    entry = around.entry(key)
    assert entry is not None
    assert entry.state is State.FAILED
    assert entry.failure is not None
    return entry.failure.error


class TestQuarantine:
    @pytest.fixture
    def configuration(self) -> Document:
        """Bad rows are put aside."""
        return of_sheet("People", bad_rows="quarantine")

    def test_bad_rows_move_with_their_sheet(self, around: FakeSurroundings) -> None:
        upload(around, BOOK, xlsx({"Orders": ORDERS, "People": BAD}))
        assert around.outputs() == ["lake/_quarantine/book.jsonl", "lake/book.jsonl"]
        around.deploy(of_sheet("all", bad_rows="quarantine"))

        reprocess_all(around)

        assert around.outputs() == ["lake/_quarantine/book/People.jsonl", *OF_ALL]
        around.deploy(of_sheet("Orders", bad_rows="quarantine"))
        reprocess_all(around)
        assert around.outputs() == OF_ONE


class TestRivalsOfSheets:
    """`in/book/Orders.csv` becomes what the sheet `Orders` of `in/book.xlsx` becomes, too."""

    def test_one_has_the_place_that_sheets_leave(self, around: FakeSurroundings) -> None:
        around.deploy(ALL)
        upload(around, BOOK, DATA)
        upload(around, "in/book/Orders.csv", b"id\n7\n")
        assert failure_of(around, "in/book/Orders.csv") == "OutputCollision"
        around.deploy(ONE)

        upload(around, BOOK, xlsx({"Orders": ORDERS}))
        work_on_what_was_asked(around)

        assert around.outputs() == ["lake/book.jsonl", "lake/book/Orders.jsonl"]
        assert json.loads(around.output("lake/book/Orders.jsonl")) == {"id": 7}

    def test_and_sheets_have_none_that_another_has(self, around: FakeSurroundings) -> None:
        upload(around, "in/book/Orders.csv", b"id\n7\n")
        upload(around, BOOK, DATA)
        around.deploy(ALL)

        reprocess_all(around)

        assert failure_of(around) == "OutputCollision"
        assert json.loads(around.output("lake/book/Orders.jsonl")) == {"id": 7}
        assert "lake/book.jsonl" in around.outputs()
