"""Parts of a Parquet file: runs of its row groups, each read by the footer of the whole file.

Only int96 timestamps need a look at the rows before: which unit keeps all of them only all row groups together say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import BinaryIO

import pyarrow.parquet as pq

from millrace.engine.formats.base import BadRow, Learned, Reader, Records
from millrace.engine.formats.parquet.reader import (
    Int96Times,
    decide_int96_unit,
    find_int96_times,
    has_int96,
    open_metadata,
    promised_rows,
    read_groups,
    translate_errors,
)
from millrace.engine.options import FileFormat, ReadOptions
from millrace.engine.parts.documents import get_numbers
from millrace.engine.parts.frames import FileFrame, FilePart, RangeScan, TextRange

_GROUPS, _UNIT = "groups", "int96_unit"


class ParquetParts:
    """How Parquet files are divided; see ``parts.base.FormatParts``."""

    def plan(self, source: BinaryIO, read: ReadOptions, part_bytes: int, /) -> FileFrame:
        """Runs of row groups of about so many bytes; their places in the file are guessed by their sizes."""
        guarded, metadata = open_metadata(source, read)
        sizes = translate_errors(guarded, partial(_measure_groups, metadata, guarded.size))
        runs = _divide(sizes, part_bytes)
        total = max(1, sum(sizes))
        ends = [guarded.size * sum(sizes[: run.stop]) // total for run in runs]
        ends[-1] = guarded.size
        groups, row = list[list[int]](), 1
        for run in runs:
            groups.append([run.start, run.stop, row])
            row += promised_rows(metadata, run)
        return FileFrame(
            format=FileFormat.PARQUET,
            read=read,
            size=guarded.size,
            ranges=tuple(TextRange(start, end) for start, end in pairwise([0, *ends])),
            needs_scan=has_int96(metadata),
            pinned={_GROUPS: groups},
        )

    def scan(self, source: BinaryIO, frame: FileFrame, index: int, /) -> RangeScan:
        """What the int96 timestamps of a run of row groups need."""
        guarded, metadata = open_metadata(source, frame.read)
        start, end, row = get_numbers(frame.pinned, _GROUPS)[index]
        look = partial(find_int96_times, guarded, metadata, range(start, end), is_part=True)
        return RangeScan(index, asdict(translate_errors(guarded, look, row)))

    def split(self, frame: FileFrame, scans: Sequence[RangeScan], /) -> tuple[FilePart, ...]:
        """The runs."""
        times = [Int96Times(bool(scan.found["are_far"]), bool(scan.found["have_nanoseconds"])) for scan in scans]
        unit = decide_int96_unit(times)
        parts = list[FilePart]()
        for place, (start, end, row) in zip(frame.ranges, get_numbers(frame.pinned, _GROUPS), strict=True):
            parts.append(
                FilePart(
                    index=len(parts),
                    start=place.start,
                    end=place.end,
                    row=row,
                    is_last=len(parts) == len(frame.ranges) - 1,
                    detail={_GROUPS: [[start, end]], _UNIT: unit},
                )
            )
        return tuple(parts)

    def open_part(self, source: BinaryIO, _frame: FileFrame, _part: FilePart, /) -> BinaryIO:
        """The whole file: its footer says where the part's row groups are."""
        return source

    def reader(self, _frame: FileFrame, part: FilePart, /) -> Reader:
        """The reader of the part's row groups."""
        unit = part.detail[_UNIT]
        ((start, end),) = get_numbers(part.detail, _GROUPS)
        return _GroupsReader(range(start, end), None if unit is None else str(unit))


@dataclass(frozen=True, slots=True)
class _GroupsReader:
    """Reads some row groups; see ``formats.base.Reader``."""

    groups: range
    int96_unit: str | None

    def __call__(
        self,
        source: BinaryIO,
        options: ReadOptions,
        *,
        learned: Learned | None = None,
        report: Callable[[BadRow], None],
    ) -> Records:
        """Open the part."""
        del learned, report  # Parquet says its types itself, and has no bad rows
        return read_groups(source, options, self.groups, self.int96_unit)


def _measure_groups(metadata: pq.FileMetaData, file_bytes: int) -> list[int]:
    """About the bytes of each row group: those that its footer says, or its rows' share if that says none."""
    sizes = list[int]()
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        share = file_bytes * group.num_rows // max(1, metadata.num_rows)
        sizes.append(max(group.total_byte_size, 0) or share)
    return sizes


def _divide(sizes: Sequence[int], part_bytes: int) -> list[range]:
    """Runs of row groups next to each other, each of at most ``part_bytes`` if it has more than one; at least one run.

    Worked example: sizes of 3, 3, 9 and 1 in parts of 7 are the runs 0 to 2, 2 to 3 and 3 to 4.
    """
    starts, before = [0], 0
    for number, total in enumerate(accumulate(sizes)):
        if total - before > part_bytes and number > starts[-1]:
            starts.append(number)
            before = total - sizes[number]
    return [range(start, end) for start, end in pairwise([*starts, len(sizes)])]
