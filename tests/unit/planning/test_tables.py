"""Objects and their tables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.config.layout import DirectorySnapshot, MultiTable, SingleTable
from millrace.engine.options import FileFormat
from millrace.planning.tables import TableFile, directory_table, table_of


def in_directories(stem: str, glob: str) -> TableFile | None:
    return table_of(stem, DirectorySnapshot(glob, (FileFormat.CSV,)))


def test_every_object_is_a_table_named_by_its_path() -> None:
    assert table_of("eu/orders", MultiTable()) == TableFile("eu/orders", None)


def test_every_object_is_a_file_of_the_one_table() -> None:
    assert table_of("2026/11/a", SingleTable("orders", FileFormat.CSV)) == TableFile("orders", "2026/11/a")


@pytest.mark.parametrize(
    ("glob", "stem", "file"),
    [
        ("*", "orders/2026/a", TableFile("orders", "2026/a")),
        ("shop/*", "shop/orders/a", TableFile("orders", "a")),
        ("tenant=*/orders", "tenant=1/orders/a", TableFile("tenant=1_orders", "a")),
        ("**", "a/b/c", TableFile("a_b", "c")),
        ("*", "loose", None),
        ("tenant=*/orders", "tenant=1/returns/a", None),
    ],
)
def test_a_matching_directory_is_a_table(glob: str, stem: str, file: TableFile | None) -> None:
    assert in_directories(stem, glob) == file


def test_the_deepest_matching_directory_is_the_table() -> None:
    assert in_directories("exports/daily/x/daily/a", "exports/**/daily") == TableFile("exports_daily_x_daily", "a")


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("a", "a"),
        ("a_b", "a_b"),
        ("a/b", "a_b"),
        ("a_b/c", "a_b_c_[0-9a-f]{6}"),
        ("a/b_c", "a_b_c_[0-9a-f]{6}"),
        ("a/b/c", "a_b_c"),
    ],
)
def test_a_hash_is_added_only_where_a_joined_name_can_be_read_in_two_ways(directory: str, name: str) -> None:
    assert re.fullmatch(name, directory_table(directory, "**"))


SEGMENT = st.text("ab_", min_size=1, max_size=3)


@given(st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), min_size=2, max_size=8, unique=True))
def test_no_two_directories_share_a_name(directories: list[str]) -> None:
    names = [directory_table(directory, "**") for directory in directories]

    assert len(set(names)) == len(names)
