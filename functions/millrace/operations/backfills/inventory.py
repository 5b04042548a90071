"""S3 Inventory as a listing: what a manifest says, and the objects that its files hold.

The manifest and its files are as the Amazon S3 User Guide has them in "Locating your inventory list" and "Amazon S3
Inventory list". A CSV inventory has no header, is gzip-compressed, and has its keys form-encoded: a space is ``+`` and
a plus sign ``%2B``. ORC and Parquet have the keys as they are. An inventory of all versions has the columns that say
which is the latest, and which are delete markers: only the latest versions that are objects count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote_plus

from millrace.engine.options import Compression, FileFormat, ReadOptions
from millrace.errors import DataError, MillraceError, UsageError
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

    from millrace.engine.formats.base import BadRow

_FORMATS = {"CSV": FileFormat.CSV, "ORC": FileFormat.ORC, "Parquet": FileFormat.PARQUET}
_COLUMNS = {
    "Bucket": "bucket",
    "Key": "key",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
    "StorageClass": "storage_class",
}
"""The columns that are read: their names in a CSV inventory's schema, and in those of ORC and Parquet."""
_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_LONGEST_MANIFEST = 64 << 20
"""Bytes: it is in memory as a whole."""
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Of an object in an inventory without times: before any newer_than."""


class InvalidInventory(MillraceError):
    """A manifest, or a file of an inventory, is not what the Amazon S3 User Guide says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What ``manifest.json`` says; ``files`` are the inventory's, ``columns`` the names of a CSV file's columns."""

    bucket: str
    format: FileFormat
    files: tuple[ObjectRef, ...]
    columns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes, address: str) -> Manifest:
        """Read a manifest; raise InvalidInventory with what is wrong with it."""
        try:
            fields = json.loads(data)
            destination = fields["destinationBucket"].removeprefix("arn:aws:s3:::").rpartition(":::")[2]
            manifest = cls(
                bucket=fields["sourceBucket"],
                format=_FORMATS[fields["fileFormat"]],
                files=tuple(ObjectRef(destination, file["key"]) for file in fields["files"]),
                columns=_parse_columns(fields),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InvalidInventory(
                f"{address} is no manifest of S3 Inventory ({type(error).__name__}: {error}); expected a JSON object "
                "with sourceBucket, destinationBucket, fileFormat (CSV, ORC or Parquet), fileSchema and files"
            ) from error
        return manifest

    def demand_bucket(self, bucket: str, address: str) -> None:
        """Raise UsageError if the inventory is of another bucket."""
        if self.bucket != bucket:
            raise UsageError(f"{address} is an inventory of the bucket {self.bucket}; the sync reads {bucket}")


def _parse_columns(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a CSV inventory: ``Bucket, Key, Size`` gives ``("bucket", "key", "size")``."""
    if fields["fileFormat"] != "CSV":
        return ()
    names = [name.strip() for name in fields["fileSchema"].split(",")]
    for name in ("Bucket", "Key"):
        if name not in names:
            raise ValueError(f"fileSchema has no column {name}: {fields['fileSchema']!r}")
    # A column that is not read keeps its own name: there may be more of them from year to year.
    return tuple(_COLUMNS.get(name, name) for name in names)


def read_manifest(store: ObjectStore, address: str) -> Manifest:
    """The manifest at an address, ``s3://bucket/…/manifest.json``; raise InvalidInventory or UsageError."""
    ref = ObjectRef.parse(address)
    if not ref.key.endswith("manifest.json"):
        raise UsageError(f"{address} is no manifest; an inventory's manifest is …/manifest.json")
    with store.open(ref) as opened:
        data = opened.stream.read(_LONGEST_MANIFEST)
    return Manifest.parse(data, address)


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """An object of an inventory's file, and the number of its row there, from 1."""

    number: int
    listed: ListedObject


def read_inventory_file(store: ObjectStore, manifest: Manifest, file: int, prefix: str) -> Iterator[InventoryRow]:
    """The objects of one file below a prefix, in the order of the file; raise InvalidInventory with file and row."""
    ref = manifest.files[file]
    number = 0
    # ORC and Parquet say at their end where everything is.
    with store.open(ref, tail_first=manifest.format is not FileFormat.CSV) as opened:
        for batch in _read_batches(opened.stream, manifest, ref):
            for row in batch.to_pylist():
                number += 1
                listed = _to_listed(row, manifest, f"{ref}, row {number:,}")
                if listed is not None and listed.ref.key.startswith(prefix):
                    yield InventoryRow(number, listed)


def _read_batches(stream: BinaryIO, manifest: Manifest, ref: ObjectRef) -> Iterator[pa.RecordBatch]:
    """The rows of a file, with the columns that are read, under the names of ORC and Parquet."""
    from millrace.engine.formats.registry import FORMATS  # noqa: PLC0415 - pyarrow takes 0.3 s, and few list so

    try:
        records = FORMATS[manifest.format].read(stream, _to_read_options(manifest, ref), report=_ignore_bad_row)
        for batch in records.batches:
            yield _select_columns(batch, manifest, ref)
    except DataError as error:
        raise InvalidInventory(f"{ref}, a file of the inventory, cannot be read: {error}") from error


def _to_read_options(manifest: Manifest, ref: ObjectRef) -> ReadOptions:
    if manifest.format is not FileFormat.CSV:
        return ReadOptions()
    compression = Compression.GZIP if ref.key.endswith(".gz") else Compression.NONE
    return ReadOptions(compression=compression, has_headers=False, infer_types=False, delimiter=",", quote='"')


def _ignore_bad_row(_bad: BadRow) -> None:
    """Nothing: the options ask for an error at the first bad row."""


def _select_columns(batch: pa.RecordBatch, manifest: Manifest, ref: ObjectRef) -> pa.RecordBatch:
    if manifest.columns:
        if batch.num_columns != len(manifest.columns):
            raise InvalidInventory(
                f"{ref} has {batch.num_columns} columns; the manifest's fileSchema names {len(manifest.columns)}"
            )
        batch = batch.rename_columns(list(manifest.columns))
    missing = [name for name in ("bucket", "key") if name not in batch.schema.names]
    if missing:
        raise InvalidInventory(f"{ref} has no column {missing[0]}; it has {', '.join(batch.schema.names)}")
    return batch.select([name for name in _COLUMNS.values() if name in batch.schema.names])


def _to_listed(row: Mapping[str, Any], manifest: Manifest, place: str) -> ListedObject | None:
    """The object of a row; None for a version that is not the latest, and for a delete marker."""
    # An inventory without versions has no such columns: each of its rows is an object that is there.
    if not _is_true(row.get("is_latest", True), place) or _is_true(row.get("is_delete_marker", False), place):
        return None
    if row["bucket"] != manifest.bucket:
        raise InvalidInventory(f"{place} is of the bucket {row['bucket']!r}; the manifest is of {manifest.bucket!r}")
    key = row["key"]
    if not isinstance(key, str) or not key:
        raise InvalidInventory(f"{place} has the key {key!r}; expected a text")
    # CSV inventories quote keys as URLs are, a%20b+c.csv, and those of Parquet and ORC do not (Amazon S3 User Guide).
    return ListedObject(
        ref=ObjectRef(manifest.bucket, unquote_plus(key, errors="strict") if manifest.columns else key),
        etag=(row.get("e_tag") or "").strip('"'),
        size=_to_size(row.get("size"), place),
        modified=_to_time(row.get("last_modified_date"), place),
        is_readable=row.get("storage_class") not in _ARCHIVED,
    )


def _is_true(value: object, place: str) -> bool:
    """A yes or no, which a CSV inventory writes as text."""
    match value:
        case bool():
            return value
        case "true" | "false":
            return value == "true"
        case _:
            raise InvalidInventory(f"{place} has {value!r} where true or false is expected")


def _to_size(value: object, place: str) -> int:
    if isinstance(value, int):
        return value
    if not value:
        return 0
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    raise InvalidInventory(f"{place} has the size {value!r}; expected a number of bytes")


def _to_time(value: object, place: str) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and value else _NO_TIME
    except ValueError as error:
        raise InvalidInventory(f"{place} has the time {value!r}; expected one as 2026-11-28T12:00:00.000Z") from error
