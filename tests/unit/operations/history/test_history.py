"""Finished work: what a row says, how a day is exported again and again, and what is read of both."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.deployment.history_columns import HISTORY_COLUMNS
from millrace.deployment.prices import REQUESTS_PER_OBJECT, price_calls
from millrace.engine.row_counts import RowCounts
from millrace.errors import DataError, OutOfTime, ServiceUnavailable, UsageError
from millrace.ledger.entries import BigRunFacts, Branch, BuildFacts, Entry, Failure, Output, State
from millrace.objects.references import ObjectRef, SourceVersion
from millrace.operations.history.days import SCHEMA, day_of, place_of, read_day, write_day
from millrace.operations.history.export import DUE, HistoryExporter, parse_export
from millrace.operations.history.reading import (
    CostKey,
    CostSum,
    HistoryFilter,
    HistoryReader,
    HistoryStore,
    find_group,
    sum_costs,
)
from millrace.operations.history.work import FINISHED, Billing, FinishedWork
from tests.fakes import InMemoryLedger, InMemoryObjectStore, InMemoryUpload

HOME = ObjectRef("acme-out", "lake/.millrace/history/")
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
BILLING = Billing(memory_mb=1024)


def finished(key: str = "in/a.csv", at: datetime = MONDAY, *, sync: str = "nightly", seconds: float = 2.0) -> Entry:
    """A conversion of 100 rows from 1,000 bytes to 300."""
    return Entry(
        sync=sync,
        source=ObjectRef("acme-in", key),
        state=State.CONVERTED,
        revision=1,
        fence=3,
        fingerprint="f",
        engine="0.2.0",
        version=SourceVersion(etag="e", version_id="v", size=1000),
        outputs=(Output(ref=ObjectRef("acme-out", f"lake/{key}"), etag="o", size=300, rows=100),),
        rows=RowCounts(read=110, written=100, quarantined=4, filtered=6),
        started=at - timedelta(seconds=seconds),
        finished=at,
        attempts=1,
        run_id="20261123",
        schema_version=2,
    )


@dataclass
class HistoryPlant:
    """A ledger and a bucket, and a clock."""

    now: datetime = MONDAY
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    store: InMemoryObjectStore = field(default_factory=lambda: InMemoryObjectStore(buckets={"acme-out": {}}))
    keep_days: int | None = None

    def settle(self, *entries: Entry) -> None:
        """Put entries, whatever was there."""
        for entry in entries:
            self.ledger.entries[entry.sync, entry.source] = entry

    def exporter(self) -> HistoryExporter:
        return HistoryExporter(
            ledger=self.ledger,
            store=self.store,
            home=HOME,
            billing=BILLING,
            now=lambda: self.now,
            keep_days=self.keep_days,
        )

    def export(self, asked: str = DUE, *, remaining: float = 900.0) -> dict[str, object]:
        self.store.modified = self.now
        return self.exporter().run(asked, lambda: remaining).to_json()

    def rows(self, day: str) -> list[FinishedWork]:
        place = place_of(HOME, day)
        return list(read_day(io.BytesIO(self.store.data(place)), place))

    def reader(self, *, is_exported: bool = True) -> HistoryReader:
        exported = HistoryStore(store=self.store, home=HOME) if is_exported else None
        return HistoryReader(ledger=self.ledger, billing=BILLING, now=self.now, exported=exported)

    def read(self, *, is_exported: bool = True, **wanted: Any) -> list[tuple[str, str]]:
        """Days and keys of the last two weeks."""
        span: dict[str, Any] = {"since": self.now - timedelta(days=14), "until": self.now + timedelta(days=1)}
        chosen = HistoryFilter(**{**span, **wanted})
        return [(work.day, work.ref.key) for work in self.reader(is_exported=is_exported).read(chosen)]


class TestRow:
    def test_says_what_the_work_took_and_gave(self) -> None:
        work = FinishedWork.of(finished(), BILLING)

        assert (work.day, work.object, work.state) == ("2026-11-23", "s3://acme-in/in/a.csv", "converted")
        assert (work.rows_read, work.rows_written, work.rows_quarantined, work.rows_filtered) == (110, 100, 4, 6)
        assert (work.bytes_read, work.bytes_written, work.outputs, work.seconds) == (1000, 300, 1, 2.0)
        assert work.gigabyte_seconds == 2.0
        assert work.dollars == pytest.approx(2 * 13.3334e-6 + price_calls())

    def test_of_a_failure_it_says_why(self) -> None:
        failure = Failure(branch=Branch.DATA, error="RaggedRow", message="row 7 has 3 fields", row=7)
        work = FinishedWork.of(replace(finished(), state=State.FAILED, failure=failure, outputs=()), BILLING)

        assert (work.state, work.error, work.message) == ("failed", "RaggedRow", "row 7 has 3 fields")
        # It has no outputs either, but it is no file of a table: its time was its own.
        assert (work.seconds, work.requests, work.outputs) == (2.0, REQUESTS_PER_OBJECT, 0)

    def test_a_big_runs_time_is_not_what_a_function_took(self) -> None:
        facts = BigRunFacts(name="orders-2f", execution="orders-2f", connection="lake", home=HOME)
        work = FinishedWork.of(replace(finished(seconds=7200.0), big_run=facts), BILLING)

        assert (work.seconds, work.gigabyte_seconds, work.big_run) == (7200.0, None, "orders-2f")
        assert work.dollars == pytest.approx(price_calls())

    def test_a_file_of_a_table_costs_nothing_of_its_own(self) -> None:
        """The build's entry has the time, the outputs and the requests; its files would count them again."""
        part = replace(finished(), outputs=(), build=BuildFacts(built_etag="e"))
        work = FinishedWork.of(part, BILLING)

        assert (work.seconds, work.gigabyte_seconds, work.requests, work.dollars) == (0.0, 0.0, 0, 0.0)

    def test_each_column_has_its_own_value(self) -> None:
        """Times are of another zone in the ledger; no two numbers are alike, so that none can be another's."""
        tokyo = timezone(timedelta(hours=9))
        facts = BigRunFacts(name="orders-2f", execution="orders-2f", connection="lake", home=HOME)
        failure = Failure(branch=Branch.DATA, error="RaggedRow", message="row 7 has 3 fields", row=7)
        entry = finished(at=datetime(2026, 11, 24, 8, 30, tzinfo=tokyo))
        entry = replace(entry, started=entry.started and entry.started.astimezone(tokyo), failure=failure)

        row = FinishedWork.of(replace(entry, attempts=2, big_run=facts), BILLING).to_row()

        assert row.pop("dollars") == pytest.approx(price_calls())
        assert row == {
            "sync": "nightly",
            "object": "s3://acme-in/in/a.csv",
            "state": "converted",
            "started": datetime(2026, 11, 23, 23, 29, 58, tzinfo=UTC),
            "finished": datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
            "seconds": 2.0,
            "rows_read": 110,
            "rows_written": 100,
            "rows_quarantined": 4,
            "rows_filtered": 6,
            "bytes_read": 1000,
            "bytes_written": 300,
            "outputs": 1,
            "gigabyte_seconds": None,
            "requests": REQUESTS_PER_OBJECT,
            "attempts": 2,
            "error": "RaggedRow",
            "message": "row 7 has 3 fields",
            "run_id": "20261123",
            "big_run": "orders-2f",
            "etag": "e",
            "version_id": "v",
            "schema_version": 2,
            "engine": "0.2.0",
            "fingerprint": "f",
            "fence": 3,
        }
        # Equal moments of two zones are equal; what is written must be UTC.
        assert [row[name].utcoffset() for name in ("started", "finished")] == [timedelta(0)] * 2

    def test_what_is_not_known_is_missing_and_not_nothing(self) -> None:
        entry = replace(finished(), started=None, version=SourceVersion(etag="e"), run_id=None, schema_version=None)
        work = FinishedWork.of(entry, Billing(memory_mb=None))

        assert (work.started, work.seconds, work.gigabyte_seconds, work.bytes_read) == (None, 0.0, None, None)
        assert (work.error, work.message, work.run_id, work.big_run, work.schema_version) == (None,) * 5

    def test_clocks_that_differ_make_no_negative_time(self) -> None:
        assert FinishedWork.of(finished(seconds=-3.0), BILLING).seconds == 0.0

    def test_the_memory_of_a_function_is_its_share_of_gigabytes(self) -> None:
        work = FinishedWork.of(finished(seconds=10.0), Billing(memory_mb=512))

        assert (work.seconds, work.gigabyte_seconds) == (10.0, 5.0)

    @pytest.mark.parametrize("has_outputs", [False, True])
    def test_a_table_itself_is_no_file_of_it(self, *, has_outputs: bool) -> None:
        """Both remember the build; the table alone has outputs."""
        entry = replace(finished(), build=BuildFacts(built_etag="e"))
        work = FinishedWork.of(entry if has_outputs else replace(entry, outputs=()), BILLING)

        assert work.requests == (REQUESTS_PER_OBJECT if has_outputs else 0)
        assert work.seconds == (2.0 if has_outputs else 0.0)

    def test_what_waits_or_is_at_work_has_not_ended(self) -> None:
        assert frozenset(State) - FINISHED == {State.IN_FLIGHT, State.WAITING}

    def test_has_the_columns_that_are_catalogued(self) -> None:
        names = [column.name for column in HISTORY_COLUMNS]

        assert list(FinishedWork.of(finished(), BILLING).to_row()) != []
        assert set(FinishedWork.of(finished(), BILLING).to_row()) == set(names)
        assert SCHEMA.names == names


class TestDay:
    @pytest.mark.slow
    @given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.floats(0, 1e6)), max_size=30))
    def test_what_was_written_is_read(self, works: list[tuple[str, float]]) -> None:
        rows = [FinishedWork.of(finished(key, seconds=seconds), BILLING) for key, seconds in works if _is_text(key)]
        sink = io.BytesIO()

        assert write_day(rows, sink) == len(rows)
        assert list(read_day(io.BytesIO(sink.getvalue()), HOME)) == rows

    def test_the_same_rows_give_the_same_bytes(self) -> None:
        first, second = io.BytesIO(), io.BytesIO()
        rows = [FinishedWork.of(finished(f"in/{number}"), BILLING) for number in range(100)]
        write_day(rows, first)
        write_day(rows, second)

        assert first.getvalue() == second.getvalue()
        assert pq.read_table(io.BytesIO(first.getvalue())).num_rows == 100

    def test_another_file_is_refused(self) -> None:
        with pytest.raises(DataError, match="no day of a history"):
            list(read_day(io.BytesIO(b"hello"), HOME))

    @pytest.mark.parametrize(
        "name", ["day=2026-13-40/history.parquet", "day=2026-11-23/other", "2026-11-23/history.parquet"]
    )
    def test_what_is_no_days_file_is_nobodys(self, name: str) -> None:
        assert day_of(HOME, ObjectRef(HOME.bucket, HOME.key + name)) is None

    def test_a_day_is_found_by_its_name(self) -> None:
        assert day_of(HOME, place_of(HOME, "2026-11-23")) == "2026-11-23"


def _is_text(key: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in key)


class TestExport:
    def test_a_day_has_what_ended_on_it_and_nothing_that_waits(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        waiting = replace(finished("in/w.csv"), state=State.WAITING)
        plant.settle(finished("in/a.csv"), finished("in/b.csv", MONDAY + timedelta(days=1)), waiting)

        assert plant.export() == {"exported": _days(plant, "2026-11-23", 1), "deleted": [], "problems": []}
        assert [work.ref.key for work in plant.rows("2026-11-23")] == ["in/a.csv"]

    def test_a_day_without_work_leaves_nothing_and_nothing_half_uploaded(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        uploads, genuine = list[InMemoryUpload](), plant.store.upload

        def remember_upload(target: ObjectRef, metadata: Mapping[str, str]) -> InMemoryUpload:
            uploads.append(genuine(target, metadata))
            return uploads[-1]

        plant.store.upload = remember_upload  # type: ignore[method-assign] # the test looks at what became of it
        plant.export("2026-11-23")

        assert plant.store.buckets["acme-out"] == {}
        assert [upload.discarded for upload in uploads] == [True]

    def test_once_more_gives_the_same_bytes(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        plant.settle(*(finished(f"in/{number}.csv") for number in range(20)))
        plant.export("2026-11-23")
        first = plant.store.data(place_of(HOME, "2026-11-23"))
        plant.export("2026-11-23")

        assert plant.store.data(place_of(HOME, "2026-11-23")) == first

    def test_what_was_converted_again_since_keeps_its_row(self) -> None:
        """For the ledger it belongs to the later day; the row that was exported stays, and is not doubled."""
        plant = HistoryPlant(now=MONDAY.replace(hour=23, minute=50))
        plant.settle(finished("in/a.csv"), finished("in/b.csv"))
        plant.export()
        tuesday = MONDAY + timedelta(hours=14, minutes=20)
        plant.settle(finished("in/a.csv", tuesday))
        plant.now = tuesday + timedelta(minutes=30)
        answer = plant.export("2026-11-23")

        assert answer["exported"] == {"2026-11-23": {"rows": 2, "kept": 1}}
        assert sorted(work.ref.key for work in plant.rows("2026-11-23")) == ["in/a.csv", "in/b.csv"]
        plant.export("2026-11-24")
        assert [work.ref.key for work in plant.rows("2026-11-24")] == ["in/a.csv"]

    def test_of_what_ended_twice_on_a_day_the_last_is_kept(self) -> None:
        plant = HistoryPlant(now=MONDAY.replace(hour=23, minute=50))
        plant.settle(finished("in/a.csv", seconds=1.0))
        plant.export()
        plant.settle(finished("in/a.csv", MONDAY.replace(hour=23, minute=55), seconds=9.0))
        plant.now += timedelta(hours=1)
        plant.export()

        assert [work.seconds for work in plant.rows("2026-11-23")] == [9.0]

    def test_one_object_under_two_syncs_has_two_rows(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        plant.settle(finished(), finished(sync="other"))
        plant.export()

        assert {work.sync for work in plant.rows("2026-11-23")} == {"nightly", "other"}

    def test_days_that_are_missing_are_made_up_for(self) -> None:
        """The schedule did not work for some days; what the ledger still has of them is exported."""
        plant = HistoryPlant(now=MONDAY + timedelta(days=5))
        plant.settle(finished("in/a.csv"), finished("in/b.csv", MONDAY + timedelta(days=2)))
        plant.export()

        assert [work.ref.key for work in plant.rows("2026-11-23")] == ["in/a.csv"]
        assert [work.ref.key for work in plant.rows("2026-11-25")] == ["in/b.csv"]
        assert len(plant.store.buckets["acme-out"]) == 2, "a day without work has no file"

    def test_a_day_that_was_exported_in_part_is_made_whole(self) -> None:
        """The call after midnight failed; later calls see that the file is older than the day's end."""
        plant = HistoryPlant(now=MONDAY.replace(hour=23, minute=50))
        plant.settle(finished("in/a.csv"))
        plant.export()
        plant.settle(finished("in/b.csv", MONDAY.replace(hour=23, minute=55)))
        plant.now = MONDAY + timedelta(days=3)
        plant.export()
        assert len(plant.rows("2026-11-23")) == 2

        whole = plant.store.buckets["acme-out"][place_of(HOME, "2026-11-23").key]
        plant.now += timedelta(days=1)
        plant.export()
        assert plant.store.buckets["acme-out"][place_of(HOME, "2026-11-23").key] is whole, "it is left alone since"

    def test_a_file_of_the_very_midnight_has_the_whole_day(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=3))
        plant.store.modified = MONDAY.replace(hour=0) + timedelta(days=1)
        plant.store.put(place_of(HOME, "2026-11-23"), b"whole")
        plant.settle(finished("in/a.csv"))

        plant.export()

        assert plant.store.data(place_of(HOME, "2026-11-23")) == b"whole"

    def test_a_killed_export_leaves_the_day_as_it_was(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        plant.settle(finished("in/a.csv"))
        plant.export("2026-11-23")
        before = plant.store.data(place_of(HOME, "2026-11-23"))
        plant.settle(finished("in/b.csv"))
        with pytest.raises(OutOfTime):
            plant.export("2026-11-23", remaining=3.0)

        assert plant.store.data(place_of(HOME, "2026-11-23")) == before

    def test_a_days_trouble_does_not_stop_the_next(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=1))
        plant.settle(finished("in/a.csv"))
        plant.ledger = _BrokenOn("2026-11-20", plant.ledger)
        answer = plant.export()

        assert answer["problems"] == ["2026-11-20: the ledger is away"]
        assert [work.ref.key for work in plant.rows("2026-11-23")] == ["in/a.csv"]

    def test_old_days_are_deleted_if_asked(self) -> None:
        plant = HistoryPlant(now=MONDAY, keep_days=30)
        for back in (1, 30, 31, 400):
            plant.store.put(place_of(HOME, f"{MONDAY - timedelta(days=back):%Y-%m-%d}"), b"x")
        plant.store.put(ObjectRef(HOME.bucket, HOME.key + "notes.txt"), b"mine")
        yesterday = place_of(HOME, "2026-11-22")
        plant.store.delete(yesterday)

        assert plant.export()["deleted"] == ["2025-10-19", "2026-10-23"]
        assert ObjectRef(HOME.bucket, HOME.key + "notes.txt").key in plant.store.buckets["acme-out"]

    @pytest.mark.parametrize("event", ["", "yesterday", "2026-13-01", 7, None, {"day": 1}])
    def test_what_is_no_day_is_refused(self, event: object) -> None:
        with pytest.raises(UsageError, match="a UTC day"):
            parse_export(event)


class _BrokenOn(InMemoryLedger):
    """A ledger that does not answer for one day."""

    def __init__(self, day: str, ledger: InMemoryLedger) -> None:
        super().__init__(entries=ledger.entries)
        self.day = day

    def finished_on(self, day: str) -> Iterator[Entry]:
        if day == self.day:
            raise ServiceUnavailable("the ledger is away")
        return super().finished_on(day)


class _LaggingIndex(InMemoryLedger):
    """A ledger whose index of days shows what was there when it was made."""

    def __init__(self, ledger: InMemoryLedger) -> None:
        super().__init__(entries=ledger.entries)
        self.stories = list(ledger.finished_on("2026-11-23"))

    def finished_on(self, day: str) -> Iterator[Entry]:
        return iter(self.stories if day == "2026-11-23" else [])


def _days(plant: HistoryPlant, day: str, rows: int) -> dict[str, dict[str, int]]:
    """What a call reports of the week before: nothing but of one day."""
    week = [f"{plant.now - timedelta(days=back):%Y-%m-%d}" for back in range(7, 0, -1)]
    return {one: {"rows": rows if one == day else 0, "kept": 0} for one in week}


class TestReading:
    def test_exported_days_and_today_are_read_together(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=3))
        plant.settle(finished("in/old.csv"), finished("in/new.csv", MONDAY + timedelta(days=3)))
        plant.export()
        # It was converted again: the ledger has forgotten Monday.
        plant.settle(finished("in/old.csv", MONDAY + timedelta(days=3, hours=1)))

        assert sorted(plant.read()) == [
            ("2026-11-23", "in/old.csv"),
            ("2026-11-26", "in/new.csv"),
            ("2026-11-26", "in/old.csv"),
        ]

    def test_without_an_export_the_ledger_has_the_last_works(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(days=3))
        plant.settle(finished("in/a.csv"))

        assert plant.read(is_exported=False) == [("2026-11-23", "in/a.csv")]

    def test_a_row_that_both_have_is_read_once_and_is_the_ledgers(self) -> None:
        plant = HistoryPlant(now=MONDAY.replace(hour=23, minute=50))
        plant.settle(finished("in/a.csv"), finished("in/b.csv"))
        plant.export()
        plant.settle(finished("in/a.csv", plant.now))

        assert sorted(plant.read()) == [("2026-11-23", "in/a.csv"), ("2026-11-23", "in/b.csv")]

    def test_filters_choose(self) -> None:
        plant = HistoryPlant(now=MONDAY + timedelta(hours=2))
        plant.settle(
            finished("in/2026/a.csv"),
            finished("in/2025/b.csv", sync="other"),
            replace(finished("in/2026/c.csv", MONDAY + timedelta(hours=1)), state=State.FAILED),
        )

        assert plant.read(sync="other") == [("2026-11-23", "in/2025/b.csv")]
        assert plant.read(state="failed") == [("2026-11-23", "in/2026/c.csv")]
        assert len(plant.read(prefix="in/2026/")) == len(plant.read(prefix="s3://acme-in/in/2026/")) == 2
        assert plant.read(prefix="s3://other/") == []
        assert plant.read(since=MONDAY + timedelta(minutes=1)) == [("2026-11-23", "in/2026/c.csv")]
        assert len(plant.read(until=MONDAY + timedelta(minutes=1))) == 2

    @pytest.mark.parametrize("days", [0, 1], ids=["the same day", "the day before"])
    def test_what_ended_after_a_day_was_exported_is_read_with_it(self, days: int) -> None:
        """Yesterday's last export is due."""
        plant = HistoryPlant(now=MONDAY + timedelta(hours=1))
        plant.settle(finished("in/a.csv"))
        plant.export("2026-11-23")
        plant.settle(finished("in/b.csv", MONDAY + timedelta(hours=2)))
        plant.now = MONDAY + timedelta(days=days, hours=3)

        assert sorted(plant.read()) == [("2026-11-23", "in/a.csv"), ("2026-11-23", "in/b.csv")]

    def test_sizes_come_from_the_entries_themselves(self) -> None:
        """The index has none."""
        plant = HistoryPlant()
        plant.settle(finished())
        (work,) = plant.reader().read(HistoryFilter(since=MONDAY, until=MONDAY + timedelta(hours=1)))

        assert (work.bytes_read, work.bytes_written) == (1000, 300)

    def test_what_is_at_work_again_is_shown_as_the_index_has_it(self) -> None:
        plant = HistoryPlant()
        plant.settle(finished())
        plant.ledger = _LaggingIndex(plant.ledger)
        plant.settle(replace(finished(), state=State.IN_FLIGHT, finished=None))
        (work,) = plant.reader().read(HistoryFilter(since=MONDAY, until=MONDAY + timedelta(hours=1)))

        assert (work.state, work.rows_written, work.bytes_read) == ("converted", 100, None)


class TestCostSums:
    def test_are_summed_by_sync_folder_and_day(self) -> None:
        works = [
            FinishedWork.of(finished("in/2026/a.csv"), BILLING),
            FinishedWork.of(finished("in/2026/b.csv", MONDAY + timedelta(days=1), seconds=30.0), BILLING),
            FinishedWork.of(finished("c.csv", sync="other"), BILLING),
        ]
        by_sync = sum_costs(works, CostKey.SYNC)
        by_day = sum_costs(works, CostKey.DAY)

        assert [(cost.group, cost.works, cost.gigabyte_seconds) for cost in by_sync] == [
            ("nightly", 2, 32.0),
            ("other", 1, 2.0),
        ]
        assert [(cost.group, cost.works) for cost in by_day] == [("2026-11-23", 2), ("2026-11-24", 1)]
        assert sum(cost.dollars for cost in by_day) == pytest.approx(sum(work.dollars for work in works))

    def test_a_sum_is_of_each_figure_of_its_works(self) -> None:
        work = FinishedWork.of(finished(), BILLING)
        works = [work, replace(work, bytes_read=None, gigabyte_seconds=None), work]

        (cost,) = sum_costs(works, CostKey.SYNC)

        assert replace(cost, dollars=0.0) == CostSum(
            group="nightly",
            works=3,
            rows_written=3 * work.rows_written,
            bytes_read=2 * (work.bytes_read or 0),
            bytes_written=3 * work.bytes_written,
            seconds=3 * work.seconds,
            gigabyte_seconds=2 * (work.gigabyte_seconds or 0.0),
            requests=3 * work.requests,
            unknown=1,
        )
        assert cost.dollars == pytest.approx(3 * work.dollars)
        assert min(work.rows_written, work.bytes_read or 0, work.bytes_written, work.requests) > 0
        assert min(work.seconds, work.dollars, work.gigabyte_seconds or 0.0) > 0

    def test_what_was_dearest_comes_first_and_what_cost_the_same_by_its_name(self) -> None:
        works = [FinishedWork.of(finished(sync=sync), BILLING) for sync in ("b", "c", "a", "c")]

        assert [cost.group for cost in sum_costs(works, CostKey.SYNC)] == ["c", "a", "b"]

    @pytest.mark.parametrize(
        ("key", "depth", "group"),
        [
            ("in/2026/a.csv", 1, "s3://acme-in/in/"),
            ("in/2026/a.csv", 2, "s3://acme-in/in/2026/"),
            ("in/2026/a.csv", 9, "s3://acme-in/in/2026/"),
            ("in/2026/a.csv", 0, "s3://acme-in/"),
            ("a.csv", 3, "s3://acme-in/"),
        ],
    )
    def test_a_folder_is_so_many_segments_deep(self, key: str, depth: int, group: str) -> None:
        assert find_group(FinishedWork.of(finished(key), BILLING), CostKey.PREFIX, depth) == group

    def test_big_runs_are_counted_apart(self) -> None:
        facts = BigRunFacts(name="r", execution="r", connection="lake", home=HOME)
        (cost,) = sum_costs([FinishedWork.of(replace(finished(), big_run=facts), BILLING)], CostKey.SYNC)

        assert (cost.works, cost.unknown, cost.gigabyte_seconds) == (1, 1, 0.0)
