"""Globs against a reference that walks segment by segment."""

from __future__ import annotations

import re
import sys
import time
from itertools import pairwise
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.planning.globs import is_literal, matches, matches_shown, matching_depths


def reference(glob: list[str], path: list[str]) -> bool:
    """The rule as it is written: recursive, one segment at a time, one character at a time."""
    if not glob:
        return not path
    if glob[0] == "**":
        if len(glob) == 1:
            return len(path) >= 1
        return any(reference(glob[1:], path[taken:]) for taken in range(len(path) + 1))
    return bool(path) and segment_matches(glob[0], path[0]) and reference(glob[1:], path[1:])


def segment_matches(glob: str, text: str) -> bool:
    if not glob:
        return not text
    head, rest = glob[0], glob[1:]
    if head == "*":
        return any(segment_matches(rest, text[taken:]) for taken in range(len(text) + 1))
    if head == "?":
        return bool(text) and segment_matches(rest, text[1:])
    if head == "[" and (choice := re.match(r"\[(!?)(\]?[^\]]*)\]", glob)) and choice[2]:
        if not text:
            return False
        return in_choice(text[0], choice[2]) != bool(choice[1]) and segment_matches(glob[choice.end() :], text[1:])
    return text[:1] == head and segment_matches(rest, text[1:])


def in_choice(character: str, inside: str) -> bool:
    position = 0
    while position < len(inside):
        if inside[position + 1 : position + 2] == "-" and position + 2 < len(inside):
            if inside[position] <= character <= inside[position + 2]:
                return True
            position += 3
        else:
            if character == inside[position]:
                return True
            position += 1
    return False


PIECES = st.sampled_from(["a", "b", "c", "*", "?", "[ab]", "[!a]", "[a-c]", "[b-]", "ü", ".", "=", "-", "\n"])
GLOB_SEGMENTS = st.just("**") | st.lists(PIECES, min_size=1, max_size=4).map("".join).filter(lambda s: "**" not in s)
NAMES = st.text("abcü.=-[]!\n", min_size=1, max_size=4)


@given(st.lists(GLOB_SEGMENTS, min_size=1, max_size=4), st.lists(NAMES, min_size=1, max_size=5))
def test_matching_follows_the_written_rule(glob: list[str], path: list[str]) -> None:
    assert matches("/".join(glob), "/".join(path)) == reference(glob, path)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*", ["orders", "o.d"], ["a/b"]),
        ("orders", ["orders"], ["Orders", "orders2"]),
        (
            "tenant=*/orders",
            ["tenant=1/orders", "tenant=/orders"],
            ["tenant=1", "tenant=1/x/orders", "tenant=1/orders/y"],
        ),
        ("exports/**/daily", ["exports/daily", "exports/a/daily", "exports/a/b/daily"], ["daily", "exports/a"]),
        ("**", ["a", "a/b", "a/b/c"], []),
        ("20[0-9][0-9]-??", ["2026-11"], ["2026-1", "20x6-11"]),
        ("[!_]*", ["a", "a_"], ["_tmp"]),
    ],
)
def test_the_forms_that_people_write(glob: str, yes: list[str], no: list[str]) -> None:
    check(glob, yes, no)


def check(glob: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not matches(glob, path)] == []
    assert [path for path in no if matches(glob, path)] == []


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a*", ["a", "ab"], ["", "ba"]),
        ("*a", ["a", "ba"], ["", "ab"]),
        ("ab*ba", ["abba", "abxba"], ["aba", "ab", "ba"]),
        ("a*b*c", ["abc", "axbxc", "abbc"], ["ac", "acb", "abxcx", "axbx"]),
        ("aba*b*c", ["ababc", "abaxbc"], ["abac", "abc"]),
        ("*a*b*", ["ab", "xaxbx"], ["ba", "a", "b"]),
        ("*-*-x", ["a-b-c-x", "--x"], ["a-x", "-x", "--xy"]),
        ("a?c", ["abc", "a?c"], ["ac", "abbc"]),
    ],
)
def test_pieces_between_stars_come_in_their_order_without_overlap(glob: str, yes: list[str], no: list[str]) -> None:
    check(glob, yes, no)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("[a]", ["a"], ["[a]", "b"]),
        ("[abd]", ["a", "b", "d"], ["c", "", "ab"]),
        ("x[ab]y", ["xay", "xby"], ["xy", "xcy", "[ab]"]),
        ("[a-cx]", ["a", "b", "c", "x"], ["-", "d"]),
        ("[a-a]", ["a"], ["-", "b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[z-a]", [], ["z", "a", "-", "m", ""]),
        ("[z-ab]", ["b"], ["z", "a", "-"]),
        ("[!a-c]", ["d", "-", "!"], ["a", "b", "c", ""]),
        ("[]a]", ["]", "a"], ["[]a]", "b"]),
        ("[!]a]", ["b", "!"], ["]", "a"]),
        ("[^a]", ["^", "a"], ["b"]),
        ("[a", ["[a"], ["a"]),
        ("[]", ["[]"], ["]", ""]),
        ("[!]", ["[!]"], ["!", "a"]),
        ("a]", ["a]"], ["a"]),
    ],
)
def test_a_choice_is_one_character_and_a_bracket_without_an_end_is_itself(
    glob: str, yes: list[str], no: list[str]
) -> None:
    check(glob, yes, no)


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*", ["a"], ["_a", ".a", "a/b"]),
        ("**", ["a", "a/b"], ["_a", "a/_b", "_a/b", ".a"]),
        ("**/*.csv", ["b.csv", "a/b.csv"], ["_a/b.csv", "a/_b.csv", ".b.csv"]),
        ("_*/*.csv", ["_a/b.csv"], ["a/b.csv", "_a/_b.csv", ".a/b.csv"]),
        ("_a/*.csv", ["_a/b.csv"], ["_b/b.csv"]),
        ("**/_a/**", ["_a/b", "x/_a/b", "x/_a/b/c"], ["_a/_b", "_x/_a/b"]),
        ("[_]*", [], ["_a", "a"]),
        ("?a", ["ba"], ["_a", ".a"]),
        ("a/..", ["a/.."], []),
    ],
)
def test_what_is_hidden_is_named_by_what_begins_as_it_does(glob: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not matches_shown(glob, path)] == []
    assert [path for path in no if matches_shown(glob, path)] == []


@pytest.mark.parametrize(
    ("segment", "expected"),
    [("orders", True), ("a]b", True), ("", True), ("or*", False), ("?", False), ("a[b", False), ("**", False)],
)
def test_a_segment_without_wildcards_names_one_directory(segment: str, *, expected: bool) -> None:
    assert is_literal(segment) is expected


@pytest.mark.parametrize(("glob", "path"), [("a/**", "a/"), ("**", ""), ("**", "a//b"), ("a/**/b", "a//b")])
def test_any_depth_takes_no_segment_without_a_name(glob: str, path: str) -> None:
    assert not matches(glob, path)


@pytest.mark.parametrize("literals", range(10))
def test_any_depth_at_the_end_takes_one_segment_or_more(literals: int) -> None:
    """However many segments come before it."""
    glob = "/".join(["a"] * literals + ["**"])

    assert matching_depths(glob, ["a"] * 12) == list(range(literals + 1, 13))


@given(st.lists(GLOB_SEGMENTS, min_size=1, max_size=4), st.lists(NAMES, min_size=1, max_size=5))
def test_one_pass_finds_every_directory_that_matches(glob: list[str], path: list[str]) -> None:
    expected = [depth for depth in range(1, len(path) + 1) if reference(glob, path[:depth])]

    assert matching_depths("/".join(glob), path) == expected


HYPHENS = "-" * 1000
HOSTILE = [
    ("*-*-*-*-*-*-*-*-*-*x", HYPHENS),
    ("*[-_]*[-_]*[-_]*[-_]*[-_]*[-_]*x", HYPHENS),
    ("*?*?*?*?*?*?*?*?*?*?x", HYPHENS),
    ("**/-/**/-/**/-/**/-/**/-/**/x", "/".join("-" * 500)),
    ("**/*/**/*/**/*/**/*/**/*/**/x", "/".join("-" * 500)),
]


@pytest.mark.parametrize(("glob", "path"), HOSTILE)
def test_a_key_made_of_hyphens_costs_no_more_than_any_other(glob: str, path: str) -> None:
    """A backtracking expression takes minutes for each of these; a bound of a second leaves room for a slow machine."""
    began = time.process_time()

    assert not matches(glob, path)
    assert time.process_time() - began < 1


def count_steps(glob: str, path: str) -> int:
    """Lines of Python that matching runs: the same on every machine."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        del frame, event, argument
        nonlocal steps
        steps += 1
        return trace

    matches(glob, path)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        matches(glob, path)
    finally:
        sys.settrace(before)
    return steps


def test_steps_grow_as_the_path_does() -> None:
    """Twice the path, about twice the steps; a rule that tries again would take a multiple."""
    steps = [count_steps("**/-*/**/*-/**/x", "/".join("-" * length)) for length in (60, 120, 240, 480)]

    assert all(longer < 2.2 * shorter for shorter, longer in pairwise(steps))
