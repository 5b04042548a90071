"""Iceberg tables in S3 table buckets (S3 Tables); satisfies ``catalog.iceberg.tables``.

A table bucket takes a table's files in a bucket of the table's own alone, in which nobody can write over an object, or
copy, list or delete one (Amazon S3 API Reference, "Supported Amazon S3 object-level API operations for S3 Tables"). So
the committer sends each output there before it commits it, under a name that says which output it is::

    the output    s3://acme-out/lake/Orders/a.f00000003-5b0ef0c3a1d24e77-9c41aa.parquet
    its copy      s3://63a8e430-…--table-s3/data/20261129/c20be9b35e9d1b42.f00000003-5b0ef0c3a1d24e77-9c41aa.parquet
                                                 day      digest of the output's address

The table bucket removes what no snapshot names for a day or more. A copy of an earlier day is therefore none that a
commit may still name: the output is copied once more, and the day is no part of what a file is known by.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table import CommitTableResponse, Table, TableProperties
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import TableRequirement, TableUpdate, update_table_metadata

from millrace.aws.faults import error_code, translated
from millrace.aws.iceberg_catalog import OUTPUTS, OWNER, PROPERTIES, LoadedTable
from millrace.aws.iceberg_io import StoredOutput, StoreFileIO
from millrace.aws.iceberg_snapshots import RememberedManifests
from millrace.aws.s3_objects import S3ObjectStore
from millrace.aws.s3_upload import PART, S3Upload
from millrace.catalog.iceberg.tables import Expired, IcebergPlace, NeededOutput
from millrace.catalog.tables import CatalogName, CatalogRefused
from millrace.config.catalog import IcebergTables, is_table_bucket_name
from millrace.errors import AccessDenied, LostRace, ServiceUnavailable
from millrace.ledger.entries import Output
from millrace.objects.output_names import OutputVersion
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead, ObjectStore, Stores

_PROPERTIES = PROPERTIES | {
    # Nobody can delete in a table bucket; it removes old files of metadata by itself.
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "false",
}
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of an output that is reopened: nothing asks for it."""
_UNWRITTEN = "/metadata/v0.metadata.json"
"""An emulator (MiniStack 1.5.33) says this of a new table, and has no such file; S3 Tables says nothing then."""


class TableBucketStore(S3ObjectStore):
    """What table buckets take of S3's requests: objects without metadata of their own, and no deletion."""

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> S3Upload:
        """Begin an object of which nothing is said: headers that they do not know are refused."""
        del metadata
        return S3Upload(self._client, target, None)

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Nothing: what no snapshot names, the table bucket removes by itself."""
        del ref, etag


def name_copy(output: ObjectRef) -> str:
    """The name of an output's copy, of the same length for all: ``c20be9b35e9d1b42.f00000003-….parquet``."""
    version = OutputVersion.parse(output.key)
    if version is None:
        raise CatalogRefused(f"{output} has no name that says which output it is; reprocess its source")
    return f"{hashlib.sha256(str(output).encode()).hexdigest()[:16]}{version}.parquet"


def _last_part(path: str) -> str:
    return path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _BucketTable:
    """What S3 Tables says of a table; ``metadata`` None: it has none yet."""

    token: str
    warehouse: str
    metadata: str | None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> _BucketTable:
        """Of GetTable's answer."""
        metadata = answer.get("metadataLocation")
        is_written = metadata is not None and not metadata.endswith(_UNWRITTEN)
        return cls(answer["versionToken"], answer["warehouseLocation"].rstrip("/"), metadata if is_written else None)


@dataclass(frozen=True, slots=True)
class _TableAddress:
    """Requests about one table."""

    client: Any
    place: IcebergPlace

    def find(self) -> _BucketTable | None:
        """One GetTable; None: there is none of that name, or no namespace."""
        with translated("s3tables:GetTable of", self.place.name):
            try:
                return _BucketTable.of(self.client.get_table(**self._named()))
            except ClientError as error:
                if error_code(error) != "NotFoundException":
                    raise
        return None

    def make(self) -> None:
        """CreateNamespace and CreateTable, each if it is not there."""
        bucket, name = self.place.table_bucket, self.place.name
        with translated("s3tables:CreateNamespace of", f"{name.database} in {bucket}"), _unless_there():
            self.client.create_namespace(tableBucketARN=bucket, namespace=[name.database])
        with translated("s3tables:CreateTable of", name), _unless_there():
            self.client.create_table(**self._named(), format="ICEBERG")

    def forbid_compaction(self) -> None:
        """One PutTableMaintenanceConfiguration: a file that was written of several would be of no object."""
        with translated("s3tables:PutTableMaintenanceConfiguration of", self.place.name):
            self.client.put_table_maintenance_configuration(
                **self._named(), type="icebergCompaction", value={"status": "disabled"}
            )

    def point_to(self, metadata: str, token: str) -> None:
        """One UpdateTableMetadataLocation of just that version. Raises CommitFailedException if it is another now."""
        with translated("s3tables:UpdateTableMetadataLocation of", self.place.name):
            try:
                self.client.update_table_metadata_location(
                    **self._named(), versionToken=token, metadataLocation=metadata
                )
            except ClientError as error:
                if error_code(error) != "ConflictException":
                    raise
                raise CommitFailedException(str(error)) from error

    def _named(self) -> dict[str, Any]:
        name = self.place.name
        return {"tableBucketARN": self.place.table_bucket, "namespace": name.database, "name": name.table}


@contextmanager
def _unless_there() -> Iterator[None]:
    """Pass over the answer that somebody made it before."""
    try:
        yield
    except ClientError as error:
        if error_code(error) != "ConflictException":
            raise


class _PinnedCommits(NoopCatalog):
    """pyiceberg's catalogue of one table that was loaded: commits on that very version, and never on another."""

    def __init__(self, address: _TableAddress, token: str) -> None:
        super().__init__("millrace")
        self._address, self._token = address, token

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Write new metadata, and have the table name them."""
        for requirement in requirements:
            requirement.validate(table.metadata)
        metadata = update_table_metadata(table.metadata, updates, metadata_location=table.metadata_location)
        location = _write_metadata(metadata, _number_of(table.metadata_location) + 1, table.io)
        self._address.point_to(location, self._token)
        return CommitTableResponse(metadata=metadata, metadata_location=location)


def _number_of(metadata: str) -> int:
    """3 of ``…/metadata/00003-….metadata.json``; -1 of a name of another form."""
    digits = _last_part(metadata).partition("-")[0]
    return int(digits) if digits.isdecimal() else -1


def _write_metadata(metadata: TableMetadata, number: int, io: Any) -> str:
    """The address of a new file of metadata."""
    provider = load_location_provider(metadata.location, metadata.properties)
    location = provider.new_table_metadata_file_location(number)
    ToOutputFile.table_metadata(metadata, io.new_output(location))
    return location


class TableBucketCatalog:
    """Tables in any table bucket, under the function's own role; ``stores`` reach the outputs.

    ``client_of`` makes a client of S3 Tables for a region, ``warehouse_of`` what reaches the tables' own buckets there.
    """

    def __init__(
        self,
        stores: Stores | Mapping[str, ObjectStore],
        *,
        client_of: Callable[[str], Any],
        warehouse_of: Callable[[str], ObjectStore],
        now: Callable[[], datetime],
    ) -> None:
        self._stores, self._client_of, self._warehouse_of, self._now = stores, client_of, warehouse_of, now
        self._manifests = RememberedManifests(_last_part)

    def load(self, place: IcebergPlace) -> TableBucketTable | None:
        """One GetTable, and the metadata that it names."""
        address, warehouse = self._reach(place)
        stored = address.find()
        if stored is None or stored.metadata is None:
            return None
        io = StoreFileIO(warehouse)
        try:
            metadata = FromInputFile.table_metadata(io.new_input(stored.metadata))
        except FileNotFoundError as error:
            raise LostRace(f"table {place.name} was changed by another meanwhile: {error} is gone") from error
        name = (place.name.database, place.name.table)
        table = Table(name, metadata, stored.metadata, io, _PinnedCommits(address, stored.token))
        copies = Copies(self._stores[place.connection], warehouse, f"{stored.warehouse}/data/{self._now():%Y%m%d}/")
        return TableBucketTable(table, self._stores[place.connection], self._manifests, copies)

    def create(self, place: IcebergPlace) -> None:
        """Make the table, and write its first metadata; one that was begun is gone on with."""
        address, warehouse = self._reach(place)
        address.make()
        _demand_begun(address)
        address.forbid_compaction()
        stored = _demand_begun(address)
        properties = _PROPERTIES | {OWNER: place.owner, OUTPUTS: str(place.outputs)}
        metadata = new_table_metadata(
            schema=Schema(),
            partition_spec=UNPARTITIONED_PARTITION_SPEC,
            sort_order=UNSORTED_SORT_ORDER,
            location=stored.warehouse,
            properties=properties,
        )
        location = _write_metadata(metadata, 0, StoreFileIO(warehouse))
        try:
            address.point_to(location, stored.token)
        except CommitFailedException as error:
            raise LostRace(f"table {place.name} was made by another meanwhile: {error}") from error

    def list_tables(self, kept: IcebergTables, root: ObjectRef) -> Sequence[CatalogName]:
        """All pages of ListTables of a namespace, of which some may be another's."""
        del root
        database, names = kept.database or "", []
        client = self._client_of(_region_of(kept.table_bucket))
        with translated("s3tables:ListTables of", database):
            try:
                pages = client.get_paginator("list_tables").paginate(
                    tableBucketARN=kept.table_bucket, namespace=database
                )
                for page in pages:
                    names += [CatalogName(database, table["name"]) for table in page["tables"]]
            except ClientError as error:
                if error_code(error) != "NotFoundException":
                    raise
        return names

    def _reach(self, place: IcebergPlace) -> tuple[_TableAddress, ObjectStore]:
        if not is_table_bucket_name(place.name.table):
            raise CatalogRefused(
                f"a table bucket takes no table {place.name.table!r}: its name begins and ends with a letter a-z or a "
                "digit; give the table another user_output_name"
            )
        region = _region_of(place.table_bucket)
        return _TableAddress(self._client_of(region), place), self._warehouse_of(region)


def _demand_begun(address: _TableAddress) -> _BucketTable:
    """A table that has no metadata yet. Raises LostRace if it has some: another made it, whoever that is."""
    stored = address.find()
    if stored is None or stored.metadata is not None:
        raise LostRace(f"table {address.place.name} was made by another meanwhile")
    return stored


def _region_of(table_bucket: str | None) -> str:
    """``eu-central-1`` of ``arn:aws:s3tables:eu-central-1:111122223333:bucket/acme-tables``."""
    assert table_bucket is not None  # noqa: S101 - for the type checker: other tables are asked for elsewhere
    return table_bucket.split(":")[3]


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies outputs of ``store`` below ``folder``, an address that ends in a slash, which ``warehouse`` reaches."""

    store: ObjectStore
    warehouse: ObjectStore
    folder: str

    def bring(self, output: Output) -> str:
        """The address of an output's copy, which is there; one that is there already is not made again.

        Raises ObjectGone, or ObjectChanged if the output is not what the ledger says; ServiceUnavailable.
        """
        target = f"{self.folder}{name_copy(output.ref)}"
        size = self._find_size(target)
        if size is None:
            try:
                size = self._copy(output, target)
            except FileExistsError:
                # Who was quicker has copied the same bytes.
                size = self._find_size(target)
        if size != output.size:
            raise ServiceUnavailable(
                f"{target} is to be a copy of the {output.size:,} bytes of {output.ref}, and has {size}"
            )
        return target

    def _find_size(self, target: str) -> int | None:
        """The bytes of a copy; None: there is none, or S3 does not say, as to all who may list nothing."""
        try:
            head = self.warehouse.head(ObjectRef.parse(target))
        except AccessDenied:
            return None
        return head.size if head is not None else None

    def _copy(self, output: Output, target: str) -> int:
        """By parts, of which a few are in memory; nothing is there before all of it is. Its bytes."""
        pinned = ObjectHead(etag=output.etag, size=output.size, modified=_UNKNOWN)
        copy = StoredOutput(self.warehouse, target)
        with self.store.reopen(output.ref, pinned) as opened, copy.create() as stream:
            shutil.copyfileobj(opened.stream, stream, PART)
            if stream.tell() != output.size:
                raise ServiceUnavailable(
                    f"{output.ref} ended after {stream.tell():,} bytes, and the ledger says {output.size:,}"
                )
        return output.size


class TableBucketTable(LoadedTable):
    """A table of a table bucket; its files are copies of the outputs."""

    commit_action = "s3tables:UpdateTableMetadataLocation of"
    mending = (
        "Keep compaction off (aws s3tables put-table-maintenance-configuration --type icebergCompaction), delete the "
        "table (aws s3tables delete-table; the outputs stay) and reprocess the sync"
    )

    def __init__(self, table: Table, store: ObjectStore, manifests: RememberedManifests, copies: Copies) -> None:
        super().__init__(table, store, manifests)
        self._copies = copies

    def name_file(self, output: Output) -> str:
        """The name of its copy."""
        return name_copy(output.ref)

    def bring_file(self, output: Output) -> str:
        """Copy it."""
        return self._copies.bring(output)

    def check_head(self, output: Output, head: ObjectHead) -> None:
        """What is copied is what the ledger says."""
        if (head.etag, head.size) != (output.etag, output.size):
            raise CatalogRefused(
                f"{output.ref} has {head.size:,} bytes and ETag {head.etag}, and the ledger says {output.size:,} and "
                f"{output.etag}: somebody wrote over it; reprocess its source"
            )

    def expire(self, *, before: datetime, orphans_before: datetime, is_needed: NeededOutput) -> Expired:
        """Delete outputs that the ledger does not name any more; of the table the table bucket takes care itself."""
        del before
        return Expired(data_files=self.delete_orphans(set(), orphans_before, is_needed))
