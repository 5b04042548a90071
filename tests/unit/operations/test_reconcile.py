"""A listing against the ledger, and the run that does it: in portions, one at a time, whatever interrupts it."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.config.document import parse
from millrace.errors import MalformedFile, ServiceUnavailable, UsageError
from millrace.ledger.entries import LONGEST_WAIT, Entry, Failure, State
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectRef, SourceVersion
from millrace.objects.store import ListedObject
from millrace.operations.checkpoints import Checkpoint, Counts
from millrace.operations.comparison import Finding, UnsortedStream, differences
from millrace.operations.reconcile import CALLS, Call, Progress, Reconciler, Report
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryCheckpoints, InMemoryLedger, InMemoryObjectStore, InMemoryQueue

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def listed(key: str, etag: str = "e") -> ListedObject:
    return ListedObject(ObjectRef("b", key), etag, 1)


def entry(
    key: str, etag: str = "e", state: State = State.CONVERTED, lease: datetime | None = None, bucket: str = "b"
) -> Entry:
    return Entry(
        sync="s",
        source=ObjectRef(bucket, key),
        state=state,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        version=SourceVersion(etag=etag),
        lease_until=lease,
    )


def found(here: list[ListedObject], known: list[Entry]) -> list[tuple[str, str]]:
    return [(one.finding, one.change.ref.key) for _, one in differences(here, known, NOON) if one is not None]


def test_new_changed_and_gone_objects_are_told_and_no_others() -> None:
    here = [listed("a"), listed("b", "new"), listed("c")]
    known = [entry("b"), entry("c"), entry("d")]

    assert found(here, known) == [(Finding.NEW, "a"), (Finding.CHANGED, "b"), (Finding.GONE, "d")]


def test_a_gone_object_asks_for_its_removal() -> None:
    ((_, one),) = differences([], [entry("d")], NOON)

    assert one is not None
    assert one.change.kind is ChangeKind.REMOVED


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (entry("a", state=State.FAILED), []),
        (entry("a", state=State.IGNORED), []),
        (entry("a", "old", State.FAILED), [(Finding.CHANGED, "a")]),
        (entry("a", state=State.REMOVED), [(Finding.CHANGED, "a")]),
        (entry("a", "old", State.IN_FLIGHT, NOON + timedelta(seconds=1)), []),
        (entry("a", state=State.IN_FLIGHT, lease=NOON - timedelta(seconds=1)), [(Finding.CHANGED, "a")]),
        (entry("a", state=State.SUPERSEDED), []),
        (entry("a", state=State.WAITING), []),
    ],
)
def test_what_the_ledger_says_decides(known: Entry, expected: list[tuple[str, str]]) -> None:
    assert found([listed("a")], [known]) == expected


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (entry("a", state=State.REMOVED), False),
        (entry("a", state=State.IGNORED), False),
        (entry("a", state=State.IN_FLIGHT, lease=NOON + timedelta(seconds=1)), False),
        (entry("a", state=State.IN_FLIGHT, lease=NOON - timedelta(seconds=1)), True),
        (entry("a", state=State.FAILED), True),
        (entry("a", state=State.QUARANTINED), True),
        (entry("a", state=State.SUPERSEDED), True),
        (entry("a", state=State.WAITING), True),
    ],
)
def test_what_is_not_there_is_told_where_it_leaves_something(known: Entry, *, told: bool) -> None:
    """What is removed or ignored already has left nothing; who works on it sees by himself that it is gone."""
    assert found([], [known]) == ([(Finding.GONE, "a")] if told else [])


KEYS = st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from("ef"), max_size=20)


@pytest.mark.slow
@given(KEYS, KEYS)
def test_the_merge_finds_what_sets_find(here: dict[str, str], known: dict[str, str]) -> None:
    def in_order(keys: dict[str, str]) -> list[str]:
        return sorted(keys, key=str.encode)

    merged = set(found([listed(k, here[k]) for k in in_order(here)], [entry(k, known[k]) for k in in_order(known)]))

    assert merged == (
        {(Finding.NEW, key) for key in here.keys() - known.keys()}
        | {(Finding.GONE, key) for key in known.keys() - here.keys()}
        | {(Finding.CHANGED, key) for key in here.keys() & known.keys() if here[key] != known[key]}
    )


def test_a_listing_out_of_order_is_refused() -> None:
    with pytest.raises(UnsortedStream):
        list(differences([listed("b"), listed("a")], [], NOON))


IN, FOLDER = "acme-in", "s3://acme-in/in"


@dataclass
class House:
    """A source folder, a ledger and a queue; the clock goes on by hand."""

    store: InMemoryObjectStore = field(default_factory=lambda: InMemoryObjectStore({IN: {}}))
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    queue: InMemoryQueue = field(default_factory=InMemoryQueue)
    checkpoints: InMemoryCheckpoints = field(default_factory=InMemoryCheckpoints)
    time: datetime = NOON

    def upload(self, *keys: str) -> None:
        for key in keys:
            self.store.put(ObjectRef(IN, key), key.encode())

    def know(self, *keys: str, bucket: str = IN, sync: str = "nightly") -> None:
        """What the ledger has of objects as they are uploaded by ``upload``."""
        for key in keys:
            other = InMemoryObjectStore()
            other.put(ObjectRef(bucket, key), key.encode())
            (there,) = other.list(bucket, key)
            self.ledger.put(replace(entry(key, there.etag), sync=sync, source=ObjectRef(bucket, key)))

    def run(self, remaining: Callable[[], float] = lambda: 900.0, sync: str = "nightly", **parts: Any) -> Report:
        words: dict[str, Any] = {
            "planner": Planner(document(bulk_sync(), bulk_sync("hourly", subfolder="hourly"))),
            "stores": {"landing": self.store},
            "index": self.ledger,
            "queues": {"landing": self.queue},
            "checkpoints": self.checkpoints,
            "now": lambda: self.time,
            "portion": 2,
        }
        return Reconciler(**(words | parts)).run(sync, remaining)

    def asked(self) -> list[str]:
        return [request.change.ref.key for request in self.queue.sent]


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("state", "is_readable", "asked"),
    [(State.WAITING, False, []), (State.WAITING, True, ["in/a.csv"]), (State.CONVERTED, True, [])],
)
def test_what_waits_for_its_restore_and_can_be_read_is_asked_for(
    house: House, state: State, *, is_readable: bool, asked: list[str]
) -> None:
    """The event of the restore is lost, or that of the same bytes that were written again."""
    house.upload("in/a.csv")
    house.know("in/a.csv")
    (known,) = house.ledger.works()
    house.ledger.put(replace(known, revision=known.revision + 1, state=state))
    house.store.is_readable = is_readable

    house.run()

    assert house.asked() == asked


@pytest.mark.parametrize(
    ("entry_state", "error", "age", "is_readable", "asked"),
    [
        (State.FAILED, ServiceUnavailable("503"), LONGEST_WAIT + SECOND, True, ["in/a.csv"]),
        (State.FAILED, ServiceUnavailable("503"), LONGEST_WAIT, True, []),
        (State.FAILED, ServiceUnavailable("503"), LONGEST_WAIT + SECOND, False, []),
        (State.FAILED, MalformedFile("bad"), LONGEST_WAIT + SECOND, True, []),
        (State.CONVERTED, None, LONGEST_WAIT + SECOND, True, []),
    ],
    ids=["given up", "on its ninth day", "archived since", "bad bytes", "converted"],
)
def test_what_failed_for_a_while_and_has_no_message_any_more_is_asked_for(
    house: House, entry_state: State, error: Exception | None, age: timedelta, *, is_readable: bool, asked: list[str]
) -> None:
    """A ledger was restored from a copy, in which the object waited for its next try."""
    house.upload("in/a.csv")
    house.know("in/a.csv")
    (known,) = house.ledger.works()
    failure = Failure.of(error) if error is not None else None
    finished = house.time - age
    house.ledger.put(replace(known, revision=known.revision + 1, state=entry_state, failure=failure, finished=finished))
    house.store.is_readable = is_readable

    house.run()

    assert house.asked() == asked


class ForgetfulLedger(InMemoryLedger):
    """Has forgotten a sync's entries, which its index still shows."""

    def get(self, sync: str, source: ObjectRef) -> Entry | None:
        """Nothing."""
        return None


def test_what_the_ledger_has_forgotten_since_it_was_listed_is_left_to_the_next_comparison(house: House) -> None:
    house.upload("in/a.csv")
    house.know("in/a.csv")
    (known,) = house.ledger.works()
    failure = Failure.of(ServiceUnavailable("503"))
    house.ledger.put(replace(known, revision=known.revision + 1, state=State.FAILED, failure=failure))

    report = house.run(index=ForgetfulLedger(house.ledger.entries))

    assert (report.progress, house.asked()) == (Progress.COMPLETE, [])


def test_a_run_puts_what_differs_on_the_queue_for_its_sync(house: House) -> None:
    house.upload("in/a.csv", "in/b.csv", "other/c.csv")
    house.know("in/b.csv", "in/gone.csv")

    report = house.run()

    assert [(one.sync, one.change.kind, one.change.ref.key) for one in house.queue.sent] == [
        ("nightly", ChangeKind.CREATED, "in/a.csv"),
        ("nightly", ChangeKind.REMOVED, "in/gone.csv"),
    ]
    assert (report.progress, report.total) == (Progress.COMPLETE, Counts(compared=3, new=1, gone=1, unaccounted=1))
    assert house.checkpoints.kept["nightly"].after == ""


def test_entries_of_other_folders_buckets_and_syncs_are_no_concern(house: House) -> None:
    """They stay from an earlier configuration, or are another sync's or a table's."""
    house.know("before/a.csv", "in")
    house.know("in/a.csv", bucket="acme-before")
    house.know("in/b.csv", sync="nightly#table")
    house.know("in/c.csv", sync="hourly")

    assert house.run().total == Counts()
    assert house.asked() == []


class TestModels:
    """What stands beside a model's object, and the run over a model's files, are no objects of the sync."""

    @staticmethod
    def planner(**model: Any) -> Planner:
        sync = {"name": "nightly", "model": "customers", "target": {"connection": "lake", "object": "customers"}}
        fields = {"name": "customers", "connection": "landing", "configuration": model}
        plain = document().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return Planner(parse({"connections": plain["connections"], "models": [fields], "model_syncs": [sync]}))

    def test_the_object_of_a_model_is_all_that_counts(self, house: House) -> None:
        house.upload("in/a.csv", "in/customers.csv", "in/z.csv")
        planner = self.planner(model_from="single_file", key="in/customers.csv")

        assert house.run(planner=planner).total == Counts(compared=3, new=1, unaccounted=1)
        assert house.asked() == ["in/customers.csv"]

    def test_the_entry_of_a_run_is_not_a_file_that_is_gone(self, house: House) -> None:
        house.upload("in/a.csv")
        house.know("in/", "in/b.csv")
        planner = self.planner(model_from="multi_file_archive")

        assert house.run(planner=planner).total == Counts(compared=3, new=1, gone=1, unaccounted=1)
        assert house.asked() == ["in/a.csv", "in/b.csv"]


def test_out_of_time_it_goes_on_behind_the_last_portion(house: House) -> None:
    house.upload(*(f"in/{number}.csv" for number in range(5)))

    reports = [house.run(lambda: 10.0) for _ in range(3)]

    assert [report.progress for report in reports] == ["partial", "partial", "partial"]
    assert [report.this_run.compared for report in reports] == [2, 2, 1]
    assert [report.total.compared for report in reports] == [2, 4, 5]
    assert house.run().progress is Progress.COMPLETE
    assert house.asked() == [f"in/{number}.csv" for number in range(5)]


def test_a_key_that_takes_all_the_time_is_passed_by_the_next_run(house: House) -> None:
    """The clock is looked at for each key, so that what was compared is remembered; the next run begins behind it."""
    house.upload("in/a.csv", "in/b.csv", "in/c.csv")
    seconds_left = 900.0

    class SlowPlanner(Planner):
        def plan(self, ref: ObjectRef, *, only: str | None = None) -> tuple[AnyPlan, ...]:
            nonlocal seconds_left
            if ref.key == "in/a.csv":
                seconds_left = 1.0
            return super().plan(ref, only=only)

    planner = SlowPlanner(document(bulk_sync()))

    first = house.run(lambda: seconds_left, planner=planner)
    seconds_left = 900.0
    second = house.run(lambda: seconds_left, planner=planner)

    assert (first.progress, first.this_run.compared) == (Progress.PARTIAL, 1)
    assert (second.progress, second.this_run.compared) == (Progress.COMPLETE, 2)
    assert house.asked() == ["in/a.csv", "in/b.csv", "in/c.csv"]


def test_two_runs_at_once_are_one(house: House) -> None:
    """The second sees that another is at work, and the first loses nothing."""
    house.upload("in/a.csv")
    second: list[Report] = []

    class Busy(InMemoryQueue):
        def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
            second.append(house.run())
            return house.queue.send(requests)

    assert house.run(queues={"landing": Busy()}).progress is Progress.COMPLETE
    assert [report.progress for report in second] == [Progress.BUSY]
    assert "until 12:15:05 UTC" in str(second[0].reason)
    assert house.asked() == ["in/a.csv"]


def test_a_run_that_was_overtaken_stops(house: House) -> None:
    """Its lease ran out while it hung; another has done the work since."""
    house.upload(*(f"in/{number}.csv" for number in range(5)))

    class Hanging(InMemoryQueue):
        def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
            house.time += timedelta(minutes=20)
            assert house.run().progress is Progress.COMPLETE
            return 0

    assert house.run(queues={"landing": Hanging()}).progress is Progress.BUSY
    assert house.asked() == [f"in/{number}.csv" for number in range(5)]
    assert house.checkpoints.kept["nightly"].after == ""


def test_what_goes_wrong_gives_the_lease_back(house: House) -> None:
    """So that Lambda's second try begins, where the portion before was written down."""
    house.upload(*(f"in/{number}.csv" for number in range(5)))

    class Broken(InMemoryQueue):
        def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
            if house.queue.sent:
                raise ServiceUnavailable("not now")
            return house.queue.send(requests)

    with pytest.raises(ServiceUnavailable):
        house.run(queues={"landing": Broken()})

    left = house.checkpoints.kept["nightly"]
    assert (left.after, left.lease_until) == ("in/1.csv", None)
    assert house.run().progress is Progress.COMPLETE
    assert house.asked() == [f"in/{number}.csv" for number in range(5)]


def test_a_full_queue_comes_first(house: House) -> None:
    """What waits would be found again, and asked for again."""
    house.upload("in/a.csv")
    house.queue.backlog = 1001

    report = house.run()

    assert (report.progress, house.asked()) == (Progress.PUT_OFF, [])
    assert "about 1,001 messages" in str(report.reason)


@pytest.mark.parametrize(("waiting", "progress"), [(1000, Progress.COMPLETE), (1001, Progress.PUT_OFF)])
def test_a_queue_is_full_above_a_thousand_messages(house: House, waiting: int, progress: Progress) -> None:
    house.queue.backlog = waiting

    assert house.run().progress is progress


def test_a_queue_that_was_emptied_forgets_that_it_was_full(house: House) -> None:
    house.queue.backlog = 1001
    house.run()
    assert house.checkpoints.kept["nightly"].put_off_since == NOON
    puts = house.checkpoints.kept["nightly"].revision
    house.time = NOON + timedelta(hours=1)
    house.run()
    assert house.checkpoints.kept["nightly"].put_off_since == NOON, "since when it is full is written once"
    assert house.checkpoints.kept["nightly"].revision == puts

    house.queue.backlog = 0
    house.run(lambda: 900.0)

    assert house.checkpoints.kept["nightly"].put_off_since is None


def test_what_is_gone_is_asked_for_beside_a_queue_that_stays_full(house: House) -> None:
    """What came meanwhile waits in the queue; of what went, no listing says when."""
    house.queue.backlog = 1001
    house.run()
    house.store.modified = NOON + timedelta(minutes=1)
    house.upload("in/came.csv")
    house.know("in/gone.csv")
    house.time = NOON + timedelta(hours=24)

    house.run()

    assert house.asked() == ["in/gone.csv"]


@pytest.mark.parametrize(("seconds", "progress"), [(0, Progress.COMPLETE), (1, Progress.BUSY)])
def test_another_run_is_at_work_until_its_lease_ends(house: House, seconds: int, progress: Progress) -> None:
    lease = NOON + timedelta(seconds=seconds)
    house.checkpoints.put(Checkpoint(sync="nightly", folder="s3://acme-in/in", revision=1, lease_until=lease))

    assert house.run().progress is progress


@pytest.mark.parametrize(("remaining", "span"), [(60.0, 65), (900.0, 905), (float("inf"), 905)])
def test_a_run_holds_its_checkpoint_as_long_as_it_may_last_and_five_seconds(
    house: House, remaining: float, span: int
) -> None:
    house.upload("in/a.csv")
    held: list[datetime | None] = []

    class Looking(InMemoryQueue):
        def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
            held.append(house.checkpoints.kept["nightly"].lease_until)
            return house.queue.send(requests)

    house.run(lambda: remaining, queues={"landing": Looking()})

    assert held == [NOON + timedelta(seconds=span)]
    assert house.checkpoints.kept["nightly"].lease_until is None


@pytest.mark.parametrize(("left", "progress"), [(20.0, Progress.COMPLETE), (19.9, Progress.PARTIAL)])
def test_a_run_goes_on_while_twenty_seconds_are_left(house: House, left: float, progress: Progress) -> None:
    house.upload("in/a.csv")

    assert house.run(lambda: left).progress is progress


def test_an_answer_says_what_the_whole_comparison_found(house: House) -> None:
    house.upload("in/a.csv")

    assert house.run().to_json() == {
        "sync": "nightly",
        "progress": "complete",
        "compared": 1,
        "new": 1,
        "changed": 0,
        "gone": 0,
        "unaccounted": 1,
        "vanished": 0,
    }
    house.queue.backlog = 1001
    assert "emptied first" in str(house.run().to_json()["reason"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "error", "is_looked_at"),
    [
        (State.CONVERTED, None, True),
        (State.FAILED, None, False),
        (State.CONVERTED, ServiceUnavailable("503"), True),
    ],
)
def test_only_what_is_done_has_outputs_and_their_trouble_is_not_the_comparisons(
    house: House, state: State, error: Exception | None, *, is_looked_at: bool
) -> None:
    house.upload("in/a.csv")
    house.know("in/a.csv")
    (known,) = house.ledger.works()
    house.ledger.put(replace(known, revision=known.revision + 1, state=state))
    looked_at: list[str] = []

    class FailingChecker:
        def find_lost(self, entry: Entry) -> tuple[str, ...]:
            looked_at.append(entry.source.key)
            if error is not None:
                raise error
            return ()

    for minute in range(100):
        house.time = NOON + timedelta(minutes=minute)
        assert house.run(outputs=FailingChecker()).total == Counts(compared=1)

    assert bool(looked_at) == is_looked_at


def test_a_queue_that_is_always_full_puts_a_comparison_off_for_a_day_alone(house: House) -> None:
    """Then it asks for what is older than the day: what came meanwhile has a message, which may wait in the queue."""
    house.store.modified = NOON - timedelta(hours=1)
    house.upload("in/lost.csv")
    house.queue.backlog = 1001
    assert house.run().progress is Progress.PUT_OFF
    house.store.modified = NOON
    house.upload("in/lost_then.csv")
    house.time = house.store.modified = NOON + timedelta(hours=23)
    house.upload("in/young.csv")
    assert house.run().progress is Progress.PUT_OFF

    house.time = NOON + timedelta(hours=24)

    assert house.run().progress is Progress.COMPLETE
    assert house.asked() == ["in/lost.csv", "in/lost_then.csv"]
    assert house.run().progress is Progress.PUT_OFF


def test_the_end_and_the_counts_of_a_whole_comparison_are_kept(house: House) -> None:
    house.upload("in/a.csv")

    house.run()

    kept = house.checkpoints.kept["nightly"]
    assert (kept.completed, kept.last, kept.counts) == (NOON, Counts(compared=1, new=1, unaccounted=1), Counts())


@pytest.mark.slow
def test_in_time_every_output_is_looked_at_and_a_lost_one_is_told(house: House) -> None:
    """It may have been deleted on purpose: nothing is put on the queue."""
    names = [f"in/{number:03d}.csv" for number in range(60)]
    house.upload(*names)
    house.know(*names)
    looked_at: list[str] = []

    class Checker:
        def find_lost(self, entry: Entry) -> tuple[str, ...]:
            looked_at.append(entry.source.key)
            return ("lost",) if entry.source.key == "in/007.csv" else ()

    vanished = 0
    for minute in range(100):
        house.time = NOON + timedelta(minutes=minute)
        vanished += house.run(outputs=Checker(), portion=60).total.vanished

    assert set(looked_at) == set(names)
    assert len(looked_at) == len(names)
    assert (vanished, house.asked()) == (1, [])


def test_a_full_queue_does_not_hold_up_what_has_begun(house: House) -> None:
    """The messages may be its own."""
    house.upload("in/a.csv", "in/b.csv", "in/c.csv")
    house.run(lambda: 10.0)
    house.queue.backlog = 1001

    assert house.run().progress is Progress.COMPLETE
    assert house.asked() == ["in/a.csv", "in/b.csv", "in/c.csv"]


@pytest.mark.parametrize(("minutes", "late"), [(29, 0), (31, 1)])
def test_news_that_should_have_come_is_unaccounted(house: House, minutes: int, late: int) -> None:
    """Only where the source tells of its changes: without notifications the listing itself is the news."""
    house.store.modified = NOON - timedelta(minutes=minutes)
    house.upload("in/a")
    house.know("in/b")
    quiet = {"enable_event_notifications": False, "event_queue_arn": None}

    assert house.run().total.unaccounted == late
    unannounced = Planner(document(bulk_sync(schedule={"frequency": "hourly", "minute": 0}), source=quiet))
    assert house.run(planner=unannounced).total.unaccounted == 0


def test_a_checkpoint_of_another_folder_counts_for_nothing(house: House) -> None:
    """The configuration was changed in between."""
    house.upload("in/a.csv")
    house.checkpoints.put(
        Checkpoint(sync="nightly", folder="s3://acme-in/zone", revision=1, after="zone/z", counts=Counts(9))
    )

    report = house.run()

    assert house.asked() == ["in/a.csv"]
    assert report.total == Counts(compared=1, new=1, unaccounted=1)


@pytest.mark.parametrize("sync", ["weekly", "nightly#table", "#", ""])
def test_a_sync_that_is_not_there_is_wrong_use(house: House, sync: str) -> None:
    with pytest.raises(UsageError, match="no active sync"):
        house.run(sync=sync)


class KilledComparison(BaseException):
    """Nobody handles it: the process is gone."""


@dataclass
class Kill:
    """Kills at the instruction of that number, counted over all of a run's effects."""

    at: int

    def count(self) -> None:
        self.at -= 1
        if self.at == 0:
            raise KilledComparison


@dataclass
class KillingQueue(InMemoryQueue):
    house: House = field(default_factory=House)
    kill: Kill = field(default_factory=lambda: Kill(0))

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        for request in requests:
            self.house.queue.sent.append(request)
            self.kill.count()
        return 0


@dataclass
class KillingCheckpoints(InMemoryCheckpoints):
    kill: Kill = field(default_factory=lambda: Kill(0))

    def put(self, checkpoint: Checkpoint) -> None:
        self.kill.count()
        super().put(checkpoint)
        self.kill.count()


SMALL_KEYS = st.sets(st.text("aé\U0001f600/", min_size=1, max_size=3), max_size=12)


@pytest.mark.slow
@given(SMALL_KEYS, SMALL_KEYS, st.lists(st.one_of(st.just(10.0), st.integers(1, 12)), max_size=8))
def test_killed_or_stopped_anywhere_it_finds_all_and_repeats_a_portion_at_most(
    there: set[str], known: set[str], interruptions: list[float | int]
) -> None:
    """A float is a run that is out of time at once; an integer one that is killed at that instruction."""
    house = House()
    house.upload(*(f"in/{key}" for key in there))
    house.know(*(f"in/{key}" for key in known))
    kills = 0
    for interruption in interruptions:
        before = house.checkpoints.kept.get("nightly")
        if isinstance(interruption, float):
            report = house.run(lambda: 10.0)
        else:
            kill = Kill(interruption)
            killing: dict[str, Any] = {
                "queues": {"landing": KillingQueue(house=house, kill=kill)},
                "checkpoints": KillingCheckpoints(house.checkpoints.kept, kill=kill),
            }
            try:
                report = house.run(**killing)
            except KilledComparison:
                kills += 1
                house.time += timedelta(minutes=16)
                continue
        if report.progress is Progress.COMPLETE:
            break
        assert before is None or report.total.compared >= before.counts.compared
    else:
        report = house.run()

    assert report.progress is Progress.COMPLETE
    asked = Counter(house.asked())
    assert set(asked) == {f"in/{key}" for key in there ^ known}
    assert all(count <= 1 + kills for count in asked.values())
    assert house.checkpoints.kept["nightly"].lease_until is None


@dataclass
class ManyObjects(InMemoryObjectStore):
    """So many objects, of which no list is ever made."""

    keys: int = 0

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        for number in range(self.keys):
            yield ListedObject(ObjectRef(bucket, f"{prefix}{number:07}.csv"), "e", 1)


@dataclass
class ManyEntries(InMemoryLedger):
    """So many entries, of every second object."""

    keys: int = 0

    def of_sync(self, sync: str, *, after: str = "") -> Iterator[Entry]:
        for number in range(0, self.keys, 2):
            yield entry(f"in/{number:07}.csv", bucket=IN)


class QueueSink(InMemoryQueue):
    """Keeps nothing."""

    def send(self, requests: Iterable[Request], *, delay_seconds: int = 0) -> int:
        return sum(1 for _ in requests)


@pytest.mark.slow
def test_memory_is_flat() -> None:
    """Four times the keys take no more; a list of them would take half a megabyte."""

    def peak(keys: int) -> int:
        house = House(store=ManyObjects(keys=keys), ledger=ManyEntries(keys=keys), queue=QueueSink())
        tracemalloc.start()
        report = house.run(portion=100)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.total == Counts(compared=keys, new=keys // 2, unaccounted=keys // 2)
        return highest

    assert peak(4_000) < peak(1_000) + 80_000


class TestCall:
    def test_a_call_without_more_may_be_followed_by_all_of_them(self) -> None:
        assert Call.parse({"sync": "nightly"}) == Call(sync="nightly", calls_left=CALLS)
        assert Call.parse({"sync": "nightly", "calls_left": 0}).calls_left == 0
        assert Call(sync="nightly", calls_left=3).next() == {"sync": "nightly", "calls_left": 2}

    def test_goes_on_so_often_and_no_more(self) -> None:
        call = Call.parse({"sync": "nightly"})

        calls = 0
        while call.calls_left:
            call, calls = Call.parse(call.next()), calls + 1

        assert calls == CALLS

    @pytest.mark.parametrize(
        ("event", "told"),
        [
            ({}, "sync is None"),
            ({"sync": ""}, "sync is ''"),
            ({"sync": 5}, "sync is 5"),
            ({"sync": "nightly", "calls_left": -1}, "calls_left is -1"),
            ({"sync": "nightly", "calls_left": CALLS + 1}, f"calls_left is {CALLS + 1}"),
            ({"sync": "nightly", "calls_left": True}, "calls_left is True"),
            ({"sync": "nightly", "calls_left": "3"}, "calls_left is '3'"),
            ({"sync": "nightly", "prefix": "in/"}, "there is no field 'prefix'"),
        ],
    )
    def test_an_event_that_makes_no_sense_is_refused_with_what_was_expected(
        self, event: dict[str, Any], told: str
    ) -> None:
        with pytest.raises(UsageError, match=f'{told}.*Expected {{"sync"'):
            Call.parse(event)
