"""JSON files in parts: rows, types, errors and the quarantine are those of the whole file, wherever it is cut."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.engine.options import BadRows, FileFormat, ReadOptions, WorkSizes, WriteOptions
from millrace.engine.recipe import Recipe
from millrace.errors import CannotBeCut
from tests.properties import examples
from tests.unit.engine.parts.dividing import assert_same, convert_divided, convert_whole, cut_file

quickly = settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
TARGETS = (FileFormat.CSV, FileFormat.JSON, FileFormat.JSON_DOC, FileFormat.PARQUET)
WORK = WorkSizes(block=64, json_sample=128, processors=1)


def recipe_of(target: FileFormat, bad_rows: BadRows = BadRows.FAIL, work: WorkSizes = WORK) -> Recipe:
    return Recipe(
        source_format=FileFormat.JSON,
        target_format=target,
        read=ReadOptions(bad_rows=bad_rows, work=work),
        write=WriteOptions(),
    )


names = st.sampled_from(["a", "b", 'c"\\', "ü"])
scalars = st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats(0, 9) | st.text('ab"\\{}[],:ü€\n', max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2), max_leaves=4
)
rows = st.lists(st.dictionaries(names, values, max_size=3), max_size=12)
gaps = st.sampled_from([b"", b" ", b"\n", b"\r\n \t"])


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    texts = [
        json.dumps(row, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1))).encode()
        for row in draw(rows)
    ]
    before, behind = draw(gaps), draw(gaps)
    return draw(gaps) + b"[" + before + (before + b"," + behind).join(texts) + behind + b"]" + draw(gaps)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    texts = [
        json.dumps(row, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1))).encode()
        for row in draw(rows)
    ]
    return draw(st.sampled_from([b"\n", b"", b"\r\n\r\n"])).join(texts) + draw(gaps)


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    data = draw(texts)
    at = draw(st.integers(0, len(data)))
    cut = draw(st.integers(0, 3))
    junk = draw(
        st.sampled_from([b"", b"}", b"{", b'"', b"\\", b",", b"7", b"\n", b"[", b"]", b"\xff", b"tru", b'{"a": 1}'])
    )
    return data[:at] + junk + data[at + cut :]


def check(data: bytes, part_bytes: int, target: FileFormat, bad_rows: BadRows = BadRows.FAIL) -> None:
    recipe = recipe_of(target, bad_rows)
    whole, divided = convert_whole(data, recipe), convert_divided(data, recipe, part_bytes)
    if divided.error is not None and divided.error[0] is CannotBeCut:
        # Rows over several lines are refused by name, if others are put aside to the ends of their lines.
        assert bad_rows is BadRows.QUARANTINE
        assert not data.strip().startswith(b"[")
        return
    # A bad row is only known to be one by what follows, such as "[" and a line end: a part ends before it, so the place
    # that the reason names may be nearer. Which row it is, where, and its text are the same.
    assert list(map(without_reason, divided.quarantine)) == list(map(without_reason, whole.quarantine))
    divided = replace(divided, quarantine=whole.quarantine)
    assert_same(divided, whole, target)


def without_reason(line: str) -> dict[str, object]:
    bad: dict[str, object] = json.loads(line)
    del bad["reason"]
    return bad


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(arrays() | lines(), st.integers(1, 90), st.sampled_from(TARGETS), st.sampled_from(list(BadRows)))
def test_good_files(data: bytes, part_bytes: int, target: FileFormat, bad_rows: BadRows) -> None:
    check(data, part_bytes, target, bad_rows)


@pytest.mark.slow
@pytest.mark.kernel
@quickly
@given(damaged(arrays() | lines()), st.integers(1, 90), st.sampled_from(TARGETS), st.sampled_from(list(BadRows)))
def test_damaged_files(data: bytes, part_bytes: int, target: FileFormat, bad_rows: BadRows) -> None:
    check(data, part_bytes, target, bad_rows)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arrays() | damaged(lines()), st.integers(1, 90), st.sampled_from(list(BadRows)))
def test_without_the_kernel(data: bytes, part_bytes: int, bad_rows: BadRows) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLRACE_NATIVE", "0")
        check(data, part_bytes, FileFormat.JSON, bad_rows)


def parts_of(data: bytes, part_bytes: int, bad_rows: BadRows = BadRows.FAIL) -> list[tuple[int, int, int, int]]:
    _, parts = cut_file(data, FileFormat.JSON, ReadOptions(bad_rows=bad_rows), part_bytes)
    return [(part.start, part.end, part.row, part.line) for part in parts]


class TestWhereJsonIsCut:
    def test_an_array_at_commas_between_elements(self) -> None:
        data = b'[{"a": [1, 2]},\n {"a": [3]}, {"a": []}]'
        assert parts_of(data, 14) == [(0, 14, 1, 1), (14, 27, 2, 1), (27, 39, 3, 2)]

    def test_objects_where_one_begins(self) -> None:
        assert parts_of(b'{"a": 1}\n{"a": 2}{"a": 3}\n', 13) == [(0, 17, 1, 1), (17, 26, 3, 2)]

    def test_lines_behind_a_row_where_bad_rows_are_put_aside(self) -> None:
        data = b'{"a": 1}\n[\n\n{"a": 2}\n{"a": 3}\n'
        assert parts_of(data, 10, BadRows.QUARANTINE) == [(0, 20, 1, 1), (20, 30, 4, 4)]

    @pytest.mark.slow
    @pytest.mark.kernel
    @pytest.mark.parametrize("rows", [1, 2, 3])
    def test_a_row_that_is_longer_than_many_parts(self, rows: int) -> None:
        data = b'{"a": 0}\n' * (rows - 1) + json.dumps({"a": "x" * 1000}).encode() + b'\n{"a": 2}'
        assert len(parts_of(data, 7)) == rows + 1
        check(data, 7, FileFormat.PARQUET)

    def test_nothing(self) -> None:
        for data in (b"", b" \n ", b"[]", b"\xef\xbb\xbf"):
            check(data, 1, FileFormat.JSON_DOC)
            check(data, 1, FileFormat.JSON_DOC, BadRows.QUARANTINE)

    def test_a_byte_order_mark_is_of_the_first_part_alone(self) -> None:
        mark = "\ufeff".encode()
        for bad_rows in BadRows:
            check(mark + b'{"a": 1}\n{"a": 2}\n', 5, FileFormat.JSON, bad_rows)
            check(mark + b'{"a": 1}\n{"a": 2}\n' + mark + b'{"a": 3}\n', 5, FileFormat.JSON, bad_rows)

    def test_several_arrays_are_cut_within_the_first_alone(self) -> None:
        data = b'[{"a": 1}, {"a": 2}, {"a": 3}] [{"a": 4}, {"a": 5}]'
        assert parts_of(data, 10) == [(0, 9, 1, 1), (9, 19, 2, 1), (19, 51, 3, 1)]
        check(data, 10, FileFormat.CSV)


class TestRefusedJson:
    def test_utf_16(self) -> None:
        with pytest.raises(CannotBeCut, match="utf-16-le"):
            parts_of('{"a": 1}\n'.encode("utf-16"), 5)

    def test_what_is_compressed(self) -> None:
        with pytest.raises(CannotBeCut, match="gz file of one piece"):
            parts_of(gzip.compress(b'{"a": 1}'), 5)

    def test_rows_within_documents(self) -> None:
        with pytest.raises(CannotBeCut, match="json_records"):
            cut_file(b'{"a": [{}]}', FileFormat.JSON, ReadOptions(json_records="a"), 5)

    def test_rows_over_several_lines_where_bad_rows_are_put_aside(self) -> None:
        data = b'{"a": 1}\n' + b'{"a":\n{"b": 2}\n}\n' * 9
        with pytest.raises(CannotBeCut, match="write one object a line"):
            parts_of(data, 25, BadRows.QUARANTINE)
