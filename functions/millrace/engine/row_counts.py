"""How many rows a conversion read, and what became of them: counted in one place, without pyarrow."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.errors import MiscountedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows by what became of them: read = written + quarantined + filtered, always."""

    read: int
    written: int
    quarantined: int = 0
    filtered: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        """The rows of both."""
        return RowCounts(
            read=self.read + other.read,
            written=self.written + other.written,
            quarantined=self.quarantined + other.quarantined,
            filtered=self.filtered + other.filtered,
        )

    @classmethod
    def of(cls, *, delivered: int, written: int, quarantined: int, filtered: int) -> RowCounts:
        """The counts of a conversion whose reader ``delivered`` rows beside those put aside.

        Raises MiscountedRows if a row came from nowhere or went there.
        """
        counts = cls(read=delivered + quarantined, written=written, quarantined=quarantined, filtered=filtered)
        counts.check()
        return counts

    def check(self) -> None:
        """Raise MiscountedRows if a row came from nowhere or went there."""
        if self.read != self.written + self.quarantined + self.filtered:
            raise MiscountedRows(
                f"{self.read:,} rows were read, but {self.written:,} written, {self.quarantined:,} quarantined and"
                f" {self.filtered:,} filtered; nothing is published. This is a defect of Millrace: please report it"
                " with the file"
            )


NO_ROWS = RowCounts(read=0, written=0)
"""Of work that read nothing, or is not done yet."""
