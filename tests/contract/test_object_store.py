"""What every object store must do."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Protocol, cast

import pytest

from millrace.aws.ranged_reader import CHUNK
from millrace.aws.s3_objects import S3ObjectStore
from millrace.aws.s3_upload import PART, S3Upload
from millrace.errors import NoSuchBucket, ObjectGone, TargetChanged
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore
from tests.fakes import InMemoryObjectStore

REF = ObjectRef("acme-in", "in/2026 q1+ü.csv")
TARGET = ObjectRef("acme-out", "lake/2026 q1+ü.parquet")


class StoreUnderTest(Protocol):
    """A store and a user's hands."""

    store: ObjectStore

    def place(self, ref: ObjectRef, data: bytes) -> None: ...

    def data(self, ref: ObjectRef) -> bytes: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.memory = InMemoryObjectStore({"acme-in": {}, "acme-out": {}})
        self.store: ObjectStore = self.memory

    def place(self, ref: ObjectRef, data: bytes) -> None:
        self.memory.put(ref, data)

    def data(self, ref: ObjectRef) -> bytes:
        return self.memory.data(ref)


class S3World:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.store: ObjectStore = S3ObjectStore(client)

    def place(self, ref: ObjectRef, data: bytes) -> None:
        self.client.put_object(Bucket=ref.bucket, Key=ref.key, Body=data)

    def data(self, ref: ObjectRef) -> bytes:
        body: bytes = self.client.get_object(Bucket=ref.bucket, Key=ref.key)["Body"].read()
        return body


@pytest.fixture(params=["memory", "s3"])
def world(request: pytest.FixtureRequest) -> StoreUnderTest:
    return MemoryWorld() if request.param == "memory" else S3World(request.getfixturevalue("s3"))


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
@pytest.mark.parametrize("tail_first", [False, True])
def test_an_object_is_read_as_it_was_placed(world: StoreUnderTest, size: int, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    data = bytes(range(251)) * (size // 251 + 1)
    world.place(REF, data[:size])

    with world.store.open(REF, tail_first=tail_first) as opened:
        assert opened.head.size == size
        assert opened.stream.read() == data[:size]
        opened.stream.seek(max(0, size - 7))
        assert opened.stream.read() == data[max(0, size - 7) : size]
        opened.stream.seek(0)
        assert opened.stream.read(5) == data[:size][:5]


def test_reading_what_is_not_there_says_gone(world: StoreUnderTest) -> None:
    with pytest.raises(ObjectGone), world.store.open(REF):
        pass
    assert world.store.head(REF) is None


def test_a_missing_bucket_is_named(world: StoreUnderTest) -> None:
    with pytest.raises(NoSuchBucket, match="nowhere"), world.store.open(ObjectRef("nowhere", "x")):
        pass


@pytest.mark.parametrize("size", [0, 10, PART - 1, PART, 2 * PART + 11])
def test_an_output_is_absent_until_it_is_published_and_then_whole(world: StoreUnderTest, size: int) -> None:
    data = bytes(range(253)) * (size // 253 + 1)
    upload = world.store.upload(TARGET, {"millrace-sync": "s"})
    view = memoryview(data)[:size]
    for start in range(0, size, 1_000_003):
        upload.write(view[start : start + 1_000_003])
    assert world.store.head(TARGET) is None

    published = upload.publish(expected=None, rows=3)

    there = world.store.head(TARGET)
    assert there is not None
    assert (there.etag, there.size, there.metadata["millrace-sync"]) == (published.etag, size, "s")
    assert world.data(TARGET) == data[:size]


def test_an_output_never_replaces_what_it_did_not_expect(world: StoreUnderTest) -> None:
    world.place(TARGET, b"theirs")
    upload = world.store.upload(TARGET, {})
    upload.write(b"ours")

    with pytest.raises(TargetChanged):
        upload.publish(expected=None, rows=1)
    with pytest.raises(TargetChanged):
        upload.publish(expected="0" * 32, rows=1)
    assert world.data(TARGET) == b"theirs"


def test_an_output_replaces_what_it_expected_after_a_refusal(world: StoreUnderTest) -> None:
    world.place(TARGET, b"old")
    upload = world.store.upload(TARGET, {})
    upload.write(b"new")
    with pytest.raises(TargetChanged):
        upload.publish(expected=None, rows=1)
    there = world.store.head(TARGET)
    assert there is not None

    upload.publish(expected=there.etag, rows=1)

    assert world.data(TARGET) == b"new"


@pytest.mark.parametrize("size", [10, 2 * PART])
def test_a_discarded_output_leaves_nothing(world: StoreUnderTest, size: int) -> None:
    upload = world.store.upload(TARGET, {})
    upload.write(bytes(size))

    upload.discard()
    upload.discard()

    assert world.store.head(TARGET) is None
    if isinstance(world, S3World):
        assert "Uploads" not in world.client.list_multipart_uploads(Bucket=TARGET.bucket)


def test_a_part_that_fails_is_told_at_a_later_write_and_leaves_nothing() -> None:
    class Failing:
        def create_multipart_upload(self, **_given: Any) -> dict[str, str]:
            return {"UploadId": "u"}

        def upload_part(self, **_given: Any) -> dict[str, str]:
            raise ConnectionResetError("the line went dead")

        def abort_multipart_upload(self, **given: Any) -> None:
            aborted.append(given["UploadId"])

    aborted: list[str] = []
    before = threading.active_count()
    upload = S3Upload(cast("Any", Failing()), TARGET, {})
    upload.write(bytes(PART))

    with pytest.raises(ConnectionResetError, match="the line went dead"):
        list(map(upload.write, itertools.repeat(b"x", PART)))
    upload.discard()

    assert aborted == ["u"]
    assert threading.active_count() == before


def test_deleting_is_by_name_and_twice_is_no_error(world: StoreUnderTest) -> None:
    for key in ("a", "ab", "a/b"):
        world.place(ObjectRef("acme-out", key), b"x")

    world.store.delete(ObjectRef("acme-out", "a"))
    world.store.delete(ObjectRef("acme-out", "a"))

    assert [found.ref.key for found in world.store.list("acme-out", "")] == ["a/b", "ab"]


def test_a_listing_is_in_key_order_below_a_prefix_and_goes_on_where_told(world: StoreUnderTest) -> None:
    for key in ("in/b", "in/a", "in/ü", "in/a b+c", "inn"):
        world.place(ObjectRef("acme-in", key), b"12")

    found = list(world.store.list("acme-in", "in/"))

    assert [one.ref.key for one in found] == ["in/a", "in/a b+c", "in/b", "in/ü"]
    assert {one.size for one in found} == {2}
    assert [one.ref.key for one in world.store.list("acme-in", "in/", start_after="in/a b+c")] == ["in/b", "in/ü"]
