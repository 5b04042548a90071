"""Learn again what a lost ledger knew of a table's schema, from a source whose output is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from millrace.delivery.table_conversion import convert_in_table, open_whole
from millrace.engine.destination import Destination
from millrace.engine.one_file import ConversionContext
from millrace.engine.options import SchemaEvolution
from millrace.engine.transform.spec import TableTransform
from millrace.ledger.claims import Claims
from millrace.ledger.stores import LedgerStore
from millrace.objects.messages import Request
from millrace.objects.references import ChangeKind, ObjectChange
from millrace.objects.store import ObjectStore, Published, Stores, Upload
from millrace.planning.plans import Plan, SharedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRecovery:
    """Satisfies ``rebuild.LearnSchema``: reads sources as conversion does, and writes nothing but schemas."""

    stores: Stores | Mapping[str, ObjectStore]
    ledger: LedgerStore
    now: Callable[[], datetime]

    def learn_schema(self, plan: Plan, etag: str) -> int | None:
        """The version of the table's schema that holds the source's fields; None if it is another version by now.

        Raises what reading the source does.
        """
        if not isinstance(plan.way, SharedTable):
            return None
        # The table is frozen for files that come; the outputs that are there were taken when it was not, or did fit.
        rescues = plan.way.evolution is SchemaEvolution.RESCUE
        shared = plan.way if rescues else replace(plan.way, evolution=SchemaEvolution.EVOLVE)
        request = Request(change=ObjectChange(kind=ChangeKind.CREATED, ref=plan.source))
        claims = Claims(ledger=self.ledger, now=self.now, engine="")
        recipe = replace(plan.recipe, transform=TableTransform(rescued=plan.recipe.transform.rescued))
        with self.stores[plan.source_connection].open(plan.source) as opened:
            if opened.head.etag != etag:
                return None
            destination: Destination[Upload] = Destination(open_output=lambda _directory: _KeepsNothing())
            context = ConversionContext(now=self.now())
            with open_whole(plan, opened.stream) as whole:
                convert = whole.into_table(recipe, destination, context)
                return convert_in_table(plan, shared, request, claims, convert).version


class _KeepsNothing:
    """Satisfies ``objects.store.Upload``, and keeps nothing."""

    def write(self, data: bytes | memoryview, /) -> int:
        return len(memoryview(data).cast("B"))

    def discard(self) -> None:
        """There is nothing to discard."""

    def publish(self, *, expected: str | None, rows: int) -> Published:
        raise NotImplementedError(expected, rows)
