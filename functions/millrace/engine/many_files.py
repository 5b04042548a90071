"""Convert several files as one table: all columns of all of them, each of a type in which every file's values survive.

Columns come in the order of their first appearance, files in the order that they are given in; if a file lacks a
column, it is missing in that file's rows. Columns and types are found before anything is written, in the beginnings of
all files; if what comes later contradicts them, in all of all files, and writing starts over. So the types depend
neither on the files' sizes nor on their order. One file is open at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from millrace.engine.destination import Converted, Destination, S
from millrace.engine.formats.base import Widened
from millrace.engine.one_file import (
    MOST_ATTEMPTS,
    NO_CONTEXT,
    ConversionContext,
    as_it_is,
    attempt,
    convert_into_table,
    settle_types,
)
from millrace.engine.outputs import Outputs
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Origins, SmallFiles, Source, prepare
from millrace.engine.table_survey import TableSurvey, survey_table
from millrace.engine.tables import unify
from millrace.engine.tables.rows import Table
from millrace.engine.transform.spec import TableTransform
from millrace.errors import MalformedFile


def convert_many(
    sources: Sequence[Source],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext = NO_CONTEXT,
) -> Converted[S]:
    """Convert files as one table; without any, the output is empty. See ``one_file.convert``.

    How a source is read it says itself, whatever the recipe says. Of rows that share an identifier the last one is that
    of the last file. ``on_batch`` is also called, with the rows looked at, while types are found. Errors of the data
    begin with the source's name; rows are counted in it.
    """
    return convert_many_into_table(sources, recipe, destination, context, as_it_is)


def convert_many_into_table(
    sources: Sequence[Source],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
    within: Callable[[Table], Table],
) -> Converted[S]:
    """Convert files as one file of a table, such as the members of an archive; see ``one_file.convert_into_table``."""
    if len(sources) == 1:
        source = sources[0]
        with source.open() as file:
            of_source = replace(context, origin=source.origin)
            read = _recipe_of(source, recipe)
            return convert_into_table(file, read, destination, of_source, within, name=source.name)
    return _convert_several(sources, recipe, destination, context, within)


def _recipe_of(source: Source, recipe: Recipe) -> Recipe:
    read = replace(
        source.read,
        source_columns=recipe.read.source_columns,
        type_hints=recipe.read.type_hints,
        types=recipe.read.types,
    )
    return replace(recipe, source_format=source.format, read=read)


def _convert_several(
    sources: Sequence[Source],
    recipe: Recipe,
    destination: Destination[S],
    context: ConversionContext,
    within: Callable[[Table], Table],
) -> Converted[S]:
    if not sources:
        recipe = _without_fields(recipe)
    sources = SmallFiles(recipe.read.work.kept).keep_open(prepare(sources, recipe))
    survey = _survey_beginnings(sources, recipe, context)
    contradicted, apart = 0, frozenset[str]()
    origins = Origins({source.file: source for source in sources})
    while contradicted < MOST_ATTEMPTS:
        outputs = Outputs(destination)
        try:
            table = within(settle_types(survey.table(sources, apart), recipe))
            return attempt(table, origins.find, recipe, outputs, context)
        except unify.Lossy as lossy:
            outputs.discard()
            apart |= {lossy.column}
        except Widened:
            outputs.discard()
            # A later row contradicts the beginnings, so all of all files is looked at now.
            contradicted += 1
            survey = survey_table(sources, context.on_batch, enough=None)
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the files' types changed while they were read again: does somebody write to them?")


def _without_fields(recipe: Recipe) -> Recipe:
    """The recipe for no file at all: it has no field that a transform could name, and its output is only empty."""
    return replace(recipe, transform=TableTransform(), read=replace(recipe.read, source_columns=()))


def _survey_beginnings(sources: Sequence[Source], recipe: Recipe, context: ConversionContext) -> TableSurvey:
    # The sample is divided: of a hundred files a hundredth of it is looked at in each.
    enough = recipe.read.work.table_sample // max(1, len(sources))
    return survey_table(sources, context.on_batch, enough=enough)
