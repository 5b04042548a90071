"""A commit in pyiceberg's words: manifests that are read once, and one snapshot that adds files and removes others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles
from pyiceberg.typedef import Record
from pyiceberg.utils.properties import property_as_int

from millrace.aws.iceberg_columns import sum_up_statistics
from millrace.catalog.iceberg.tables import LiveFile
from millrace.objects.output_names import OutputVersion

MERGED_FROM = 50
"""So many manifests are merged by the next commit."""
_MERGED_BYTES = 8 * 2**20
"""About the size of a manifest that is made of several."""
_MOST_REMEMBERED = 500_000
"""Files of manifests that are kept in memory between invocations: a manifest never changes."""
FOREIGN = OutputVersion(0, "")
"""Of a file that another program has put into the table."""


@dataclass(slots=True)
class RememberedManifests:
    """The files of manifests that were read; ``copy_of`` says the name of a copy that an address has, if it is one."""

    copy_of: Callable[[str], str | None] = lambda _path: None
    files: dict[str, tuple[LiveFile, ...]] = field(default_factory=dict)
    size: int = 0

    def read(self, manifest: ManifestFile, io: FileIO) -> tuple[LiveFile, ...]:
        """The files of a manifest that are of the table; those that Millrace has not written are of no object."""
        known = self.files.get(manifest.manifest_path)
        if known is not None:
            return known
        found = []
        for entry in manifest.fetch_manifest_entry(io=io, discard_deleted=True):
            path = entry.data_file.file_path
            found.append(LiveFile(path, OutputVersion.parse(path) or FOREIGN, self.copy_of(path)))
        if self.size + len(found) > _MOST_REMEMBERED:
            self.files.clear()
            self.size = 0
        self.files[manifest.manifest_path] = tuple(found)
        self.size += len(found)
        return tuple(found)


class SteadyTransaction(Transaction):
    """A transaction that works out its metadata once for each update, and not at each question: a copy takes long."""

    def __init__(self, table: Table) -> None:
        super().__init__(table)
        self._known: tuple[int, TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """As the updates so far make it."""
        if self._known is None or self._known[0] != len(self._updates):
            self._known = (len(self._updates), super().table_metadata)
        return self._known[1]


class ReplacingSnapshot(_OverwriteFiles):
    """One snapshot that adds files and removes others; small manifests are merged, and empty ones left out."""

    def __init__(self, transaction: Transaction, io: FileIO, summary: dict[str, str]) -> None:
        has_snapshot = transaction.table_metadata.current_snapshot() is not None
        operation = Operation.OVERWRITE if has_snapshot else Operation.APPEND
        super().__init__(operation, transaction, io, snapshot_properties=summary)

    def _clean_all_uncommitted(self) -> None:
        """Nothing: what nobody names goes with the expiry.

        pyiceberg deletes the manifests of a commit that lost. It may have won: its answer gets lost, the client asks
        again, and hears that the table is another now. Then the table names these very manifests.
        """

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        filled = [manifest for manifest in manifests if _has_entries(manifest, self.snapshot_id)]
        properties = self._transaction.table_metadata.properties
        least = property_as_int(properties, TableProperties.MANIFEST_MIN_MERGE_COUNT, MERGED_FROM) or MERGED_FROM
        merging = _ManifestMergeManager(_MERGED_BYTES, least, merge_enabled=True, snapshot_producer=self)
        return merging.merge_manifests(filled)


def _has_entries(manifest: ManifestFile, snapshot_id: int) -> bool:
    """Whether a manifest says anything of the table: deletions of earlier snapshots are in those alone."""
    return has_files(manifest) or manifest.added_snapshot_id == snapshot_id


def has_files(manifest: ManifestFile) -> bool:
    """Whether a manifest has files that are of the table."""
    return manifest.has_added_files() or manifest.has_existing_files()


def to_data_file(path: str, size: int, footer: pq.FileMetaData, schema: Schema) -> DataFile:
    """A file of so many bytes as a manifest has it, with the statistics of its footer."""
    statistics = sum_up_statistics(footer, schema)
    data_file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=footer.num_rows,
        file_size_in_bytes=size,
        column_sizes=statistics.sizes,
        value_counts=statistics.values,
        null_value_counts=statistics.nulls,
        nan_value_counts={},
        lower_bounds=statistics.lows,
        upper_bounds=statistics.highs,
        key_metadata=None,
        split_offsets=None,
        equality_ids=None,
        sort_order_id=None,
    )
    data_file.spec_id = 0
    return data_file
