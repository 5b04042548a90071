"""Tables in the catalogue follow what is written, and trouble with it holds no object up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from millrace.catalog.keeping import PATIENCE, CatalogKeeper
from millrace.catalog.tables import (
    CatalogColumn,
    CatalogName,
    CatalogPartition,
    CatalogRefused,
    CatalogTable,
    CatalogVersion,
    StoredTable,
)
from millrace.errors import ConfigurationError, LostRace, MillraceError
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync
from tests.fakes import InMemoryCatalog
from tests.world import World

NAME = CatalogName("lake", "orders")
ONE_TABLE = {"is_single_table": True, "single_table_name": "Orders"}


def catalogued(**fields: Any) -> dict[str, Any]:
    """A bulk sync to Parquet whose tables are catalogued."""
    place = {"format": "parquet", "catalog": "glue"}
    return {**bulk_sync(), "destination_configuration": place, **fields}


@dataclass
class CatalogWorld:
    """A worker in memory, and a catalogue."""

    sync: dict[str, Any] = field(default_factory=catalogued)
    source: dict[str, Any] = field(default_factory=lambda: dict(ONE_TABLE))
    catalog: InMemoryCatalog = field(default_factory=InMemoryCatalog)
    deployment: int = 0

    def __post_init__(self) -> None:
        self.world = World(syncs=(self.sync,), source=self.source)
        self.keeper = self.make_keeper()

    def make_keeper(self) -> CatalogKeeper:
        """That of another worker: it knows nothing yet."""
        stores = {"landing": self.world.store, "lake": self.world.store}
        return CatalogKeeper(
            planner=self.world.planner,
            stores=stores,
            catalog=self.catalog,
            database="lake",
            now=lambda: self.world.now,
        )

    def convert(self, key: str, text: str) -> Entry:
        """Convert a file; the entry as it was settled."""
        outcome = self.world.one(self.world.upload(text.encode(), ObjectRef("acme-in", key)))
        assert outcome.entry is not None
        return replace(outcome.entry, deployment=self.deployment)

    def take(self, key: str, text: str) -> bool:
        """Convert a file, and keep its table; whether the catalogue was written."""
        return self.keeper.keep(self.convert(key, text))

    @property
    def columns(self) -> list[tuple[str, str]]:
        return [(column.name, column.kind) for column in self.catalog.tables[NAME].columns]


class TestKeeping:
    def test_the_first_file_makes_the_table(self) -> None:
        world = CatalogWorld()

        assert world.take("in/a.csv", "id,price\n1,2.5\n")
        stored = world.catalog.tables[NAME]
        assert stored.location == "s3://acme-out/lake/Orders/"
        assert stored.owner == "nightly"
        assert world.columns == [("id", "bigint"), ("price", "double")]

    def test_a_wider_schema_changes_it_and_the_same_asks_nothing(self) -> None:
        world = CatalogWorld()
        world.take("in/a.csv", "id\n1\n")
        world.catalog.calls.clear()

        assert not world.take("in/b.csv", "id\n2\n")
        assert world.catalog.calls == [], "the worker knows that version"
        assert world.take("in/c.csv", "id,note\n3,x\n")
        assert world.columns == [("id", "bigint"), ("note", "string")]
        assert world.take("in/d.csv", "id,note\nx,y\n")
        assert world.columns == [("id", "string"), ("note", "string")]

    def test_a_late_worker_never_lowers_it(self) -> None:
        world = CatalogWorld()
        old = world.convert("in/a.csv", "id\n1\n")
        new = world.convert("in/b.csv", "id,note\n3,x\n")

        assert world.make_keeper().keep(new)
        assert not world.make_keeper().keep(old)
        assert world.columns == [("id", "bigint"), ("note", "string")]

    def test_a_newer_deployment_may_take_columns_away(self) -> None:
        """A field was left out of the configuration: the schema's version is the same, the deployment's is not."""
        world = CatalogWorld(deployment=7)
        world.take("in/a.csv", "id,note\n1,x\n")
        narrow = CatalogWorld(
            sync=catalogued(schemas=[{"id": "Orders", "fields": [{"id": "note", "enabled": False}]}]),
            catalog=world.catalog,
            deployment=8,
        )

        assert narrow.take("in/a.csv", "id,note\n1,x\n")
        assert narrow.columns == [("id", "bigint")]
        assert not world.make_keeper().keep(world.convert("in/b.csv", "id,note\n2,y\n")), "of the older deployment"

    def test_a_divided_table_has_its_partition_apart(self) -> None:
        world = CatalogWorld(sync=catalogued(schemas=[{"id": "Orders", "partition_key": "Region"}]))
        world.take("in/a.csv", "id,Region\n1,EU\n2,US\n")

        stored = world.catalog.tables[NAME]
        assert world.columns == [("id", "bigint")]
        assert stored.partition == "region"

    def test_a_snapshot_table_is_as_its_newest_file(self) -> None:
        world = CatalogWorld(sync=catalogued(mode="snapshot"))
        world.take("in/a.csv", "id,note\n1,x\n")
        world.world.store.modified += timedelta(hours=1)

        assert world.take("in/b.csv", "id\n2\n")
        assert world.columns == [("id", "bigint")]

    def test_another_name_of_the_table_is_its_name_there(self) -> None:
        world = CatalogWorld(sync=catalogued(schemas=[{"id": "Orders", "user_output_name": "Sales/Orders 2026"}]))
        world.take("in/a.csv", "id\n1\n")

        assert CatalogName("lake", "sales_orders_2026") in world.catalog.tables

    def test_a_file_without_rows_of_a_divided_table_says_nothing(self) -> None:
        world = CatalogWorld(sync=catalogued(schemas=[{"id": "Orders", "partition_key": "id"}]))

        assert not world.take("in/a.csv", "id\n")
        assert world.catalog.tables == {}

    def test_what_failed_or_is_not_catalogued_asks_nothing(self) -> None:
        world = CatalogWorld()
        failed = world.convert("in/bad.csv", "id,a\n1\n")
        assert failed.state is State.FAILED
        assert not world.keeper.keep(failed)
        plain = CatalogWorld(sync={**bulk_sync(), "destination_configuration": {"format": "parquet"}})
        assert not plain.take("in/a.csv", "id\n1\n")
        assert world.catalog.calls == plain.catalog.calls == []

    def test_an_output_that_is_gone_is_anothers_matter(self) -> None:
        world = CatalogWorld()
        entry = world.convert("in/a.csv", "id\n1\n")
        world.world.store.delete(entry.outputs[0].ref)

        assert not world.keeper.keep(entry)


class TestOthers:
    @pytest.mark.parametrize("owner", [None, "another sync"])
    def test_a_table_of_another_is_left_alone(self, owner: str | None) -> None:
        world = CatalogWorld()
        there = StoredTable(
            revision="3", owner=owner, version=CatalogVersion(), location="s3://elsewhere/orders/", columns=()
        )
        world.catalog.tables[NAME] = there

        with pytest.raises(CatalogRefused, match="is left alone"):
            world.take("in/a.csv", "id\n1\n")
        assert world.catalog.tables[NAME] == there

    def test_a_race_is_looked_at_again(self) -> None:
        """Another worker makes the table between the look and the write, and then changes it once more."""
        world = CatalogWorld()
        first = world.convert("in/a.csv", "id\n1\n")
        second = world.convert("in/b.csv", "id,note\n1,x\n")
        world.catalog = _Raced(world.catalog, lambda: world.make_keeper().keep(first))
        world.keeper = world.make_keeper()

        assert world.keeper.keep(second)
        assert world.columns == [("id", "bigint"), ("note", "string")]

    def test_who_always_loses_says_so(self) -> None:
        world = CatalogWorld()
        entry = world.convert("in/a.csv", "id\n1\n")
        world.catalog = _AlwaysLate()
        world.keeper = world.make_keeper()
        with pytest.raises(LostRace, match="is being changed by others"):
            world.keeper.keep(entry)


class _Raced(InMemoryCatalog):
    """Has another worker at work between the first look and the write that follows."""

    def __init__(self, catalog: InMemoryCatalog, meanwhile: Callable[[], object]) -> None:
        super().__init__(tables=catalog.tables)
        self.meanwhile: Callable[[], object] | None = meanwhile

    def find(self, name: CatalogName) -> StoredTable | None:
        found = super().find(name)
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return found


class _AlwaysLate(InMemoryCatalog):
    """Others are always quicker to make a table."""

    def create(self, table: CatalogTable) -> None:
        raise LostRace(f"{table.name} is there")


class TestTrouble:
    def test_is_raised_once_a_minute_and_tried_again(self) -> None:
        """Without its database nothing is made; when there is one, the next object makes the table."""
        world = CatalogWorld(catalog=InMemoryCatalog(databases=frozenset()))
        with pytest.raises(ConfigurationError, match="no database"):
            world.take("in/a.csv", "id\n1\n")
        calls = len(world.catalog.calls)
        assert not world.take("in/b.csv", "id\n2\n")
        assert len(world.catalog.calls) == calls, "so soon nothing is asked"

        world.catalog.databases = frozenset({"lake"})
        world.world.now += PATIENCE
        assert world.take("in/c.csv", "id\n3\n")

    def test_columns_that_athena_cannot_read_are_named(self) -> None:
        world = CatalogWorld(sync=catalogued(normalize_names="disabled"))

        with pytest.raises(CatalogRefused, match="'Id' and 'ID' are one name"):
            world.take("in/a.csv", "Id,ID\n1,2\n")


@pytest.mark.parametrize("text", ["", "x", "1", "1.x", "-1.2", "1.2.3"])
def test_a_version_that_is_none_is_older_than_all(text: str) -> None:
    assert CatalogVersion.parse(text) == CatalogVersion()


def test_versions_are_ordered_by_deployment_then_schema() -> None:
    versions = [CatalogVersion(1, 9), CatalogVersion(2, 1), CatalogVersion(2, 10)]

    assert sorted(versions) == versions
    assert [CatalogVersion.parse(str(version)) for version in versions] == versions


def test_errors_are_ours() -> None:
    assert issubclass(CatalogRefused, MillraceError)


def test_a_table_is_as_wanted_only_with_all_that_is_wanted() -> None:
    wanted = CatalogTable(
        name=NAME,
        owner="nightly",
        location="s3://acme-out/lake/orders/",
        columns=(CatalogColumn("id", "bigint"),),
        version=CatalogVersion(1, 2),
        partition=CatalogPartition("region", "Region"),
    )
    stored = StoredTable(
        revision="1",
        owner="nightly",
        version=CatalogVersion(1, 2),
        location=wanted.location,
        columns=wanted.columns,
        partition="region",
    )

    assert stored.is_as(wanted)
    assert not replace(stored, partition=None).is_as(wanted)
    assert not replace(stored, version=CatalogVersion(1, 1)).is_as(wanted)
    assert not replace(stored, columns=()).is_as(wanted)
    assert not replace(stored, location="s3://b/").is_as(wanted)
