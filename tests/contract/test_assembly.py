"""What every store must do with an output that is put together of parts of other objects."""

from __future__ import annotations

import pytest

from millrace.errors import ObjectChanged, ObjectGone, TargetChanged
from millrace.objects.references import ObjectRef
from millrace.objects.store import SMALLEST_PART, Assembly, ObjectRange
from tests.contract.test_object_store import TARGET, S3World, StoreUnderTest, world

__all__ = ["world"]

PART = ObjectRef("acme-out", "lake/.millrace/runs/r ü+1/part/0/00017")
CONTENT = bytes(range(256)) * (2 * SMALLEST_PART // 256)
METADATA = {"millrace-sync": "s", "millrace-rows": "7"}


def placed(world: StoreUnderTest) -> str:
    world.place(PART, CONTENT)
    head = world.store.head(PART)
    assert head is not None
    return head.etag


def begun(world: StoreUnderTest) -> Assembly:
    assembly = world.store.assemble(TARGET, METADATA)
    assembly.copy(1, ObjectRange(PART, placed(world), 3, SMALLEST_PART + 5))
    return assembly


def test_ranges_and_bytes_become_one_object_with_its_rows(world: StoreUnderTest) -> None:
    assembly = begun(world)
    assembly.send(2, b"the end")
    assert world.store.head(TARGET) is None

    published = assembly.publish(expected=None, rows=7)

    head = world.store.head(TARGET)
    assert head is not None
    assert (head.etag, head.size, dict(head.metadata)) == (published.etag, published.size, METADATA)
    assert world.data(TARGET) == CONTENT[3 : SMALLEST_PART + 5] + b"the end"


def test_another_worker_goes_on_with_what_was_sent(world: StoreUnderTest) -> None:
    token = begun(world).token
    other = world.store.assemble(TARGET, METADATA, token=token)
    assert other.sent() == frozenset({1})

    other.send(2, b"x")
    other.send(2, b"the end")

    assert other.sent() == frozenset({1, 2})
    other.publish(expected=None, rows=7)
    assert world.data(TARGET).endswith(b"\x04the end")


def test_it_never_replaces_what_it_did_not_expect_and_replaces_what_it_did(world: StoreUnderTest) -> None:
    world.place(TARGET, b"theirs")
    head = world.store.head(TARGET)
    assert head is not None
    assembly = begun(world)

    with pytest.raises(TargetChanged):
        assembly.publish(expected=None, rows=7)
    assert world.data(TARGET) == b"theirs"
    assembly.publish(expected=head.etag, rows=7)

    assert world.data(TARGET) == CONTENT[3 : SMALLEST_PART + 5]


def test_a_part_that_was_overwritten_is_not_copied(world: StoreUnderTest) -> None:
    if isinstance(world, S3World):
        pytest.skip("moto does not look at CopySourceIfMatch; the emulator of the end-to-end tests does")
    assembly = world.store.assemble(TARGET, METADATA)
    etag = placed(world)
    world.place(PART, CONTENT[::-1])

    with pytest.raises(ObjectChanged):
        assembly.copy(1, ObjectRange(PART, etag, 0, 9))


def test_what_is_discarded_or_published_cannot_be_gone_on_with(world: StoreUnderTest) -> None:
    discarded, published = begun(world), begun(world)
    discarded.discard()
    discarded.discard()
    published.publish(expected=None, rows=7)
    published.discard()

    for token in (discarded.token, published.token):
        with pytest.raises(ObjectGone):
            world.store.assemble(TARGET, METADATA, token=token).sent()
