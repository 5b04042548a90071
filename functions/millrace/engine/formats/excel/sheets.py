"""The sheets of a workbook as the members of an archive: each is a table of its own.

Which sheet is read of the workbook's bytes is the read option ``excel_sheet``, which must name the member.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from millrace.engine.formats.excel.reader import ListedSheet, describe_two_readings, list_sheets
from millrace.engine.formats.streams.archive import Archive, IgnoredMember, Member, why_hidden
from millrace.engine.options import Compression, Face, FileFormat, RecognisedKey
from millrace.errors import BadArchive


def open_sheets(source: BinaryIO) -> Archive:
    """The sheets of a workbook that are shown, have cells and no hidden name; the others are ignored.

    Raises BadArchive if two sheets have one name, or one has the name that means all sheets, and what reading a
    workbook does.
    """
    source.seek(0)
    # In memory once: what reads the cells holds the whole workbook there, too, and each sheet is read of it.
    data = source.read()
    sheets = list_sheets(io.BytesIO(data))
    _check_names(sheets)
    members, ignored = list[Member](), list[IgnoredMember]()
    for sheet in sheets:
        reason = sheet.reason or why_hidden(sheet.name)
        if reason:
            ignored.append(IgnoredMember(sheet.name, reason))
            continue
        known = RecognisedKey(FileFormat.EXCEL, Compression.NONE, sheet.name)
        members.append(Member(sheet.name, known, len(data), partial(_open, data)))
    return Archive(tuple(members), tuple(ignored), noun="workbook", part="sheet")


@contextmanager
def _open(data: bytes) -> Iterator[BinaryIO]:
    yield io.BytesIO(data)


def _check_names(sheets: list[ListedSheet]) -> None:
    seen = set[str]()
    for sheet in sheets:
        if sheet.name in seen:
            raise BadArchive(f"two sheets have the name {sheet.name!r}: which one counts? Rename one of them")
        seen.add(sheet.name)
    if reason := describe_two_readings([sheet.name for sheet in sheets], Face.CONFIGURATION):
        raise BadArchive(reason)
