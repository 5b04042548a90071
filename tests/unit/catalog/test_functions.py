"""The functions keep the catalogue beside their work, and never in its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from millrace.big_runs.events import DONE, Phase, PhaseEvent, PhaseOutcome, RunPlace
from millrace.big_runs.phases import BigRunPhases
from millrace.composition.base import Foundation
from millrace.composition.big_run import BigRunWorld
from millrace.composition.catalog import Cataloguing, cataloguing
from millrace.errors import ServiceUnavailable
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from tests.configurations import bulk_sync, document
from tests.fakes import InMemoryLedger

SOURCE = ObjectRef("acme-in", "in/huge.csv")
PLACE = RunPlace(
    run="r", connection="lake", home=ObjectRef("acme-out", "lake/.millrace/runs/r/"), sync="nightly", source=SOURCE
)
ENTRY = Entry(
    sync="nightly", source=SOURCE, state=State.CONVERTED, revision=1, fence=1, fingerprint="f", engine="1", deployment=3
)


@dataclass
class HeardCatalog:
    """Keeps what it is given, or cannot."""

    entries: list[Entry | None] = field(default_factory=list)
    trouble: Exception | None = None

    def keep(self, entry: Entry | None) -> None:
        self.entries.append(entry)
        if self.trouble is not None:
            raise self.trouble


@dataclass
class EndingPhases:
    """Phases of which each ends as it is said."""

    next: str

    def work(self, _event: PhaseEvent, _remaining: object) -> PhaseOutcome:
        return PhaseOutcome(self.next)


def big_run(catalog: HeardCatalog, ending: str) -> BigRunWorld:
    ledger = InMemoryLedger({(ENTRY.sync, ENTRY.source): ENTRY})
    return BigRunWorld(cast("BigRunPhases", EndingPhases(ending)), ledger, cast("Cataloguing", catalog))


class TestBigRuns:
    def test_the_table_is_kept_when_a_run_is_over(self) -> None:
        catalog = HeardCatalog()
        outcome = big_run(catalog, DONE).work(PhaseEvent(phase=Phase.PUBLISH, place=PLACE), lambda: 900.0)

        assert (outcome.next, catalog.entries) == (DONE, [ENTRY])

    def test_before_its_end_nothing_is_asked(self) -> None:
        catalog = HeardCatalog()
        big_run(catalog, "convert").work(PhaseEvent(phase=Phase.JOIN, place=PLACE), lambda: 900.0)

        assert catalog.entries == []

    def test_a_run_of_an_older_deployment_names_no_object(self) -> None:
        catalog = HeardCatalog()
        place = replace(PLACE, sync=None, source=None)
        big_run(catalog, DONE).work(PhaseEvent(phase=Phase.PUBLISH, place=place), lambda: 900.0)

        assert catalog.entries == []


def catalogued() -> Planner:
    """A configuration with a table in the catalogue, and a sync without."""
    place = {"format": "parquet", "catalog": "glue"}
    syncs = ({**bulk_sync(), "destination_configuration": place}, bulk_sync("plain", subfolder="plain"))
    return Planner(document(*syncs, source={"is_single_table": True, "single_table_name": "orders"}))


@dataclass
class DocumentAlone:
    """As much of a foundation as is looked at before there is something to keep."""

    document: Any


def make(planner: Planner, told: list[str]) -> Cataloguing | None:
    return cataloguing(cast("Foundation", DocumentAlone(planner.document)), planner, told.append)


class TestCataloguing:
    def test_a_configuration_that_asks_for_none_has_none(self) -> None:
        """Nothing of Glue is loaded then, and nothing is asked."""
        assert make(Planner(document(bulk_sync())), []) is None

    @pytest.mark.parametrize(
        "entry",
        [None, replace(ENTRY, sync="plain"), replace(ENTRY, state=State.FAILED)],
        ids=["none", "plain", "failed"],
    )
    def test_what_concerns_no_table_loads_nothing(self, entry: Entry | None) -> None:
        told: list[str] = []
        keeping = make(catalogued(), told)
        assert keeping is not None
        keeping.keep(entry)

        assert told == []

    @pytest.mark.parametrize("trouble", [ServiceUnavailable("Glue is away"), ValueError("Glue is away")])
    def test_trouble_is_told_and_not_raised(self, trouble: Exception) -> None:
        """The object is converted all the same; its message is acknowledged, also for a defect of ours."""
        told: list[str] = []
        keeping = make(catalogued(), told)
        assert keeping is not None
        keeping.__dict__["_keeper"] = HeardCatalog(trouble=trouble)
        keeping.keep(ENTRY)

        (text,) = told
        assert "is converted, and its table is not catalogued: Glue is away" in text
