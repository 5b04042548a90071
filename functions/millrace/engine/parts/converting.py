"""A table of many sources, surveyed and converted by as many processes as there are: the evidence is joined between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from millrace.engine.destination import Converted, Destination, S
from millrace.engine.one_file import NO_CONTEXT, ConversionContext, as_it_is
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.table_survey import TableSurvey
from millrace.engine.tables.rows import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownColumns:
    """What is known of all of a table's sources: their survey, as ``TableSurvey.of`` gives it to some of them.

    ``apart`` are columns whose values turned out not to survive in a type that all have; ``within`` makes of the rows
    what they are in their table, such as one whose schema is remembered.
    """

    survey: TableSurvey
    apart: frozenset[str] = frozenset()
    within: Callable[[Table], Table] = as_it_is


def survey_sources(sources: Sequence[Source], recipe: Recipe, on_batch: Callable[[int], None]) -> TableSurvey:
    """All that is to be known of some of a table's sources before any is converted, bad rows counted among their rows.

    ``on_batch`` gets the number of rows looked at so far. Raises what reading the sources raises.
    """
    raise NotImplementedError


def convert_part(
    sources: Sequence[Source],
    known: KnownColumns,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Convert some of a table's sources into outputs of their own, with the types of all.

    Raises:
        unify.Lossy: a column's values do not survive: it joins ``apart``, and all parts are converted once more.
        MalformedFile: the sources are not what was surveyed.
        And what ``one_file.convert`` raises; all sinks are discarded by then.
    """
    raise NotImplementedError
