"""What the columns of a table are: each part looks at its own, and the joined survey decides for all of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from millrace.big_runs.documents import ROUND, RunDocuments, numbered
from millrace.big_runs.events import Phase, PhaseOutcome
from millrace.big_runs.remembered_schema import NegotiatedSchema, negotiate
from millrace.big_runs.row_groups import LARGE_BYTES, count_leaves, demand_small_footer
from millrace.big_runs.run_work import RunWork, gather, leave_result
from millrace.engine.options import FileFormat
from millrace.engine.parts.converting import survey_sources
from millrace.engine.parts.documents import Document, get_document, get_integer, get_items
from millrace.engine.table_survey import TableSurvey
from millrace.errors import ConfigurationError, DataError

MOST_ROUNDS = 5
"""Conversions of all parts: each one more learns of columns that the surveys could not foresee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How often all parts were to be converted, from 0, and the columns whose values did not survive in one type."""

    number: int = 0
    apart: frozenset[str] = frozenset()

    @classmethod
    def read(cls, documents: RunDocuments) -> Self:
        """The present round."""
        document = documents.find(ROUND)
        if document is None:
            return cls()
        return cls(number=get_integer(document, "number"), apart=frozenset(map(str, get_items(document, "apart"))))

    def write(self, documents: RunDocuments) -> None:
        """Make it the present one."""
        documents.replace(ROUND, {"number": self.number, "apart": sorted(self.apart)})

    def path(self, index: int) -> str:
        """What a part's conversion leaves of its work."""
        return numbered(f"part/{self.number}", index)

    @property
    def table_path(self) -> str:
        """The columns of the table, as they are converted in this round."""
        return f"table-{self.number}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTable:
    """The joined survey of all parts, and the schema of the table that the run's file is a part of."""

    survey: TableSurvey
    schema: NegotiatedSchema | None = None

    def to_document(self) -> dict[str, Any]:
        """The table, for ``from_document``."""
        schema = self.schema.to_document() if self.schema is not None else None
        return {"survey": self.survey.to_document(), "table_schema": schema}

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The table that gave the document."""
        schema = document["table_schema"]
        return cls(
            survey=TableSurvey.from_document(get_document(document, "survey")),
            schema=NegotiatedSchema.from_document(schema) if schema is not None else None,
        )


def survey_path(index: int) -> str:
    """What a part's survey leaves."""
    return numbered("survey", index)


def survey_part(work: RunWork, index: int) -> None:
    """Look at all rows of a part, and pin the files that it reads."""

    def do() -> dict[str, Any]:
        part = work.sources(index)
        with part.open() as sources:
            survey = survey_sources(sources, work.recipe, work.time_limit(index), formats=work.formats)
        return {"survey": survey.to_document(), "rows": survey.rows, "pins": part.pins()}

    leave_result(work.documents, survey_path(index), do)


def join_surveys(work: RunWork) -> PhaseOutcome:
    """Join what all parts know, and settle the table's schema; the map of conversions comes next."""
    round_ = Round.read(work.documents)
    parts = work.parts
    if work.documents.find(round_.table_path) is None:
        results = gather(work.documents, list(map(survey_path, range(parts))))
        if results.missing:
            return PhaseOutcome(Phase.SURVEY, results.missing)
        joined = TableSurvey()
        for result in results.found:
            joined.join(TableSurvey.from_document(get_document(result, "survey")))
        _demand_small_footer(work, joined)
        write_table(work, round_, joined)
    return PhaseOutcome(Phase.CONVERT, tuple(range(parts)))


def _demand_small_footer(work: RunWork, survey: TableSurvey) -> None:
    """Raise TooBig before anything is converted into a Parquet file that could not be put together."""
    recipe = work.recipe
    if recipe.target_format is not FileFormat.PARQUET or work.order.size <= LARGE_BYTES:
        return
    schema = survey.table((), frozenset()).schema
    # What is wrong with the fields that are asked for, the conversion says.
    with suppress(ConfigurationError, DataError):
        schema = work.context(0).bind(recipe.transform, schema).schema
    demand_small_footer(work.order.size, survey.rows, work.parts, count_leaves(schema), recipe.write)


def write_table(work: RunWork, round_: Round, survey: TableSurvey) -> None:
    """Write down what the parts of a round are converted with."""
    schema = negotiate(work, survey, round_.apart)
    work.documents.write(round_.table_path, KnownTable(survey=survey, schema=schema).to_document())


def begin_next_round(work: RunWork, last: Round, columns: frozenset[str]) -> PhaseOutcome:
    """Have all parts converted once more, with columns kept apart whose values did not survive."""
    following = Round(number=last.number + 1, apart=last.apart | columns)
    table = KnownTable.from_document(work.documents.read(last.table_path))
    write_table(work, following, table.survey)
    following.write(work.documents)
    return PhaseOutcome(Phase.CONVERT, tuple(range(work.parts)))
