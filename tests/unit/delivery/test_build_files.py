"""What a build remembers of its files, and when it believes it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.delivery.build_files import FileRecord, PinnedFiles, trust_file
from millrace.errors import ObjectChanged
from millrace.ledger.claims import LEASE_MARGIN
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject
from tests.fakes import InMemoryObjectStore

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FILE = ObjectRef("acme-in", "in/a.csv")
LISTED = ListedObject(FILE, "e", 7, NOON)
RECORD = FileRecord(fingerprint="f", run_id="r", files={FILE.key: ("e", NOON.isoformat()), "grüße": ("x", "")})


def test_a_record_reads_back_as_it_was_and_is_the_same_bytes_each_time() -> None:
    assert FileRecord.from_bytes(RECORD.to_bytes()) == RECORD
    assert RECORD.to_bytes() == RECORD.to_bytes()
    assert "grüße" in gzip.decompress(RECORD.to_bytes()).decode()


def spoil(**fields: Any) -> bytes:
    content = json.loads(gzip.decompress(RECORD.to_bytes())) | fields
    return gzip.compress(
        json.dumps({name: value for name, value in content.items() if value != "gone"}).encode(), mtime=0
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b"not json", mtime=0),
        RECORD.to_bytes()[:-9],
        spoil(millrace=2),
        spoil(fingerprint="gone"),
        spoil(files={"k": ["one"]}),
        spoil(files=7),
    ],
)
def test_what_is_no_record_of_this_version_is_as_good_as_none(data: bytes) -> None:
    assert FileRecord.from_bytes(data) is None


@pytest.mark.parametrize(
    ("file", "is_known"),
    [
        (LISTED, True),
        (ListedObject(FILE, "e", 7, NOON + SECOND), False),
        (ListedObject(FILE, "f", 7, NOON), False),
        (ListedObject(ObjectRef("acme-in", "in/b.csv"), "e", 7, NOON), False),
    ],
)
def test_a_file_is_known_by_its_etag_and_its_time(file: ListedObject, *, is_known: bool) -> None:
    assert RECORD.has(file) == is_known


@pytest.mark.parametrize(
    ("modified", "time"),
    [
        (NOON - LEASE_MARGIN, (NOON - LEASE_MARGIN).isoformat()),
        (NOON - LEASE_MARGIN + SECOND, ""),
        (NOON, ""),
    ],
)
def test_a_file_that_may_be_written_again_within_its_second_is_not_trusted(modified: datetime, time: str) -> None:
    assert trust_file(ListedObject(FILE, "e", 7, modified), NOON) == ("e", time)


def test_a_file_is_opened_each_time_at_the_version_of_the_first_time() -> None:
    store = InMemoryObjectStore()
    store.put(FILE, b"1")
    pinned = PinnedFiles(store)
    with pinned.open(FILE) as first:
        assert first.read() == b"1"
    with pinned.open(FILE) as again:
        assert again.read() == b"1"
    store.put(FILE, b"2")

    with pytest.raises(ObjectChanged), pinned.open(FILE):
        pass


def test_what_is_remembered_of_a_file_is_what_was_read_of_it() -> None:
    """It may be newer than what was listed."""
    store = InMemoryObjectStore(modified=NOON)
    store.put(FILE, b"12")
    pinned = PinnedFiles(store)
    listed = ListedObject(FILE, "listed", 7, NOON - SECOND)

    assert pinned.as_read(listed) is listed
    with pinned.open(FILE):
        pass

    assert pinned.as_read(listed) == ListedObject(FILE, store.buckets["acme-in"][FILE.key].etag, 2, NOON)
    assert pinned.origin(FILE).file == str(FILE)
