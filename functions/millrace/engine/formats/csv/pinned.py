"""What the head of a CSV file says, as the document that its parts are read with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from millrace.engine.formats.csv.detecting.detection import Detected
from millrace.engine.formats.csv.detecting.judging import Trailing
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.opening import CsvHead
from millrace.engine.formats.streams.encoding import Encoding
from millrace.engine.parts.documents import Document, get_integer, get_items, get_text


@dataclass(frozen=True, slots=True)
class PinnedCsv:
    """A file's head, the number of the line that its first row is in, and that row's first byte in UTF-8."""

    head: CsvHead
    line: int
    byte: int

    def to_document(self) -> Document:
        """What of it a part needs: nothing that only explains it."""
        dialect = self.head.detected.dialect
        return {
            "fields": list(self.head.fields),
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "lenient": dialect.lenient,
            "comment": dialect.comment,
            "trailing": self.head.detected.trailing.name,
            "encoding": self.head.encoding.name,
            "line": self.line,
            "byte": self.byte,
        }

    @classmethod
    def from_document(cls, document: Document) -> PinnedCsv:
        """The head of a document."""
        # No escape: a file that has one is not divided (see `parts`).
        dialect = Dialect(
            get_text(document, "delimiter"),
            cast("str | None", document["quote"]),
            None,
            lenient=bool(document["lenient"]),
            comment=cast("str | None", document["comment"]),
        )
        detected = Detected(dialect, trailing=Trailing[get_text(document, "trailing")])
        fields = tuple(map(str, get_items(document, "fields")))
        encoding = Encoding(get_text(document, "encoding"), "default")
        return cls(CsvHead(fields, detected, encoding), get_integer(document, "line"), get_integer(document, "byte"))
