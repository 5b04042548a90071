"""What the rows of a CSV file are, and what is wrong with them, does not depend on where its blocks are cut."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest

from millrace.engine.formats.base import BadRow
from millrace.engine.formats.csv.opening import begin
from millrace.engine.formats.csv.text_rows import texts
from millrace.engine.options import BadRows, Quotes, ReadOptions, WorkSizes
from millrace.errors import DataError

MARKS = ["a", "1", ",", ",", ";", '"', '"', "\n", "\n", "\r\n", "#", " ", "\x1a", "\0", "\\", "x y", "\t", "2026-01-01"]


def outcome(text: str, size: int, options: dict[str, Any]) -> object:
    """The names, the rows and what is put aside; or the error with its place."""
    aside = list[BadRow]()
    read = ReadOptions(work=WorkSizes(block=size, processors=1), **options)
    try:
        opened = texts(begin, io.BytesIO(text.encode()), read, aside.append)
        if opened is None:
            return None
        rows = [row for block in opened[1] for row in block.batch.to_pylist()]
    except DataError as error:
        return type(error), error.row, error.byte
    return opened[0].names, rows, [(bad.row, bad.line, bad.byte, bad.raw) for bad in aside]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(120))
def test_blocks_of_any_size_give_the_same(seed: int) -> None:
    draw = random.Random(seed)
    text = draw.choice(["", "a,b\n1,x\n"]) + "".join(draw.choice(MARKS) for _ in range(draw.randint(1, 30)))
    options = {
        "has_headers": draw.random() < 0.6,
        "quotes": draw.choice(list(Quotes)),
        "comment": draw.choice([None, "#"]),
        "skip_footer": draw.choice([0, 0, 1, 2]),
        "bad_rows": draw.choice(list(BadRows)),
        "delimiter": draw.choice([None, ",", ";"]),
        "escape": draw.choice([None, "\\", ""]),
        "quote": draw.choice([None, None, "", "'"]),
    }

    whole = outcome(text, 2**20, options)

    for size in (1, 3, 7):
        assert outcome(text, size, options) == whole, (text, options)
