"""What is wrong with a record of CSV, in words: its text, its place, what was expected and what would read it."""

from __future__ import annotations

from collections.abc import Iterable

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.wording import count_fields, shorten
from millrace.errors import DataError, RaggedRow, StrayQuote, TruncatedFile

_ASIDE = "bad_rows: quarantine (convert --quarantine FILE)"
_READ_OTHERWISE = (
    "csv_quotes: lenient (--quotes lenient) keeps such characters, csv_quote: none (--quote none) reads all quotes as "
    'text, csv_escape: backslash (--escape backslash) reads \\" as a quote'
)


def refuse_open_quote(record: bytes, row: int | None, byte: int) -> TruncatedFile:
    """A record that the file's end leaves inside quotes."""
    return TruncatedFile(
        f"{_place(row, byte)}: a quote is opened and never closed in {_text(record)}; is the file whole? If its quotes "
        "are plain characters, set csv_quote: none (--quote none)",
        row=row,
        byte=byte,
    )


def refuse_stray_quote(record: bytes, row: int | None, byte: int, offset: int, dialect: Dialect) -> StrayQuote:
    """A record in which a quote is neither around a field nor doubled inside of one."""
    return StrayQuote(
        f"{_place(row, byte)}: a quote ({dialect.quote}) inside a field, or text behind a closing quote, at byte "
        f"{byte + offset:,} is not CSV: {_text(record)}; {_READ_OTHERWISE}",
        row=row,
        byte=byte,
    )


def refuse_width(
    record: bytes, row: int, byte: int, counts: tuple[int, int], *, is_aside: bool, is_trailing: bool
) -> RaggedRow:
    """A record that has more or fewer fields than the header, or than the first record of a file without one.

    ``counts`` are the fields that it has, and that it should have. A record that is put aside has its text beside the
    reason, and needs no advice to put it aside. ``is_trailing``: the last of the fields has to be empty.
    """
    reason = f"{_place(row, byte)} has {_compare(*counts)}"
    if is_trailing:
        reason += ", the last of them empty, since the rows before end in a delimiter"
    if is_aside:
        return RaggedRow(reason, row=row, byte=byte)
    return RaggedRow(
        f"{reason}: {_text(record)}; mend the row, or put bad rows aside with {_ASIDE}", row=row, byte=byte
    )


def refuse_all_widths(
    first: DataError, record: bytes, widths: Iterable[int], expected: int, *, is_all: bool
) -> DataError:
    """The first ragged row's error, or a better one if all rows of its block have one and the same other width."""
    counts = list(widths)
    if first.row != 1 or len(counts) < 2 or len(set(counts)) != 1 or counts[0] == expected:
        return first
    difference = abs(counts[0] - expected)
    comparison = f"{count_fields(difference)} {'more' if counts[0] > expected else 'fewer'} than the header"
    which = f"every row has {comparison}" if is_all else f"all of the first {len(counts):,} rows have {comparison}"
    return RaggedRow(
        f"{_place(1, first.byte or 0)} has {_compare(counts[0], expected)}, and {which}: {_text(record)}; if "
        "the header is further down, drop the lines above it with skip_lines (--skip-lines), otherwise mend the header",
        row=1,
        byte=first.byte,
    )


def _compare(width: int, expected: int) -> str:
    return f"{count_fields(width)} where {expected:,} {'is' if expected == 1 else 'are'} expected"


def _place(row: int | None, byte: int) -> str:
    return f"the header at byte {byte:,}" if row is None else f"row {row:,} at byte {byte:,}"


def _text(record: bytes) -> str:
    return shorten(record.decode(errors="backslashreplace"))
