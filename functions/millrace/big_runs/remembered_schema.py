"""The schema of a table of many files, settled once for all parts of one of its files: between join and convert.

It is remembered before any part is converted, so that whatever other files bring meanwhile has to fit in with it. If
the run fails, the table keeps the wider schema, as it may after any file that fails late.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa

from millrace.big_runs.run_work import RunWork
from millrace.delivery.table_conversion import fit_rule
from millrace.delivery.table_schema import remembered
from millrace.engine.one_file import settle_types
from millrace.engine.table_survey import TableSurvey
from millrace.engine.tables.fit import Fit
from millrace.engine.tables.rows import ignore_bad_row
from millrace.ledger.races import retry_lost_race
from millrace.ledger.schema_changes import SchemaChanges
from millrace.planning.plans import Plan, SharedTable

_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiatedSchema:
    """The fields of the table with the run's file, their version, what that changed, and columns that have values."""

    fields: pa.Schema
    version: int | None
    changes: SchemaChanges | None
    valued: frozenset[str]

    def to_document(self) -> dict[str, Any]:
        """The schema, for ``from_document``."""
        fields = base64.b64encode(self.fields.serialize().to_pybytes()).decode()
        document: dict[str, Any] = {"fields": fields, "version": self.version, "valued": sorted(self.valued)}
        if self.changes is not None:
            document |= {"changes": self.changes.text, "changed_fields": self.changes.to_document()}
        return document

    @classmethod
    def from_document(cls, document: Any) -> Self:
        """The schema that gave the document."""
        fields = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(document["fields"])))
        changes = document.get("changes")
        if changes is not None:
            changes = SchemaChanges.from_document(changes, document.get("changed_fields"))
        return cls(
            fields=fields,
            version=document["version"],
            changes=changes,
            valued=frozenset(document["valued"]),
        )

    def fit(self, plan: Plan, apart: frozenset[str]) -> Fit:
        """How the rows of a part are brought into the table."""
        assert isinstance(plan.way, SharedTable)  # noqa: S101 - for the type checker: no other has a schema
        return Fit(self.fields, fit_rule(plan, plan.way), valued=self.valued, not_widened=apart)


def negotiate(work: RunWork, survey: TableSurvey, apart: frozenset[str]) -> NegotiatedSchema | None:
    """The table's schema with the run's file, remembered in the ledger; None if the file has none to share.

    Raises SchemaFrozen if the file does not fit and must.
    """
    plan = work.plan
    if not (isinstance(plan, Plan) and isinstance(plan.way, SharedTable)):
        return None
    shared = plan.way

    def attempt() -> NegotiatedSchema:
        return _negotiate_once(work, plan, shared, survey, apart)

    return retry_lost_race(attempt, tries=_TRIES, problem=f"the schema of {shared.table} is being changed by others")


def _negotiate_once(
    work: RunWork, plan: Plan, shared: SharedTable, survey: TableSurvey, apart: frozenset[str]
) -> NegotiatedSchema:
    claims = work.ports.claims
    schema = remembered(plan.sync, shared.table, work.request, claims.ledger)
    fit = Fit(schema.fields, fit_rule(plan, shared), valued=survey.valued, not_widened=apart)
    # Opened for its schema alone: no source of it is read.
    table = settle_types(survey.table((), apart), work.recipe)
    fit.plan_columns(table.open(ignore_bad_row)[0])
    fields = fit.remembered_schema()
    version = None
    if len(fields) or schema.schema is not None:
        version = schema.put(fields, plan.source, work.request, claims.ledger, claims.now())
    return NegotiatedSchema(fields=fields, version=version, changes=schema.changed(fields), valued=survey.valued)
