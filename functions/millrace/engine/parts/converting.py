"""A table of many sources, surveyed and converted by as many processes as there are: the evidence is joined between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from millrace.engine.destination import Converted, Destination, S
from millrace.engine.formats.base import Widened
from millrace.engine.one_file import NO_CONTEXT, ConversionContext, as_it_is, attempt, settle_types
from millrace.engine.options import FileFormat
from millrace.engine.outputs import Outputs
from millrace.engine.parts.bodies import BODY_FORMATS
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Origins, Source, prepare
from millrace.engine.table_survey import TableSurvey, survey_table
from millrace.engine.tables.rows import Table
from millrace.errors import MalformedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownColumns:
    """What is known of all of a table's sources: their survey, as ``TableSurvey.of`` gives it to some of them.

    ``apart`` are columns whose values turned out not to survive in a type that all have; ``within`` makes of the rows
    what they are in their table, such as one whose schema is remembered. ``formats`` are those of all sources, None if
    all are of those that are converted here, as the parts of one file are.
    """

    survey: TableSurvey
    apart: frozenset[str] = frozenset()
    formats: frozenset[FileFormat] | None = None
    within: Callable[[Table], Table] = as_it_is


def survey_sources(
    sources: Sequence[Source],
    recipe: Recipe,
    on_batch: Callable[[int], None],
    *,
    formats: frozenset[FileFormat] | None = None,
) -> TableSurvey:
    """All that is to be known of some of a table's sources before any is converted; ``rows`` has no bad ones.

    ``formats`` are those of all of the table's sources, see ``KnownColumns``. ``on_batch`` gets the number of rows
    looked at so far. Raises what reading the sources raises.
    """
    return survey_table(prepare(sources, recipe, formats), on_batch, enough=None)


def convert_part(
    sources: Sequence[Source],
    known: KnownColumns,
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Convert some of a table's sources into outputs of their own, with the types of all, for ``joining.join_plan``.

    The context's formats are those of parts, see ``bodies``.

    Raises:
        unify.Lossy: a column's values do not survive: it joins ``apart``, and all parts are converted once more.
        MalformedFile: the sources are not what was surveyed.
        And what ``one_file.convert`` raises; all sinks are discarded by then.
    """
    prepared = prepare(sources, recipe, known.formats)
    origins = Origins({source.file: source for source in prepared})
    outputs = Outputs(destination)
    try:
        table = known.within(settle_types(known.survey.table(prepared, known.apart), recipe))
        return attempt(table, origins.find, recipe, outputs, replace(context, formats=BODY_FORMATS))
    except Widened as widened:
        outputs.discard()
        raise MalformedFile("the files are not what was surveyed: does somebody write to them?") from widened
    except BaseException:
        outputs.discard()
        raise
