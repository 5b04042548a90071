"""What is wrong with a record of CSV, in words: its text, its place, what was expected and what would read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.first_lines import COMMENT
from millrace.engine.formats.csv.wording import count_fields, shorten
from millrace.engine.option_list import say_option, say_quarantine
from millrace.engine.options import BadRows, Face, ReadOptions
from millrace.errors import AmbiguousDialect, DataError, RaggedRow, StrayQuote, TruncatedFile, WrongEncoding


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """A record's bytes without their line end, and where it is; ``row`` None is the header.

    ``is_last``: nothing but marks of the end is behind it.
    """

    record: bytes
    row: int | None
    byte: int
    is_last: bool = False

    def __str__(self) -> str:
        if self.row is None:
            return f"the header at byte {self.byte:,}"
        return f"row {self.row:,} at byte {self.byte:,}"

    @property
    def text(self) -> str:
        """The record as messages show it."""
        return shorten(self.record.decode(errors="backslashreplace"))


def refuse_bytes(error: UnicodeDecodeError, byte: int, row: int | None, face: Face) -> WrongEncoding:
    """A record, which begins at a byte, whose bytes are no text in UTF-8, or in the encoding that was said."""
    at, value = byte + error.start, error.object[error.start]
    option = say_option(face, "encoding")
    return WrongEncoding(
        f"the byte 0x{value:02x} at offset {at:,} is not UTF-8 text; say which encoding the file has with {option}",
        row=row,
        byte=at,
    )


def refuse_open_quote(spot: RecordPlace, face: Face) -> TruncatedFile:
    """A record that the file's end leaves inside quotes."""
    return TruncatedFile(
        f"{spot}: a quote is opened and never closed in {spot.text}; is the file whole? If its quotes are plain "
        f"characters, set {say_option(face, 'quote', 'none')}",
        row=spot.row,
        byte=spot.byte,
    )


def refuse_stray_quote(spot: RecordPlace, offset: int, dialect: Dialect, width: int | None, face: Face) -> StrayQuote:
    """A record in which a quote is neither around a field nor doubled inside of one.

    ``width`` is how many fields it should have, None if nobody knows: only what gives it so many is advised.
    """
    advice = ", ".join(_ways_to_read(spot.record, dialect, width, face)) or _advise_to_mend(face)
    return StrayQuote(
        f"{spot}: a quote ({dialect.quote}) inside a field, or text behind a closing quote, at byte "
        f"{spot.byte + offset:,} is not CSV: {spot.text}; {advice}",
        row=spot.row,
        byte=spot.byte,
    )


def refuse_unsure_escape(spot: RecordPlace, unsure: str, dialect: Dialect, face: Face) -> AmbiguousDialect:
    """A record with an escape before a letter, in a file whose quotes alone say that it has escapes."""
    missing, letter = say_option(face, "null_values", f"'{unsure}'"), say_option(face, "escape", "backslash")
    text = f"{say_option(face, 'escape', 'none')} with {say_option(face, 'quotes', 'lenient')}"
    return AmbiguousDialect(
        f"{spot}: {unsure} can be read in more ways than one: {spot.text}; set {missing} if a field {unsure} means "
        f"missing, {letter} if the letter alone is meant, or {text} if {dialect.escape} is text",
        row=spot.row,
        byte=spot.byte,
    )


def _ways_to_read(record: bytes, dialect: Dialect, width: int | None, face: Face) -> Iterator[str]:
    """The options that make a row of a record whose quotes are stray, with what each does."""
    lenient = replace(dialect, lenient=True)
    if width in {None, lenient.count(record)}:
        yield f"{say_option(face, 'quotes', 'lenient')} keeps such characters"
    if width in {None, replace(dialect, quote=None, escape=None).count(record)}:
        yield f"{say_option(face, 'quote', 'none')} reads all quotes as text"
    escaped = replace(dialect, escape="\\")
    is_legal = escaped.find_stray_quote(record) is None and not escaped.leaves_quote_open(record)
    if dialect.escape is None and is_legal and width in {None, escaped.count(record)}:
        yield f'{say_option(face, "escape", "backslash")} reads \\" as a quote'


def refuse_width(
    spot: RecordPlace, counts: tuple[int, int], options: ReadOptions, *, first: str, is_trailing: bool
) -> RaggedRow:
    """A record that has more or fewer fields than the header, or than the first record of a file without one.

    ``counts`` are the fields that it has, and that it should have. A record that is put aside has its text beside the
    reason, and needs no advice to put it aside. ``first`` is the header's first field, or empty. ``is_trailing``: the
    last of the fields has to be empty.
    """
    reason = f"{spot} has {_compare(*counts)}"
    if is_trailing:
        reason += ", the last of them empty, since the rows before end in a delimiter"
    if options.bad_rows is BadRows.FAIL:
        advice = "; ".join(_ways_to_go_on(spot, counts, options, first))
        reason += f": {spot.text}; {advice}"
    return RaggedRow(reason, row=spot.row, byte=spot.byte)


def _ways_to_go_on(spot: RecordPlace, counts: tuple[int, int], options: ReadOptions, first: str) -> Iterator[str]:
    """What can be done about a row of another width; ``first`` is the header's first field, which may be a comment."""
    comment = COMMENT.match(spot.record) or COMMENT.match(first.encode())
    if comment is not None and not options.comment:
        mark = comment[0].decode()
        yield f"if lines that begin with {mark} are comments, set {say_option(options.face, 'comment', repr(mark))}"
    # "Total;300" as the last line below rows of three fields is such a line.
    if spot.is_last and counts[0] < counts[1]:
        footer = say_option(options.face, "skip_footer", str(options.skip_footer + 1))
        yield f"if it is no row but a line of totals, drop it with {footer}"
    yield _advise_to_mend(options.face)


def _advise_to_mend(face: Face) -> str:
    aside = say_quarantine(face)
    if not aside:
        return "mend the row"
    return f"mend the row, or put bad rows aside with {aside}"


def refuse_all_widths(
    first: DataError, spot: RecordPlace, widths: Iterable[int], expected: int, options: ReadOptions
) -> DataError:
    """The first ragged row's error, or a better one if all rows of its block have one and the same other width."""
    counts = list(widths)
    if len(counts) < 2 or len(set(counts)) != 1 or counts[0] == expected:
        return first
    which = f"every row has {_describe_difference(counts[0], expected, options)}"
    if not spot.is_last:
        which = f"all of the first {len(counts):,} rows have {_describe_difference(counts[0], expected, options)}"
    return RaggedRow(
        f"{spot} has {_compare(counts[0], expected)}, and {which}: {spot.text}; {_advise_on_first(options)}",
        row=spot.row,
        byte=spot.byte,
    )


def _describe_difference(width: int, expected: int, options: ReadOptions) -> str:
    difference = count_fields(abs(width - expected))
    than = "than the first"
    if options.has_headers:
        than = "than the header"
    if width > expected:
        return f"{difference} more {than}"
    return f"{difference} fewer {than}"


def _advise_on_first(options: ReadOptions) -> str:
    skip = say_option(options.face, "skip_lines")
    if options.has_headers:
        return f"if the header is further down, drop the lines above it with {skip}, otherwise mend the header"
    return f"if the first row is further down, drop the lines above it with {skip}, otherwise mend the first row"


def _compare(width: int, expected: int) -> str:
    if expected == 1:
        return f"{count_fields(width)} where 1 is expected"
    return f"{count_fields(width)} where {expected:,} are expected"
