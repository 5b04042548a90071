"""Tables of model syncs in the catalogue: one file in a folder of its own, or the files that were appended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.catalog.keeping import CatalogKeeper
from millrace.catalog.tables import CatalogName, CatalogRefused
from millrace.config.document import Document
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.planning.plans import Plan
from tests.configurations import model_document
from tests.fakes import InMemoryCatalog
from tests.world import World

NAME = CatalogName("lake", "crm_customers")
ONE_FILE = {"model_from": "single_file", "key": "in/a.csv"}
FOLDER = {"model_from": "multi_file_archive", "subfolder": "crm"}
ONE_OUTPUT = "lake/crm/customers/customers.parquet"
IN_PLACE = "lake/crm/customers.parquet"


def model(files: Mapping[str, Any], *, catalog: str | None = "glue", **fields: Any) -> Document:
    """A model whose rows are ``crm/customers``, in Parquet."""
    place = {"format": "parquet"} | ({"catalog": catalog} if catalog is not None else {})
    target = {"connection": "lake", "object": "crm/customers", "configuration": place}
    return model_document(dict(files), {"target": target, **fields})


@dataclass
class CataloguedModel:
    """A worker in memory with one model, and a catalogue."""

    configuration: Document
    catalog: InMemoryCatalog = field(default_factory=InMemoryCatalog)

    def __post_init__(self) -> None:
        self.world = World(configuration=self.configuration)

    def configure(self, configuration: Document) -> None:
        """Deploy another configuration over the same ledger and buckets."""
        self.world.configuration = configuration

    def keep(self, entry: Entry) -> bool:
        """Keep the table of an entry, as a worker that knows nothing yet."""
        stores = {"landing": self.world.store, "lake": self.world.store}
        keeper = CatalogKeeper(
            planner=self.world.planner,
            stores=stores,
            catalog=self.catalog,
            database="lake",
            now=lambda: self.world.now,
        )
        return keeper.keep(entry)

    def put(self, key: str, text: str) -> Entry:
        """Write a source file, and have it worked on; its entry."""
        outcome = self.world.one(self.world.upload(text.encode(), ObjectRef("acme-in", key)))
        assert outcome.entry is not None
        return outcome.entry

    def build(self) -> Entry:
        """Do the build that was asked for last; its entry."""
        outcome = self.world.one(self.world.queue.sent[-1], "build")
        assert outcome.entry is not None
        return outcome.entry

    @property
    def outputs(self) -> list[str]:
        return sorted(key for key in self.world.store.buckets["acme-out"] if "/.millrace/" not in key)

    @property
    def columns(self) -> list[tuple[str, str]]:
        return [(column.name, column.kind) for column in self.catalog.tables[NAME].columns]


class TestReplacedModels:
    """Each run's file takes the place of the one before it, in a folder that holds it alone."""

    def test_the_output_is_in_a_folder_of_its_own(self) -> None:
        """As query engines find tables; beside others it would be in their folder."""
        world = CataloguedModel(model(ONE_FILE))

        assert world.keep(world.put("in/a.csv", "id,name\n1,Ada\n"))
        stored = world.catalog.tables[NAME]
        assert world.outputs == [ONE_OUTPUT]
        assert (stored.location, stored.owner) == ("s3://acme-out/lake/crm/customers/", "nightly")
        assert world.columns == [("id", "bigint"), ("name", "string")]

    def test_the_table_is_as_the_newest_run_left_it(self) -> None:
        world = CataloguedModel(model(ONE_FILE))
        world.keep(world.put("in/a.csv", "id,name\n1,Ada\n"))

        assert world.keep(world.put("in/a.csv", "id\nx\n"))
        assert world.columns == [("id", "string")]
        assert not world.keep(world.put("in/a.csv", "id\ny\n")), "nothing is another"

    def test_a_build_is_catalogued_and_its_files_are_not(self) -> None:
        world = CataloguedModel(model(FOLDER))
        waiting = world.put("in/crm/a.csv", "id\n1\n")
        world.put("in/crm/b.csv", "id,name\n2,Bo\n")

        assert waiting.state is State.WAITING
        assert not world.keep(waiting)
        assert world.keep(world.build())
        file = world.world.entry(ObjectRef("acme-in", "in/crm/a.csv"))
        assert file.state is State.CONVERTED
        assert not world.keep(file)
        assert world.outputs == [ONE_OUTPUT]
        assert world.columns == [("id", "bigint"), ("name", "string")]

    def test_an_archives_members_are_one_table(self) -> None:
        world = CataloguedModel(model({"model_from": "multi_file_archive", "key": "in/a.zip", "file_format": "csv"}))

        plan = world.world.planner.plan(ObjectRef("acme-in", "in/a.zip"))[0]
        assert isinstance(plan, Plan)
        assert str(plan.place.target(world.world.now)) == f"s3://acme-out/{ONE_OUTPUT}"

    @pytest.mark.parametrize("files", [ONE_FILE, FOLDER])
    def test_a_model_that_becomes_catalogued_moves(self, files: Mapping[str, Any]) -> None:
        """And back, if it is catalogued no more; in neither place is left what the other has."""
        world = CataloguedModel(model(files, catalog=None))
        key = "in/a.csv" if files is ONE_FILE else "in/crm/a.csv"
        for catalog, output in ((None, IN_PLACE), ("glue", ONE_OUTPUT), (None, IN_PLACE)):
            world.configure(model(files, catalog=catalog))
            world.put(key, "id\n1\n")
            if files is FOLDER:
                world.build()
            assert world.outputs == [output]

    def test_another_file_in_the_folder_is_named_and_the_table_not_made(self) -> None:
        """That of an earlier mode, for example, whose rows would be the table's without a word."""
        world = CataloguedModel(model(ONE_FILE, mode="append", catalog=None))
        world.put("in/a.csv", "id\n1\n")
        world.configure(model(ONE_FILE))
        world.world.store.put(ObjectRef("acme-out", "lake/crm/customers/2025.parquet"), b"mine")
        entry = world.put("in/a.csv", "id\n2\n")

        with pytest.raises(
            CatalogRefused, match=r"customers/2025.parquet lies in the folder of table lake.crm_customers"
        ):
            world.keep(entry)
        assert world.catalog.tables == {}

    @pytest.mark.parametrize("name", ["", "_SUCCESS", "_tmp/part.parquet", ".hidden", "old/"])
    def test_what_engines_pass_over_may_be_there(self, name: str) -> None:
        world = CataloguedModel(model(ONE_FILE))
        world.world.store.put(ObjectRef("acme-out", f"lake/crm/customers/{name}"), b"")

        assert world.keep(world.put("in/a.csv", "id\n1\n"))


class TestAppendedModels:
    """The files of a folder have one remembered schema, as those of a bulk sync have."""

    def test_each_file_is_a_file_of_the_table(self) -> None:
        world = CataloguedModel(model(FOLDER, mode="append"))

        assert world.keep(world.put("in/crm/a.csv", "id\n1\n"))
        wider = world.put("in/crm/b.csv", "id,name\n2,Bo\n")
        assert world.keep(wider)
        assert not world.keep(wider)
        assert world.outputs == ["lake/crm/customers/a.parquet", "lake/crm/customers/b.parquet"]
        assert world.columns == [("id", "bigint"), ("name", "string")]
        assert world.catalog.tables[NAME].location == "s3://acme-out/lake/crm/customers/"

    def test_being_catalogued_moves_and_changes_nothing(self) -> None:
        """The files lie in a folder already, so none is converted again."""
        plain, catalogued = model(FOLDER, mode="append", catalog=None), model(FOLDER, mode="append")

        assert plain.fingerprint(plain.model_syncs[0]) == catalogued.fingerprint(catalogued.model_syncs[0])
