"""Convert the files of a build into its one table. Needs pyarrow: `builds` imports it when one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from millrace.delivery.build_files import PinnedFiles
from millrace.engine.destination import Converted, Destination
from millrace.engine.file_names import with_extensions
from millrace.engine.many_files import convert_many
from millrace.engine.one_file import ConversionContext
from millrace.engine.table_sources import Source
from millrace.objects.store import ListedObject, Upload
from millrace.planning.model_syncs import file_of
from millrace.planning.plans import Build


def convert_files(
    build: Build,
    files: Sequence[ListedObject],
    pinned: PinnedFiles,
    destination: Destination[Upload],
    *,
    now: datetime,
    on_batch: Callable[[int], None],
) -> Converted[Upload]:
    """Convert the listed files of a build by its recipe, each at the version at which it is first opened.

    ``on_batch`` gets the number of rows read so far, and may raise to stop. Raises what a conversion does.
    """
    sources = [source_of_file(build, file, pinned) for file in files]
    return convert_many(sources, build.recipe, destination, ConversionContext(now=now, on_batch=on_batch))


def source_of_file(build: Build, file: ListedObject, pinned: PinnedFiles) -> Source:
    """A file of a build as one of its table's sources, at the version at which it is first opened."""
    recognised = file_of(build, file.ref.key)
    assert recognised is not None  # noqa: S101 - for the type checker: only files of the build are asked for
    return Source(
        name=str(file.ref),
        format=recognised.format,
        read=with_extensions(build.read, recognised),
        open=partial(pinned.open, file.ref),
        find_origin=partial(pinned.origin, file.ref),
    )
