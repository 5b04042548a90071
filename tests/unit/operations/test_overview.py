"""How far behind each sync is: what is counted, and what is said of what was not read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.overview import SyncLoad, read_loads
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


def test_failures_that_were_not_read_are_not_passed_over_in_silence() -> None:
    load = read(*(entry(str(number), State.FAILED) for number in range(5)), most=3)["nightly"]

    assert str(load.failed) == "3 or more"
