"""Partitions: rows divided by a field's values, and the directories' names."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.transform.partition import MISSING, directory, split
from millrace.errors import KeyTooLong, UnknownField
from tests.properties import examples

values = st.none() | st.sampled_from(["a", "b", "", MISSING, "x=y", "%41", "é/ü"])


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(values, max_size=12), st.integers(0, 3))
def test_every_row_is_in_its_value_s_part_in_its_order(keys: list[str | None], start: int) -> None:
    rows = [{"k": key, "n": number} for number, key in enumerate(keys)]
    batch = pa.RecordBatch.from_pylist(rows, pa.schema([("k", pa.string()), ("n", pa.int64())])).slice(start)

    parts = split(batch, "k")

    expected: dict[str | None, list[Any]] = {}
    for row in rows[start:]:
        expected.setdefault(keys[int(row["n"] or 0)], []).append(row)
    assert [(value, part.to_pylist()) for value, part in parts] == list(expected.items())


def test_values_are_their_printed_text_in_any_type() -> None:
    batch = pa.RecordBatch.from_pydict({"k": pa.array([1.5, 2.0, None]).dictionary_encode()})

    assert [value for value, _ in split(batch, "k")] == ["1.5", "2.0", None]


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownField, match="'k'"):
        split(pa.RecordBatch.from_pydict({"a": [1]}), "k")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-02", "day=2024-01-02"),
        ("10:30/x", "day=10%3A30%2Fx"),
        ("""a=b%"#?\\*{}[]^'\x7f\n""", "day=a%3Db%25%22%23%3F%5C%2A%7B%7D%5B%5D%5E%27%7F%0A"),
        ("é x", "day=é x"),
        ("", "day="),
        (None, "day=__HIVE_DEFAULT_PARTITION__"),
        (MISSING, "day=%5F_HIVE_DEFAULT_PARTITION__"),
    ],
)
def test_directories(value: str | None, expected: str) -> None:
    assert directory("day", value) == expected


@settings(max_examples=examples(150), deadline=None)
@given(st.text(max_size=20))
def test_a_directory_tells_its_value_back(value: str) -> None:
    name = directory("a/b", value)

    field, _, escaped = name.partition("=")
    assert (unquote(field), unquote(escaped)) == ("a/b", value)
    assert escaped != MISSING
    assert "/" not in name


def test_a_directory_has_255_bytes_at_most() -> None:
    assert len(directory("k", "x" * 253)) == 255
    with pytest.raises(KeyTooLong, match=r"k=xxx.* 256 bytes; at most 255.*partition_key"):
        directory("k", "x" * 254)
