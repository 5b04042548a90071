"""What is known of two parts of a JSON file, joined, is what is known of the whole: so parts can be read anywhere."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.json.exact import blocks_of
from millrace.engine.formats.json.feed import JsonPiece
from millrace.engine.formats.json.node_documents import from_document, to_document
from millrace.engine.formats.json.types import MAX_FIELDS, Node, fields_of
from millrace.engine.formats.limits import MAX_COLUMNS
from millrace.engine.parts.documents import from_bytes, get_document, to_bytes
from millrace.errors import DataError, TooBig
from tests.properties import examples
from tests.unit.engine.formats.test_json_fast import rows_of_a_file, told

quickly = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def observed(rows: list[str]) -> Node:
    """What is known of rows that are read exactly."""
    node = Node()
    text = "\n".join(rows).encode()
    for block in blocks_of(JsonPiece(text, 0, 1, in_array=False, first=True, last=True, whole=True)):
        block.observe(node)
    return node


@pytest.mark.slow
@quickly
@given(rows_of_a_file, rows_of_a_file, st.data())
def test_joined_evidence_is_that_of_the_whole(first: list[str], second: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.permutations(first + second))
    cut, later = sorted(data.draw(st.tuples(st.integers(0, len(rows)), st.integers(0, len(rows)))))
    try:
        whole = observed(rows)
    except DataError:  # a name is there twice
        return

    for_left, for_right = observed(rows[:cut]), observed(rows[later:])
    middle = observed(rows[cut:later])
    from_left, from_right = copy.deepcopy(for_left), copy.deepcopy(middle)
    from_left.join(middle)
    from_left.join(for_right)
    from_right.join(for_right)
    for_left.join(from_right)

    for joined in (from_left, for_left):
        assert told(joined) == told(whole)
        assert fields_of(joined).equals(fields_of(whole), check_metadata=True)


def test_joining_nothing_changes_nothing() -> None:
    node = observed(['{"a": 1.50, "b": [{"c": 7}]}'])
    before = told(node)

    node.join(Node())
    empty = Node()
    empty.join(node)

    assert told(node) == before == told(empty)


def test_a_map_of_two_parts_is_a_map() -> None:
    halves = [{str(start + at): 1 for at in range(MAX_FIELDS)} for start in (0, 10**6)]
    parts = [observed([json.dumps({"m": half})]) for half in halves]
    assert all(str(fields_of(part).field("m").type).startswith("struct") for part in parts)

    parts[0].join(parts[1])

    assert fields_of(parts[0]).field("m").metadata == {b"millrace.form": b"json"}


@pytest.mark.slow
def test_columns_of_two_parts_are_counted_together() -> None:
    node, other = Node(), Node()
    node.observe_columns({f"a{number}": [None] for number in range(MAX_COLUMNS)}, 0)
    other.observe_columns({"b": [1]}, 0)

    with pytest.raises(TooBig, match="the file's rows together has 20,001 columns"):
        node.join(other)


@quickly
@given(rows_of_a_file)
def test_a_document_gives_the_same_node_back(rows: list[str]) -> None:
    try:
        node = observed(rows)
    except DataError:  # a name is there twice
        return

    content = to_bytes({"schema": 1, "node": to_document(node)})
    read_back = from_document(get_document(from_bytes(content), "node"))

    assert read_back == node
    assert fields_of(read_back).equals(fields_of(node), check_metadata=True)
