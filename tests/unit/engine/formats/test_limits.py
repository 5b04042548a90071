"""The page on limits says what the code does."""

from __future__ import annotations

import pytest

from millrace.delivery.archive_tables import MOST_OUTPUTS
from millrace.engine.formats import limits
from millrace.engine.formats.json import cells as json_cells
from millrace.engine.formats.json import types as json_types
from millrace.engine.formats.streams import decompression
from millrace.engine.formats.streams.archive import Limits
from millrace.engine.options import WorkSizes
from millrace.engine.outputs import MOST_PARTITIONS
from millrace.planning.plans import LONGEST_KEY
from millrace.texts import LONGEST_TEXT
from tests.places import ROOT

PAGE = ROOT / "docs/limits.md"
MB, GB = 2**20, 2**30
ARCHIVE = Limits()
ROWS = (
    ("a row of CSV or JSON, as text", f"{limits.MAX_RECORD_BYTES // MB} MB", "`TooBig`"),
    ("commas in a JSON row of more than 4 MB", f"{limits.MAX_VALUES:,}", "`TooBig`"),
    ("any value around the rows of `json_records`, as text", f"{limits.MAX_RECORD_BYTES // MB} MB", "`TooBig`"),
    (
        "rows of `json_records` before a member of `json_parent_fields`",
        f"{limits.MAX_KEPT_BYTES // MB} MB",
        "`TooBig`",
    ),
    ("members of an object on the way to the rows of `json_records`", f"{limits.MAX_MEMBERS:,}", "`TooBig`"),
    ("a member of `json_parent_fields`, as text", f"{limits.MAX_PARENT_BYTES:,} characters", "`TooBig`"),
    (
        "fields of all items of the lists of objects in one JSON row, missing ones included",
        f"{json_cells.MOST_CELLS:,}",
        "`TooBig`",
    ),
    ("columns of a file, fields within fields counted one by one", f"{limits.MAX_COLUMNS:,}", "`TooBig`"),
    (
        f"rows of JSON times their columns, once they are more than {limits.MANY_CELLS:,}",
        f"{limits.MAX_CELLS_A_BYTE} × the bytes of their text",
        "`TooBig`",
    ),
    ("levels of JSON that become columns", f"{json_types.MAX_DEPTH}", "kept as JSON text"),
    ("levels of JSON that are read at all", "about 900", "`MalformedFile`"),
    ("names of an object below the top", f"{json_types.MAX_FIELDS:,}", "kept as JSON text"),
    (
        f"content of a compressed file, once it has more than {WorkSizes().unpacked_freely // MB} MB",
        f"{decompression.MAX_RATIO} × the file",
        "`TooBig`",
    ),
    ("a page of a Parquet file, unpacked", f"{limits.MAX_PAGE_BYTES // MB} MB", "`TooBig`"),
    (
        f"values of a Parquet file, once they have more than {limits.MAX_EXPANDED_BYTES // GB} GB",
        f"{limits.MAX_EXPANSION:,} × the file",
        "`TooBig`",
    ),
    ("members of an archive", f"{ARCHIVE.members:,}", "`ArchiveTooBig`"),
    ("a member of an archive, unpacked", f"{ARCHIVE.member_bytes // GB} GB", "`ArchiveTooBig`"),
    ("all members of an archive, unpacked", f"{ARCHIVE.total_bytes // GB} GB", "`ArchiveTooBig`"),
    ("archives within archives", "0", "`BadArchive`"),
    (
        "outputs of an archive whose members, or a workbook whose sheets, are tables",
        f"{MOST_OUTPUTS}",
        "`ArchiveTooBig`",
    ),
    ("memory that an xz file may ask for", f"{decompression.XZ_MEMORY // MB} MB", "`TooBig`"),
    ("values of a partition key in one object", f"{MOST_PARTITIONS}", "`TooManyPartitions`"),
    ("the key of an output, in bytes of UTF-8", f"{LONGEST_KEY:,}", "`KeyTooLong`"),
    (
        "an error, a reason, changes of a schema, as text in the ledger",
        f"{LONGEST_TEXT // 1024} kB",
        "the middle is left out, and counted",
    ),
    (
        "what S3 or DynamoDB refuses for its size, names or encryption (SSE-C)",
        "–",
        "`KeyTooLong`, `NotAccepted`, `TooBig`",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_page_names_the_limit_as_it_is(row: tuple[str, str, str]) -> None:
    """Each line of the table is written from the constant that is obeyed."""
    assert f"| {' | '.join(row)} |" in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_names_no_other_limit() -> None:
    """A limit that is gone is not on the page."""
    table = PAGE.read_text(encoding="utf-8").split("\n\n- ", maxsplit=1)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]

    assert len(lines) == 1 + len(ROWS)
