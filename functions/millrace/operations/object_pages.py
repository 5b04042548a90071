"""Lists of objects, a page at a time: which index answers a filter, and where the next page begins.

An index answers what it is sorted by; the rest of a filter is looked for among what it gives, up to a number of entries
a page. So a page costs about the same in a ledger of a thousand entries and of a hundred million.
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from millrace.errors import UsageError
from millrace.ledger.entries import NEEDS_ATTENTION, Entry, State, time_of
from millrace.ledger.stores import LedgerPages

PAGE_SIZE = 50
MOST_LOOKED = 2000
"""Entries that are looked at for a page, whether they match or not: about a second of a table's answers."""
DAYS_BACK = 7
"""How far back a list goes for which no day, sync or state is chosen."""


class PageOrder(enum.StrEnum):
    """What a list is sorted by, and so which index it is read from."""

    DAY = "newest of the day first"
    STATE = "newest in this state first"
    KEY = "by key"
    RECENT = "newest first"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilter:
    """Which objects are wanted; all that is given must match. ``day`` is a UTC day on which work finished."""

    sync: str | None = None
    state: State | None = None
    day: date | None = None
    bucket: str | None = None
    prefix: str = ""

    @property
    def order(self) -> PageOrder:
        """The index that leaves least to look through."""
        if self.day is not None:
            return PageOrder.DAY
        if self.state in NEEDS_ATTENTION:
            return PageOrder.STATE
        return PageOrder.KEY if self.sync is not None else PageOrder.RECENT

    def accepts(self, entry: Entry) -> bool:
        """Whether an entry is among what is wanted, the day left out: the index has chosen it."""
        is_mine = self.sync in {None, entry.sync} and self.state in {None, entry.state}
        return is_mine and self.bucket in {None, entry.source.bucket} and entry.source.key.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class PageCursor:
    """The entry that a page ended with: its place in the order, and what it is of those at the same place."""

    place: str
    sync: str
    bucket: str
    key: str

    @classmethod
    def of(cls, entry: Entry, order: PageOrder) -> PageCursor:
        """The place of an entry."""
        return cls(_place_in(order)(entry), entry.sync, entry.source.bucket, entry.source.key)

    @classmethod
    def parse(cls, text: str) -> PageCursor:
        """Read what ``to_text`` gave; raise UsageError for anything else."""
        try:
            fields = json.loads(base64.urlsafe_b64decode(text.encode()))
            cursor = cls(**fields)
        except (ValueError, TypeError, binascii.Error) as error:
            raise UsageError(
                "this address has a place in a list (after=…) that cannot be read: was it cut? Leave it out to begin "
                "at the first page"
            ) from error
        if not all(isinstance(value, str) for value in fields.values()):
            raise UsageError("this address has a place in a list (after=…) that is none; leave it out")
        return cursor

    def to_text(self) -> str:
        """For an address: letters, digits, ``-``, ``_`` and ``=``."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from others at its place."""
        return self.sync, self.bucket, self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPage:
    """A page of a list, the number of entries that were looked at for it, and where the next one begins, if at all."""

    entries: tuple[Entry, ...]
    order: PageOrder
    looked: int
    after: PageCursor | None = None


def read_page(
    pages: LedgerPages,
    wanted: ListFilter,
    *,
    today: date,
    after: PageCursor | None = None,
    size: int = PAGE_SIZE,
    most: int = MOST_LOOKED,
) -> ObjectPage:
    """Up to ``size`` objects; fewer if ``most`` entries were looked at before there were so many."""
    order = wanted.order
    entries = _in_order(_read_index(pages, wanted, today, after), order, after)
    chosen: list[Entry] = []
    looked = 0
    last: Entry | None = None
    for entry in entries:
        if len(chosen) == size or looked == most:
            assert last is not None  # noqa: S101 - for the type checker: something was looked at
            return ObjectPage(entries=tuple(chosen), order=order, looked=looked, after=PageCursor.of(last, order))
        looked, last = looked + 1, entry
        if wanted.accepts(entry):
            chosen.append(entry)
    return ObjectPage(entries=tuple(chosen), order=order, looked=looked)


def _read_index(pages: LedgerPages, wanted: ListFilter, today: date, after: PageCursor | None) -> Iterator[Entry]:
    place = after.place if after is not None else ""
    match wanted.order:
        case PageOrder.DAY:
            yield from pages.newest_finished(str(wanted.day), until=place)
        case PageOrder.STATE:
            assert wanted.state is not None  # noqa: S101 - for the type checker: the order says so
            yield from pages.newest_in_state(wanted.state, until=place)
        case PageOrder.KEY:
            yield from pages.below_prefix(str(wanted.sync), wanted.prefix, start=place)
        case PageOrder.RECENT:
            yield from _read_days(pages, today, place)


def _read_days(pages: LedgerPages, today: date, until: str) -> Iterator[Entry]:
    """What finished on the last days, the newest first; a day is asked for when the one after it is read."""
    for back in range(DAYS_BACK):
        day = str(today - timedelta(days=back))
        if not until or day <= until[:10]:
            yield from pages.newest_finished(day, until=until)


def _in_order(entries: Iterable[Entry], order: PageOrder, after: PageCursor | None) -> Iterator[Entry]:
    """The entries behind the cursor; an index gives those at one place in any order, so they are sorted here."""
    for place, group in groupby(entries, _place_in(order)):
        for entry in sorted(group, key=_identity_of):
            if after is None or place != after.place or _identity_of(entry) > after.identity:
                yield entry


def _identity_of(entry: Entry) -> tuple[str, str, str]:
    return entry.sync, entry.source.bucket, entry.source.key


def _place_in(order: PageOrder) -> Callable[[Entry], str]:
    return _key_of if order is PageOrder.KEY else time_text_of


def _key_of(entry: Entry) -> str:
    return entry.source.key


def time_text_of(entry: Entry) -> str:
    """The time of its work as the indexes sort it; "" for one that has none."""
    moment: datetime | None = time_of(entry)
    return moment.isoformat() if moment is not None else ""
