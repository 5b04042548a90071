"""Glue and table buckets as one catalogue: each table is asked for where its place says that it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.catalog.iceberg.tables import IcebergCatalog, IcebergPlace, IcebergTable
from millrace.catalog.tables import CatalogName
from millrace.config.catalog import IcebergTables
from millrace.objects.references import ObjectRef


@dataclass(frozen=True, slots=True)
class IcebergCatalogs:
    """Satisfies ``IcebergCatalog`` with two others."""

    glue: IcebergCatalog
    table_buckets: IcebergCatalog

    def load(self, place: IcebergPlace) -> IcebergTable | None:
        """A table where it is kept."""
        return self._choose(place.table_bucket).load(place)

    def create(self, place: IcebergPlace) -> None:
        """Make a table where it is to be kept."""
        self._choose(place.table_bucket).create(place)

    def list_tables(self, kept: IcebergTables, root: ObjectRef) -> Sequence[CatalogName]:
        """The tables of a database, or of a namespace."""
        return self._choose(kept.table_bucket).list_tables(kept, root)

    def _choose(self, table_bucket: str | None) -> IcebergCatalog:
        return self.glue if table_bucket is None else self.table_buckets
