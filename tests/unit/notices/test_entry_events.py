"""What is said of settled work, and to whom."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest

from millrace.errors import AccessDenied, Crashed, MalformedFile, ServiceUnavailable
from millrace.ledger.entries import Announcement, Output, State, WorkEntry
from millrace.ledger.rules import MOST_ATTEMPTS
from millrace.ledger.schema_changes import MOST_FIELDS, FieldChange, FieldChangeKind, SchemaChanges
from millrace.notices.entry_events import MOST_OUTPUTS, EntryEvents
from millrace.notices.events import Event
from millrace.notices.levels import Levels
from millrace.notices.telling import EntryTeller
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document, model_document
from tests.event_schemas import check_event
from tests.unit.notices.building import RUN, entry, events_of, failed, table

CHANGES = SchemaChanges.of(
    [
        FieldChange(field="b", kind=FieldChangeKind.ADDED, after="text"),
        FieldChange(field="zip", kind=FieldChangeKind.TYPE, before="int64", after="text"),
        FieldChange(field="at", kind=FieldChangeKind.FORM, before="timestamp[s]", after="timestamp[s]", form="T0"),
    ]
)
ENDED = Announcement(run="nightly-1", has_written=True)
CASES: dict[str, tuple[WorkEntry, list[str]]] = {
    "converted": (entry(), ["object.converted"]),
    "quarantined": (entry(State.QUARANTINED), ["object.quarantined"]),
    "removed": (entry(State.REMOVED), ["object.removed"]),
    "malformed": (failed(MalformedFile("row 7 is short", row=7, byte=88)), ["object.failed"]),
    "denied": (failed(AccessDenied("s3:GetObject")), ["object.failed"]),
    "tried again": (failed(ServiceUnavailable("503")), []),
    "ignored": (entry(State.IGNORED), []),
    "superseded": (entry(State.SUPERSEDED), []),
    "archived": (entry(State.WAITING), []),
    "evolved": (entry(schema_changes=CHANGES, schema_version=2), ["object.converted", "table.schema_changed"]),
    "run begun": (entry(State.WAITING, big_run=RUN), ["run.started"]),
    "run done": (entry(announcement=ENDED), ["object.converted", "run.completed"]),
    "run with bad rows": (
        entry(State.QUARANTINED, announcement=ENDED),
        ["object.quarantined", "run.completed_with_errors"],
    ),
    "run refused": (failed(MalformedFile("x"), big_run=RUN), ["object.failed", "run.failed"]),
    "run given up": (
        failed(ServiceUnavailable("503"), big_run=RUN, attempts=MOST_ATTEMPTS),
        ["object.failed", "run.failed"],
    ),
    "run asked again": (failed(ServiceUnavailable("503"), big_run=RUN), []),
    "snapshot table": (table(), ["table.replaced"]),
}


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


@pytest.mark.parametrize(("settled", "wanted"), CASES.values(), ids=CASES)
def test_settled_work_has_its_events(settled: WorkEntry, wanted: list[str]) -> None:
    events = events_of().wanted(settled)

    assert names(events) == wanted
    for event in events:
        check_event(event)


@pytest.mark.parametrize(("settled", "_wanted"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("notify", ["none", "failures", "runs", "objects"])
def test_what_is_wanted_is_what_is_said(settled: WorkEntry, _wanted: list[str], notify: str) -> None:
    """A cold start asks without loading the events; both must agree, or an entry would be untold for nothing."""
    made = events_of(notify)

    assert made.levels.wants(settled) is bool(made.wanted(settled))


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [
        ("none", []),
        ("failures", ["object.quarantined", "run.completed_with_errors"]),
        ("runs", ["object.quarantined", "run.completed_with_errors", "table.schema_changed"]),
    ],
)
def test_each_level_has_those_before_it(notify: str, wanted: list[str]) -> None:
    settled = entry(State.QUARANTINED, announcement=ENDED, schema_changes=CHANGES, schema_version=2)

    assert names(events_of(notify).wanted(settled)) == wanted


def test_a_failure_says_where_and_what_to_do() -> None:
    (event,) = events_of(found=ObjectRef("acme-in", "in/orders")).wanted(
        failed(MalformedFile("row 7 is short", row=7, byte=88), source=ObjectRef("acme-in", "in/it's a.csv"))
    )

    detail = event.to_detail()

    assert detail["error"] == {
        "branch": "data",
        "error": "MalformedFile",
        "message": "row 7 is short",
        "row": 7,
        "byte": 88,
    }
    assert detail["repair"] == """millrace reprocess --name=millrace nightly --key='in/it'"'"'s a.csv'"""
    assert detail["table"] == "s3://acme-in/in/orders"


def test_a_conversion_says_what_was_read_and_written() -> None:
    (event,) = events_of().wanted(entry())

    assert event.to_detail() == {
        "id": event.id,
        "time": "2026-11-22T12:00:00+00:00",
        "deployment": "millrace",
        "schema": 1,
        "sync": "nightly",
        "object": {"bucket": "acme-in", "key": "in/a.csv", "version": "v", "etag": "e", "size": 10},
        "outputs": [{"bucket": "acme-out", "key": "lake/a.parquet", "etag": "t", "rows": 2, "bytes": 7}],
        "outputs_left_out": 0,
        "rows": {"read": 3, "written": 2, "quarantined": 1, "filtered": 0},
        "milliseconds": 1500,
        "fence": 2,
        "attempts": 1,
    }


def test_a_changed_schema_is_said_field_by_field() -> None:
    (event,) = events_of("runs", found=ObjectRef("acme-in", "in/orders")).wanted(
        entry(schema_changes=CHANGES, schema_version=2)
    )

    assert event.to_detail() == {
        "id": event.id,
        "time": "2026-11-22T12:00:00+00:00",
        "deployment": "millrace",
        "schema": 1,
        "sync": "nightly",
        "table": "s3://acme-in/in/orders",
        "version": 2,
        "changes": [
            {"field": "b", "kind": "added", "to": "text"},
            {"field": "zip", "kind": "type", "from": "int64", "to": "text"},
            {"field": "at", "kind": "form", "from": "timestamp[s]", "to": "timestamp[s]", "form": "T0"},
        ],
        "changes_left_out": 0,
        "summary": "b: new, text; zip: int64 -> text; at: timestamp[s] -> timestamp[s] (T0)",
        "file": {"bucket": "acme-in", "key": "in/a.csv", "version": "v", "etag": "e", "size": 10},
    }


def test_changes_that_0_1_0_wrote_are_a_sentence_alone() -> None:
    (event,) = events_of("runs").wanted(entry(schema_changes=SchemaChanges("b: new, text"), schema_version=2))

    detail = event.to_detail()
    assert (detail["changes"], detail["changes_left_out"], detail["summary"]) == ([], 0, "b: new, text")
    check_event(event)


def test_a_thousand_new_fields_fit_into_an_event() -> None:
    """256 KB, also if every name is as long as it can be and each of its bytes is escaped."""
    change = FieldChange(field="\x01" * 1000, kind=FieldChangeKind.TYPE, before="\x02" * 9000, after="\x03" * 9000)

    (event,) = events_of("runs").wanted(entry(schema_changes=SchemaChanges.of([change] * 1000)))

    detail = event.to_detail()
    assert len(json.dumps(detail, ensure_ascii=False).encode()) < 200_000
    assert (len(detail["changes"]), detail["changes_left_out"]) == (MOST_FIELDS, 1000 - MOST_FIELDS)


def test_the_id_is_of_what_happened_alone() -> None:
    first, again = (events_of().wanted(entry(revision=revision))[0] for revision in (3, 4))
    others = [entry(fence=3), entry(State.QUARANTINED), entry(source=ObjectRef("acme-in", "in/b.csv"))]

    assert first.id == again.id
    assert len({first.id, *(events_of().wanted(other)[0].id for other in others)}) == 4


def test_events_of_one_entry_have_different_ids() -> None:
    settled = entry(announcement=ENDED, schema_changes=CHANGES, schema_version=2)

    ids = [event.id for event in events_of().wanted(settled)]

    assert len(set(ids)) == len(ids) == 3


def test_a_thousand_outputs_fit_into_an_event() -> None:
    """256 KB, also if every key is as long as S3 allows and each of its bytes is escaped."""
    outputs = tuple(
        Output(ref=ObjectRef("b" * 63, "\x01" * 1020 + f"{number:04}"), etag="t" * 34, size=10**12, rows=10**9)
        for number in range(1000)
    )

    (event,) = events_of().wanted(entry(outputs=outputs))

    detail = event.to_detail()
    assert len(json.dumps(detail, ensure_ascii=False).encode()) < 200_000
    assert (len(detail["outputs"]), detail["outputs_left_out"]) == (MOST_OUTPUTS, 1000 - MOST_OUTPUTS)


class TestModelEvents:
    """One table of a folder's files: its builds are runs, and its files are no objects of their own."""

    FOLDER = ObjectRef("acme-in", "in/")
    MODEL: ClassVar[dict[str, Any]] = {"model_from": "multi_file_archive", "file_format": "csv"}

    def events(self, **sync: Any) -> EntryEvents:
        levels = Levels.of(model_document(self.MODEL, {"notify": "objects"} | sync))
        return EntryEvents(deployment="millrace", levels=levels, find_table=lambda _entry: None)

    def test_a_build_is_a_run_and_replaces_its_table(self) -> None:
        events = self.events().wanted(entry(source=self.FOLDER))

        assert names(events) == ["run.completed", "table.replaced"]
        assert events[0].to_detail()["kind"] == "model"

    def test_a_build_that_finds_nothing_new_replaces_nothing(self) -> None:
        assert names(self.events().wanted(entry(source=self.FOLDER, announcement=Announcement()))) == ["run.completed"]

    def test_a_build_that_fails_is_a_run_that_fails(self) -> None:
        events = self.events(notify="failures").wanted(failed(MalformedFile("x"), source=self.FOLDER))

        assert names(events) == ["run.failed"]

    def test_a_build_in_parts_begins_and_ends_as_a_big_run_too(self) -> None:
        begun = self.events().wanted(entry(State.WAITING, source=self.FOLDER, big_run=RUN))
        done = self.events().wanted(entry(source=self.FOLDER, announcement=ENDED))

        assert names(begun) == ["run.started"]
        assert [(event.name, event.to_detail().get("kind")) for event in done] == [
            ("run.completed", "model"),
            ("run.completed", "big"),
            ("table.replaced", None),
        ]
        assert len({event.id for event in done}) == 3

    def test_its_files_are_told_of_only_if_they_kill(self) -> None:
        assert self.events().wanted(entry()) == []
        assert self.events().wanted(entry(State.REMOVED)) == []
        assert names(self.events().wanted(failed(Crashed("three workers died")))) == ["object.failed"]

    def test_files_that_are_appended_are_objects(self) -> None:
        assert names(self.events(mode="append").wanted(entry())) == ["object.converted"]


class TestTeller:
    """Sends what is wanted; a sync that is no more has nothing to say."""

    def teller(self, sent: list[Event], **sync: Any) -> EntryTeller:
        read = document(bulk_sync(notify="objects", **sync), source={"is_single_table": True})
        return EntryTeller("millrace", Levels.of(read), Planner(read), sent.extend)

    def test_a_file_of_a_table_names_it(self) -> None:
        sent: list[Event] = []
        self.teller(sent).tell(entry())

        assert [event.to_detail().get("table") for event in sent] == ["s3://acme-in/in/in"]

    def test_what_nobody_wants_any_more_sends_nothing(self) -> None:
        sent: list[Event] = []
        teller = self.teller(sent, active=False)
        teller.tell(entry())

        assert (sent, teller.wants(entry())) == ([], False)
