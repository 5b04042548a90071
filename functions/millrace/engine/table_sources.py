"""The files of a table of several: each is a source, with how it is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from millrace.engine.file_origin import FileOrigin
from millrace.engine.formats.base import Reader
from millrace.engine.options import FileFormat, ReadOptions, words_of
from millrace.engine.recipe import Recipe
from millrace.engine.tables.hinted import read_hinted_as_text

SMALL_BYTES = 4 * 2**20
"""Of a file that is kept in memory once it was fetched."""


@dataclass(frozen=True, slots=True)
class WholeOfPart:
    """The file that a source is a part of: its name, None if errors name no file."""

    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of a table, its name no other's. ``open`` gives a seekable file, as often as it is asked.

    ``find_origin`` says what source columns hold of it, once it has been opened; None: its name alone. ``reader`` reads
    it; None: its format's. ``part_of`` is there if it is a part of a file: then errors name that.
    """

    name: str
    format: FileFormat
    read: ReadOptions
    open: Callable[[], AbstractContextManager[BinaryIO]]
    find_origin: Callable[[], FileOrigin] | None = None
    reader: Reader | None = None
    part_of: WholeOfPart | None = None

    @property
    def file(self) -> str | None:
        """The name of the file in errors, the quarantine and ``find_origin``; None: nobody needs one."""
        if self.part_of is not None:
            return self.part_of.name
        return self.name

    @property
    def origin(self) -> FileOrigin:
        """What source columns hold of the file, which is or was open."""
        return FileOrigin(file=self.file) if self.find_origin is None else self.find_origin()


def prepare(
    sources: Sequence[Source], recipe: Recipe, formats: Collection[FileFormat] | None = None
) -> Sequence[Source]:
    """The sources, read as a recipe that is made for all of them asks.

    ``formats`` are those of all of the table's sources if these are some of them.
    """
    if formats is None:
        formats = {source.format for source in sources}
    return _hinted(_without_types(sources, recipe, formats), recipe.read)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the rows of each source come from."""

    sources: Mapping[str | None, Source]

    def find(self, name: str | None) -> FileOrigin:
        """The origin of the file of that name."""
        return self.sources[name].origin


def _without_types(sources: Sequence[Source], recipe: Recipe, formats: Collection[FileFormat]) -> Sequence[Source]:
    """The sources, read as text if all are text and become text: every type would be printed back as it was."""
    is_all_text = all(words_of(file_format).is_text for file_format in formats)
    demands_types = any(source.read.column_types for source in sources)
    if not is_all_text or demands_types or recipe.target_format is not FileFormat.CSV:
        return sources
    return [replace(source, read=replace(source.read, infer_types=False)) for source in sources]


def _hinted(sources: Sequence[Source], read: ReadOptions) -> Sequence[Source]:
    """The sources, whose columns with given types are read as text if the file is of text."""
    if not read.type_hints:
        return sources
    hinted = [replace(source, read=replace(source.read, type_hints=read.type_hints)) for source in sources]
    return [replace(source, read=read_hinted_as_text(source.read, source.format)) for source in hinted]


class SmallFiles:
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
