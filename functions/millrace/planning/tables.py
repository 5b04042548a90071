"""Which table an object belongs to: a function of its path below the folder and the layout, of nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import assert_never

from millrace.config.layout import DirectorySnapshot, Layout, MultiTable, SingleTable
from millrace.planning import globs


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table. ``path`` is below the table's root, without extensions; None: the file is the table."""

    table: str
    path: str | None


def table_of(stem: str, layout: Layout) -> TableFile | None:
    """The table of the object at ``stem``, its path below the source's folder without extensions.

    None where the layout is directories and none that holds the object matches.
    """
    match layout:
        case MultiTable():
            return TableFile(stem, None)
        case SingleTable(name=name):
            return TableFile(name, stem)
        case DirectorySnapshot(glob=glob):
            return _in_directory(stem, glob)
        case _:
            assert_never(layout)


def _in_directory(stem: str, glob: str) -> TableFile | None:
    """The deepest matching directory is the table, so that a file never belongs to two."""
    segments = stem.split("/")
    depths = globs.matching_depths(glob, segments[:-1])
    if not depths:
        return None
    directory = "/".join(segments[: depths[-1]])
    return TableFile(directory_table(directory, glob), "/".join(segments[depths[-1] :]))


def directory_table(directory: str, glob: str) -> str:
    """The name of the table that a directory is.

    It is the last segment, where the glob fixes all before it, so that no two directories can share one. Else two
    could, and it is the whole path joined by ``_``; where that could be read in two ways, because a segment holds ``_``
    itself, six digits of a hash are added. What other directories are there has no influence: names never change when
    a directory is added.
    """
    segments = directory.split("/")
    if all(map(globs.is_literal, glob.split("/")[:-1])) and glob.rsplit("/", maxsplit=1)[-1] != globs.ANY_DEPTH:
        return segments[-1]
    # `a_b/c` and `a/b_c` would both be `a_b_c`.
    joined = "_".join(segments)
    if len(segments) == 1 or not any("_" in segment for segment in segments):
        return joined
    return f"{joined}_{hashlib.sha256(directory.encode()).hexdigest()[:6]}"
