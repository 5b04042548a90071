"""A table of the catalogue, the port to it, and the rule that says what to do with what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from millrace.errors import ConfigurationError


class CatalogRefused(ConfigurationError):
    """A table cannot be catalogued as it is; its outputs are there all the same."""


@dataclass(frozen=True, slots=True)
class CatalogName:
    """A table's place in the catalogue."""

    database: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.table}"


@dataclass(frozen=True, slots=True)
class CatalogColumn:
    """A column and its type in the catalogue's words: ``decimal(38,9)``, ``array<struct<id:bigint>>``."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class CatalogPartition:
    """The field that outputs are divided by; ``directory`` is its name as the directories write it: ``Region``."""

    name: str
    directory: str


@dataclass(frozen=True, slots=True, order=True)
class CatalogVersion:
    """Which of two definitions is newer: that of the newer deployment, then that of the newer schema.

    Written as ``1764374400.7``. A snapshot table has no versions of its schema, and 0 in their place.
    """

    deployment: int = 0
    schema: int = 0

    @classmethod
    def parse(cls, text: str) -> CatalogVersion:
        """Read what ``str`` gave; anything else is older than all."""
        deployment, _, schema = text.partition(".")
        if not (deployment.isdecimal() and schema.isdecimal()):
            return cls()
        return cls(int(deployment), int(schema))

    def __str__(self) -> str:
        return f"{self.deployment}.{self.schema}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTable:
    """What a table should be: ``owner`` is its sync's name, ``location`` a folder, ``s3://bucket/folder/``."""

    name: CatalogName
    owner: str
    location: str
    columns: tuple[CatalogColumn, ...]
    version: CatalogVersion
    partition: CatalogPartition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTable:
    """What the catalogue has; ``revision`` is its own mark, for an update of just this.

    ``owner`` is None of a table that is not ours. ``parameters`` and ``comments`` (by column) are as they stand there:
    what others wrote of them stays.
    """

    revision: str
    owner: str | None
    version: CatalogVersion
    location: str
    columns: tuple[CatalogColumn, ...]
    partition: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    comments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def is_as(self, wanted: CatalogTable) -> bool:
        """Whether it says all that is wanted."""
        partition = wanted.partition.name if wanted.partition is not None else None
        is_same_place = self.location == wanted.location and self.partition == partition
        return is_same_place and self.columns == wanted.columns and self.version == wanted.version


class Catalog(Protocol):
    """Where tables are catalogued."""

    def find(self, name: CatalogName) -> StoredTable | None:
        """A table; None: there is none of that name. Raises MillraceError."""
        ...

    def create(self, table: CatalogTable) -> None:
        """Make a table. Raises LostRace if there is one by now, ConfigurationError without its database."""
        ...

    def replace(self, table: CatalogTable, stored: StoredTable) -> None:
        """Define a table anew. Raises LostRace if it is not as it was found any more."""
        ...


def demand_own(stored: StoredTable, name: CatalogName, owner: str) -> None:
    """Raise CatalogRefused for a table that another made: it is never written over."""
    demand_owner(stored.owner, name, stored.location, owner)


def demand_owner(stored: str | None, name: CatalogName, location: str, owner: str) -> None:
    """Raise CatalogRefused if the owner of a table is not the sync that would write it."""
    if stored == owner:
        return
    whose = "is not Millrace's" if stored is None else f"is of sync {stored!r}"
    raise CatalogRefused(
        f"table {name} at {location} {whose}, and sync {owner!r} would have one of that name; it is left alone. "
        "Give the sync another database, or the table another name: user_output_name, or object of a model sync"
    )
