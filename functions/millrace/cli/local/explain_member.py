"""`millrace explain` of an archive: one of its members is explained, and which those are is said."""

from __future__ import annotations

from typing import BinaryIO

from millrace.engine.explain.any_file import explain_file
from millrace.engine.explain.facts import Explanation
from millrace.engine.file_names import with_extensions
from millrace.engine.files import choose_members
from millrace.engine.formats.streams.archive import open_archive
from millrace.engine.options import FileFormat, ReadOptions
from millrace.errors import UsageError

_MOST_SHOWN = 20


def explain_member(
    source: BinaryIO, path: str, member: str | None, source_format: FileFormat | None, asked: ReadOptions
) -> Explanation:
    """Explain the member of that name, or the only one.

    Raises: UsageError with the members' names if there are several and none is chosen; BadArchive if none can be read.
    """
    with open_archive(source, path, file_format=source_format) as archive:
        members = choose_members(archive, member)
        if len(members) > 1:
            names = ", ".join(repr(each.name) for each in members[:_MOST_SHOWN])
            raise UsageError(f"{path} has {len(members):,} members; choose one with --member: {names}")
        chosen = members[0]
        with chosen.open() as file:
            return explain_file(file, chosen.known.format, with_extensions(asked, chosen.known))
