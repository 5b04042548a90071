"""Convert several files as one table: all columns of all of them, each of a type in which every file's values survive.

Columns come in the order of their first appearance, files in the order that they are given in; if a file lacks a
column, it is missing in that file's rows. Columns and types are found before anything is written, in the beginnings of
all files; if what comes later contradicts them, in all of all files, and writing starts over. So the types depend
neither on the files' sizes nor on their order. One file is open at a time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from millrace.engine.destination import Converted, Destination, S
from millrace.engine.file_origin import FileOrigin
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
from millrace.engine.options import FileFormat, ReadOptions, words_of
from millrace.engine.outputs import Outputs
from millrace.engine.recipe import Recipe
from millrace.engine.table_sources import Source
from millrace.engine.table_survey import TableSurvey
from millrace.engine.tables import unify
from millrace.engine.tables.hinted import read_hinted_as_text
from millrace.engine.tables.rows import Table
from millrace.engine.transform.spec import TableTransform
from millrace.errors import MalformedFile

SMALL_BYTES = 4 * 2**20


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
        without_columns = replace(recipe.read, source_columns=())
        recipe = replace(recipe, transform=TableTransform(), read=without_columns)
    work = recipe.read.work
    sources = _SmallFiles(work.kept).keep_open(_hinted(_without_types(sources, recipe), recipe.read))
    survey = _survey(sources, context.on_batch, enough=work.table_sample // max(1, len(sources)))
    contradicted, apart = 0, frozenset[str]()
    origins = _Origins({source.name: source for source in sources})
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
            contradicted += 1
            survey = _survey(sources, context.on_batch, enough=None)
        except BaseException:
            outputs.discard()
            raise
    raise MalformedFile("the files' types changed while they were read again: does somebody write to them?")


@dataclass(frozen=True, slots=True)
class _Origins:
    """Where the rows of each source come from."""

    sources: Mapping[str, Source]

    def find(self, name: str | None) -> FileOrigin:
        """The origin of the source of that name."""
        return self.sources[str(name)].origin


def _without_types(sources: Sequence[Source], recipe: Recipe) -> Sequence[Source]:
    """The sources, read as text if all are text and become text: every type would be printed back as it was."""
    demands_no_type = all(words_of(source.format).is_text and not source.read.column_types for source in sources)
    if not demands_no_type or recipe.target_format is not FileFormat.CSV:
        return sources
    return [replace(source, read=replace(source.read, infer_types=False)) for source in sources]


def _hinted(sources: Sequence[Source], read: ReadOptions) -> Sequence[Source]:
    """The sources, whose columns with given types are read as text if the file is of text."""
    if not read.type_hints:
        return sources
    hinted = [replace(source, read=replace(source.read, type_hints=read.type_hints)) for source in sources]
    return [replace(source, read=read_hinted_as_text(source.read, source.format)) for source in hinted]


class _SmallFiles:
    """Keeps the bytes of small files: most of their time goes to being fetched."""

    def __init__(self, room: int) -> None:
        self._contents: dict[str, bytes] = {}
        self._room = room

    def keep_open(self, sources: Sequence[Source]) -> Sequence[Source]:
        """The sources, their small ones fetched once."""
        return [replace(source, open=partial(self._open, source)) for source in sources]

    @contextmanager
    def _open(self, source: Source) -> Iterator[BinaryIO]:
        if source.name in self._contents:
            yield io.BytesIO(self._contents[source.name])
            return
        with source.open() as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if size > min(SMALL_BYTES, self._room):
                yield file
                return
            self._room -= size
            self._contents[source.name] = file.read()
            yield io.BytesIO(self._contents[source.name])


def _survey(sources: Sequence[Source], on_batch: Callable[[int], None], *, enough: int | None) -> TableSurvey:
    survey, seen = TableSurvey(), 0
    for source in sources:
        for rows in survey.observe(source, enough):
            seen += rows
            on_batch(seen)
    return survey
