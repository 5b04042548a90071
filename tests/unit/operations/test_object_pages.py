"""Lists of objects: which index answers, what a page costs, and that the next one begins where it ended."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import chain

import pytest

from millrace.errors import UsageError
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.object_pages import ListFilter, PageCursor, PageOrder, read_page
from tests.fakes import InMemoryLedger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = date(2026, 11, 22)


def entry(key: str, state: State = State.CONVERTED, *, sync: str = "nightly", minutes: int = 0) -> Entry:
    finished = NOON - timedelta(minutes=minutes)
    return Entry(
        sync=sync,
        source=ObjectRef("b", key),
        state=state,
        revision=1,
        fence=1,
        fingerprint="f",
        engine="1",
        finished=finished,
    )


def ledger_of(*entries: Entry) -> InMemoryLedger:
    ledger = InMemoryLedger()
    for one in entries:
        ledger.put(one)
    return ledger


def read_all(ledger: InMemoryLedger, wanted: ListFilter, *, size: int, most: int = 2000) -> list[list[str]]:
    """The keys of each page, one page after the other, each from the address of the one before."""
    pages, after = [], None
    for _ in range(1000):
        page = read_page(ledger, wanted, today=TODAY, after=after, size=size, most=most)
        pages.append([one.source.key for one in page.entries])
        if page.after is None:
            return pages
        after = PageCursor.parse(page.after.to_text())
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (ListFilter(), PageOrder.RECENT),
        (ListFilter(prefix="in/"), PageOrder.RECENT),
        (ListFilter(state=State.CONVERTED), PageOrder.RECENT),
        (ListFilter(sync="a"), PageOrder.KEY),
        (ListFilter(sync="a", state=State.CONVERTED), PageOrder.KEY),
        (ListFilter(sync="a", state=State.FAILED), PageOrder.STATE),
        (ListFilter(state=State.IN_FLIGHT, prefix="in/"), PageOrder.STATE),
        (ListFilter(sync="a", state=State.FAILED, day=TODAY), PageOrder.DAY),
    ],
)
def test_the_index_that_leaves_least_to_look_through_is_read(wanted: ListFilter, order: PageOrder) -> None:
    assert wanted.order is order


@pytest.mark.parametrize(
    "wanted",
    [
        ListFilter(),
        ListFilter(sync="nightly"),
        ListFilter(state=State.FAILED),
        ListFilter(day=TODAY),
        ListFilter(sync="nightly", prefix="in/"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_all_pages_together_are_the_whole_list_and_nothing_twice(wanted: ListFilter, size: int) -> None:
    """Ten at each time, so that pages end among entries at one place of the index; the newest have the last keys."""
    ledger = ledger_of(*(entry(f"in/{number:02}", State.FAILED, minutes=2 - number // 10) for number in range(30)))

    pages = read_all(ledger, wanted, size=size)

    assert sorted(chain.from_iterable(pages)) == [f"in/{number:02}" for number in range(30)]
    assert all(len(page) == size for page in pages[:-1])


def test_days_before_today_follow_and_end_after_a_week() -> None:
    day = 24 * 60
    ledger = ledger_of(*(entry(f"in/{number}", minutes=number * day) for number in range(20)))

    assert read_all(ledger, ListFilter(), size=3) == [["in/0", "in/1", "in/2"], ["in/3", "in/4", "in/5"], ["in/6"]]


def test_a_page_looks_at_a_limited_number_of_entries_and_goes_on_there() -> None:
    states = [State.QUARANTINED if number == 25 else State.CONVERTED for number in range(30)]
    ledger = ledger_of(*(entry(f"in/{number:02}", state) for number, state in enumerate(states)))
    wanted = ListFilter(sync="nightly", state=State.QUARANTINED)

    page = read_page(ledger, wanted, today=TODAY, most=10)

    assert (page.entries, page.looked) == ((), 10)
    assert read_all(ledger, wanted, size=50, most=10) == [[], [], ["in/25"]]


def test_a_list_without_more_has_no_next_page() -> None:
    ledger = ledger_of(*(entry(f"in/{number}") for number in range(5)))

    assert read_page(ledger, ListFilter(sync="nightly"), today=TODAY, size=5).after is None
    assert read_page(ledger, ListFilter(sync="other"), today=TODAY, size=5).after is None


def test_a_filter_is_of_sync_state_bucket_and_prefix_together() -> None:
    wanted = ListFilter(sync="nightly", state=State.FAILED, bucket="b", prefix="in/")

    assert wanted.accepts(entry("in/a", State.FAILED))
    for other in (entry("in/a"), entry("out/a", State.FAILED), entry("in/a", State.FAILED, sync="hourly")):
        assert not wanted.accepts(other)
    assert not ListFilter(bucket="c").accepts(entry("in/a"))


@pytest.mark.parametrize("text", ["", "x", "bm90IGpzb24=", "eyJwbGFjZSI6IDF9", "W10=", "bnVsbA==", "ü"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="after=…"):
        PageCursor.parse(text)
