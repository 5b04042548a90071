"""Reading logs by a preset: what divides the lines is known, the fields are known or named in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from millrace.engine.formats.base import BadRow, Learned, Records
from millrace.engine.formats.csv.blocks import Block, CsvFeed
from millrace.engine.formats.csv.text_rows import Report
from millrace.engine.formats.limits import check_columns
from millrace.engine.formats.lines.texts import PLAIN_LINES, LineCutter, LineLayout, open_lines, read_lines
from millrace.engine.formats.log.cutting import DelimitedCutter, PresetCutter, names_of_fields
from millrace.engine.formats.log.presets import FIELDS, VPC_FLOW_DEFAULT, VPC_FLOW_KNOWN
from millrace.engine.options import LogPreset, ReadOptions
from millrace.errors import InvalidConfiguration, MalformedFile

_SHARE_OF_HEADER = 0.5
"""So many of a first line's words are names of fields if it is a header: AWS adds fields that are not known here."""


def read(
    source: BinaryIO,
    options: ReadOptions,
    *,
    learned: Learned | None = None,
    report: Callable[[BadRow], None],
) -> Records:
    """Open a log; see ``formats.base.Reader``."""
    return read_lines(begin, source, options, learned, report)


def begin(source: BinaryIO, options: ReadOptions, report: Report) -> tuple[LineLayout, Iterator[Block]] | None:
    """A log's layout and its blocks of lines; None if it is empty and would name its fields.

    Raises InvalidConfiguration without a preset, MalformedFile where a file does not name its fields.
    """
    if options.log_preset is None:
        raise InvalidConfiguration(f"log_preset: a log is read by its preset; give one of {', '.join(LogPreset)}")
    stream, feed = open_lines(source, options)
    cutter = _find_cutter(options.log_preset, feed)
    if cutter is None:
        return None
    layout = LineLayout(cutter, stream.encoding, options, report)
    return layout, feed.blocks(PLAIN_LINES, len(cutter.names))


def _find_cutter(preset: LogPreset, feed: CsvFeed) -> LineCutter | None:
    if preset in FIELDS:
        return PresetCutter(FIELDS[preset])
    if preset is LogPreset.VPC_FLOW:
        return _cutter_of_flow(feed)
    return _cutter_of_directives(preset, feed)


def _cutter_of_flow(feed: CsvFeed) -> LineCutter:
    """Files in S3 begin with the names of their fields; those of CloudWatch have the default ones, and no header."""
    line = feed.first_line()
    words = line.data.decode(errors="replace").split() if line else []
    check_columns(len(words), "the log")
    named = sum(word in VPC_FLOW_KNOWN for word in words)
    if line is None or named <= _SHARE_OF_HEADER * len(words):
        return DelimitedCutter(VPC_FLOW_DEFAULT.split(), " ", has_comments=False)
    feed.drop(line)
    return DelimitedCutter(words, " ", has_comments=False)


def _cutter_of_directives(preset: LogPreset, feed: CsvFeed) -> LineCutter | None:
    """The fields that ``#Fields:`` names, among the directives at the file's beginning."""
    names = _read_directives(feed)
    line = feed.first_line()
    first = line.data if line else b""
    if names:
        # CloudFront divides by tabs. W3C logs of other servers mostly do by blanks, and some by tabs: the first line
        # shows it.
        is_tabbed = preset is LogPreset.CLOUDFRONT or b"\t" in first
        return DelimitedCutter(names, "\t" if is_tabbed else " ", has_comments=True)
    if line is None:
        return None
    raise MalformedFile(
        f"the log names no fields before byte {line.byte:,}: a {preset} log begins with #Version and #Fields:",
        byte=line.byte,
    )


def _read_directives(feed: CsvFeed) -> list[str]:
    """Pass over the directives and blank lines before the rows; the names that the last of them lists."""
    names = list[str]()
    while line := feed.first_line():
        text = line.data.strip()
        if text and not text.startswith(b"#"):
            break
        names = names_of_fields(text) or names
        check_columns(len(names), "the log")
        feed.drop(line)
    return names
