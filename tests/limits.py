"""What S3 and DynamoDB refuse by size, for the fakes; the emulators that tests run on take more (``test_limits``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millrace.aws.item_parts import divide_item
from millrace.aws.ledger_items import item_of
from millrace.errors import KeyTooLong, NotAccepted
from millrace.ledger.entries import Entry, WorkEntry
from millrace.ledger.table_entries import AnyEntry, SchemaEntry
from millrace.objects.references import ObjectRef
from millrace.objects.store import LARGEST_PART, MOST_PARTS, SMALLEST_PART
from millrace.texts import LONGEST_TEXT

LONGEST_KEY = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
MOST_METADATA = 2048
"""Bytes of all names and values in UTF-8 (Amazon S3 User Guide, "Working with object metadata")."""
LARGEST_ITEM = 400 * 1024
"""Bytes of names and values (Amazon DynamoDB Developer Guide, "DynamoDB item sizes and formats")."""
_SURELY_SMALL = 100


def demand_key(ref: ObjectRef) -> None:
    """Refuse a key as S3 does."""
    length = len(ref.key.encode())
    if length > LONGEST_KEY:
        raise KeyTooLong(f"{ref} was refused: its key has {length} bytes")


def demand_metadata(ref: ObjectRef, metadata: Mapping[str, str]) -> None:
    """Refuse user metadata as S3 does; raise ValueError for what no HTTP header carries unchanged."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > MOST_METADATA:
        raise NotAccepted(f"{ref} was refused: its metadata has {size} bytes")
    for name, value in metadata.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{ref}: {name} is {value!r}")


def demand_parts(ref: ObjectRef, sizes: Sequence[int], *, smallest: int = SMALLEST_PART) -> None:
    """Refuse the parts of a multipart upload as S3 does; the last one may be small."""
    if not 0 < len(sizes) <= MOST_PARTS:
        raise NotAccepted(f"{ref} was refused: it has {len(sizes):,} parts")
    for number, size in enumerate(sizes[:-1], 1):
        if not smallest <= size <= LARGEST_PART:
            raise NotAccepted(f"{ref} was refused: its part {number:,} of {len(sizes):,} has {size:,} bytes")


def demand_item(entry: AnyEntry) -> None:
    """Refuse an entry whose item is larger than DynamoDB takes."""
    if isinstance(entry, WorkEntry) and len(entry.outputs) + len(entry.obsolete) < _SURELY_SMALL:
        # The texts beside them are bounded where they are made; one that is not is still refused.
        texts = entry.reason if isinstance(entry, Entry) else None
        if len(texts or "") <= LONGEST_TEXT:
            return
    if isinstance(entry, SchemaEntry | WorkEntry):
        item, parts = divide_item(item_of(entry))
        size = max(map(size_of, [item, *parts]))
        if size > LARGEST_ITEM:
            raise NotAccepted(f"the entry of {entry.source} was refused: its item has {size:,} bytes")


def size_of(item: Mapping[str, Any]) -> int:
    """The bytes of an item, as DynamoDB counts them, numbers at their longest."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "B":
            return len(bytes(content))
        case "L":
            return 3 + sum(1 + _size_of_value(part) for part in content)
        case "M":
            return 3 + len(content) + size_of(content)
        case "N":
            return 21
        case _:
            return 1
