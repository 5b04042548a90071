"""Identifiers: rows that share one are found, however many rows there are."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.transform.identifiers import Duplicate, Identifiers, duplicate_error
from tests.properties import examples

batches = st.lists(st.lists(st.none() | st.sampled_from("abcdef"), max_size=6), max_size=4)


@settings(max_examples=examples(100), deadline=None)
@given(batches)
def test_the_earliest_repeat_is_found_with_its_first_row(given_batches: list[list[str | None]]) -> None:
    flat = [value for batch in given_batches for value in batch]
    repeats = [
        Duplicate(flat.index(value) + 1, at + 1)
        for at, value in enumerate(flat)
        if value is not None and flat.index(value) < at
    ]

    with Identifiers() as seen:
        for batch in given_batches:
            seen.observe(pa.array(batch, pa.string()))
        found = seen.duplicate()

    assert found == (repeats[0] if repeats else None)


@settings(max_examples=examples(100), deadline=None)
@given(batches)
def test_the_last_row_of_each_identifier_stays(given_batches: list[list[str | None]]) -> None:
    flat = [value for batch in given_batches for value in batch]
    stay = [at for at, value in enumerate(flat) if value is None or value not in flat[at + 1 :]]

    with Identifiers() as seen:
        for batch in given_batches:
            seen.observe(pa.array(batch, pa.string()))
        superseded = seen.superseded_rows()
    kept: list[int] = []
    row = 1
    for batch in given_batches:
        rows = pa.RecordBatch.from_pydict({"at": pa.array(range(row - 1, row - 1 + len(batch)), pa.int64())})
        kept += superseded.remove_from(rows, row).column(0).to_pylist()
        row += len(batch)

    assert kept == stay


def test_spools_move_to_disk_and_are_gone_when_closed() -> None:
    seen = Identifiers(in_memory=100)
    seen.observe(pa.array([str(number) for number in range(3000)]))
    seen.observe(pa.array(["17"]))

    found = seen.duplicate()
    files = list(seen._spools.values())
    seen.close()

    assert found == Duplicate(18, 3001)
    assert files
    assert all(file.closed for file in files)


def test_the_error_names_the_value_and_both_rows() -> None:
    error = duplicate_error("id", "x" * 200, Duplicate(2, 12345))

    assert str(error).startswith(f"rows 2 and 12,345 have the same id '{'x' * 100}'…, ")
    assert (error.row, error.column) == (12345, "id")
