"""What is known of a CSV file before its first row is read."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.engine.formats.csv.detecting.detection import Detected
from millrace.engine.formats.csv.detecting.judging import Trailing
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.text_rows import Report
from millrace.engine.formats.streams.encoding import Encoding
from millrace.engine.options import BadRows, ReadOptions


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of a file before its first row is read; ``header`` is its first line's fields, None without one.

    ``titles`` are the lines above the table that are none of its rows, ``has_trailing`` says that every row ends in a
    delimiter with nothing behind it.
    """

    names: tuple[str, ...]
    header: tuple[str, ...] | None
    detected: Detected
    encoding: Encoding
    options: ReadOptions
    report: Report
    titles: tuple[str, ...] = ()
    has_trailing: bool = False

    @property
    def width(self) -> int:
        """How many fields a record has; the one behind a trailing delimiter is no column."""
        return len(self.names) + self.has_trailing

    @property
    def may_keep_last(self) -> bool:
        """Whether a row far behind may say that there is a column behind the trailing delimiter all the same."""
        return self.has_trailing and self.detected.trailing is Trailing.ALL

    @property
    def dialect(self) -> Dialect:
        """What cuts records into fields."""
        return self.detected.dialect

    @property
    def quarantines(self) -> bool:
        """Whether bad rows are put aside."""
        return self.options.bad_rows is BadRows.QUARANTINE

    @property
    def has_empty_texts(self) -> bool:
        """Whether a field of no characters is the empty text: it cannot be quoted, and something else means missing."""
        # UNLOAD and MySQL write 1|\\N| for a missing value and an empty text.
        options = self.options
        return options.quote == "" and bool(options.null_values) and "" not in options.null_values

    @property
    def has_found_escape(self) -> bool:
        """Whether the file's quotes alone said that it has an escape: nobody said what it does before a letter."""
        return self.dialect.escape is not None and self.options.escape is None

    def has_no_value_at_end(self, record: bytes) -> bool:
        """Whether nothing is behind the last delimiter of a record, or a text that means missing."""
        last = self.dialect.raw_fields(record)[-1]
        return last == "" or last in self.options.null_values
