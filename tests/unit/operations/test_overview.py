"""How far behind each sync is: what is counted, and what is said of what was not read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.overview import BoundedCount, SyncLoad, read_loads
from tests.fakes import InMemoryLedger
from tests.world import NOON


def entry(
    key: str, state: State = State.CONVERTED, *, sync: str = "nightly", seconds: float = 60, **fields: Any
) -> Entry:
    moment = NOON - timedelta(seconds=seconds)
    times = {"started": moment} if state is State.IN_FLIGHT else {"finished": moment}
    return Entry(
        sync=sync,
        source=ObjectRef("b", key),
        state=state,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        **(times | fields),
    )


def read(*entries: Entry, most: int = 2000) -> dict[str, SyncLoad]:
    ledger = InMemoryLedger()
    for one in entries:
        ledger.put(one)
    return {load.sync: load for load in read_loads(ledger, ["nightly"], now=NOON, most=most)}


def test_a_sync_that_did_nothing_is_there() -> None:
    load = read()["nightly"]

    assert (str(load.failed), str(load.waiting), str(load.last_hour), load.an_hour) == ("0", "0", "0", 0)


def test_a_sync_that_the_configuration_no_longer_has_comes_last() -> None:
    assert list(read(entry("a", sync="another"), entry("b"))) == ["nightly", "another"]


def test_what_is_in_flight_comes_the_longest_first_and_abandoned_work_is_counted() -> None:
    leased = NOON + timedelta(minutes=1)
    load = read(
        entry("new", State.IN_FLIGHT, seconds=5, lease_until=leased),
        entry("old", State.IN_FLIGHT, seconds=500, lease_until=leased),
        entry("dead", State.IN_FLIGHT, seconds=50, lease_until=NOON - timedelta(minutes=1)),
    )["nightly"]

    assert [one.source.key for one in load.shown_in_flight] == ["old", "dead", "new"]
    assert load.abandoned == 1


def test_work_that_is_done_once_more_counts_from_its_new_beginning() -> None:
    """Its entry still says when it ended the last time."""
    yesterday = NOON - timedelta(days=1)
    load = read(
        entry("again", State.IN_FLIGHT, seconds=5, finished=yesterday),
        entry("first", State.IN_FLIGHT, seconds=50),
    )["nightly"]

    assert [one.source.key for one in load.in_flight] == ["first", "again"]


def test_what_lacks_its_beginning_counts_from_what_is_known() -> None:
    load = read(
        entry("new", State.IN_FLIGHT, seconds=5),
        entry("ended", State.IN_FLIGHT, started=None, finished=NOON - timedelta(seconds=50)),
        entry("old", State.IN_FLIGHT, seconds=500),
    )["nightly"]

    assert [one.source.key for one in load.in_flight] == ["old", "ended", "new"]


def test_the_last_hour_ends_an_hour_ago_also_across_midnight() -> None:
    ledger = InMemoryLedger()
    midnight = NOON.replace(hour=0)
    for number in range(10):
        finished = midnight - timedelta(minutes=10 * number)
        ledger.put(entry(str(number), finished=finished))

    (load,) = read_loads(ledger, ["nightly"], now=midnight + timedelta(minutes=5))

    assert str(load.last_hour) == "6"


def test_a_rate_is_of_what_was_read_if_that_is_not_the_hour() -> None:
    load = read(*(entry(str(number), seconds=number) for number in range(61)), most=60)["nightly"]

    assert str(load.last_hour) == "60 or more"
    assert round(load.an_hour) == round(60 * 3600 / 59)


def test_a_rate_is_of_the_whole_hour_if_all_of_it_was_read() -> None:
    """However close together they finished: six in a minute and nothing else are six an hour."""
    load = read(*(entry(str(number), seconds=10 * number) for number in range(6)))["nightly"]

    assert load.an_hour == 6


def test_what_finished_this_very_moment_is_of_a_second() -> None:
    load = read(*(entry(str(number), seconds=0) for number in range(3)), most=2)["nightly"]

    assert load.an_hour == 2 * 3600


@pytest.mark.parametrize(("number", "shown"), [(2, "2 or more"), (3, "3"), (4, "3")])
def test_a_count_is_exact_if_nothing_is_behind_what_was_read(number: int, shown: str) -> None:
    load = read(*(entry(str(one), State.WAITING) for one in range(3)), most=number)["nightly"]

    assert str(load.waiting) == shown


def test_each_sync_has_its_own() -> None:
    loads = read(
        entry("a", State.FAILED),
        entry("b", State.WAITING),
        entry("c", State.WAITING),
        *(entry(f"other {number}", sync="another") for number in range(4)),
        *(entry(f"at work {number}", State.IN_FLIGHT, sync="another", seconds=number) for number in range(6)),
    )

    nightly, another = loads["nightly"], loads["another"]
    assert [str(one) for one in (nightly.failed, nightly.waiting, nightly.last_hour)] == ["1", "2", "3"]
    assert [str(one) for one in (another.failed, another.waiting, another.last_hour)] == ["0", "0", "4"]
    assert (len(nightly.in_flight), len(another.in_flight), len(another.shown_in_flight)) == (0, 6, 5)
    assert (nightly.an_hour, another.an_hour) == (3, 4)


@pytest.mark.parametrize(("seconds", "counted"), [(3599, "1"), (3600, "1"), (3601, "0")])
def test_an_hour_ago_is_within_the_hour(seconds: int, counted: str) -> None:
    assert str(read(entry("a", seconds=seconds))["nightly"].last_hour) == counted


def test_a_large_count_has_commas() -> None:
    assert (str(BoundedCount(1234)), str(BoundedCount(2000, is_exact=False))) == ("1,234", "2,000 or more")


def test_failures_that_were_not_read_are_not_passed_over_in_silence() -> None:
    load = read(*(entry(str(number), State.FAILED) for number in range(5)), most=3)["nightly"]

    assert str(load.failed) == "3 or more"
