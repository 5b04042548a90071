"""Places between rows are found in ranges of JSON text, by the kernel and by Python alike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.formats.json import marks as json_marks
from millrace.engine.formats.json.marks import LEVELS, Level, LineCount, RangeMarks, find_marker
from millrace.engine.native.library import find_kernel

needs_kernel = pytest.mark.skipif(find_kernel() is None, reason="no native kernel was built")
anything = st.text(alphabet='{}[],"\\ a\n\r1', max_size=150).map(str.encode)
pieces = st.sampled_from(
    [b'{"a": 1}', b", ", b"\n", b"[", b"]", b'{"b": [{"c": "}\\""}]}', b'"', b"\\", b"{", b"}", b" 7"]
)
likely = st.lists(pieces, max_size=40).map(b"".join)


def marks_of(texts: list[bytes], *, in_array: bool, in_string: bool, is_escaped: bool) -> RangeMarks:
    marker = find_marker(in_array=in_array, in_string=in_string, is_escaped=is_escaped)
    for text in texts:
        marker.add(text)
    return marker.finish()


@needs_kernel
@given(st.lists(anything | likely, max_size=3), st.booleans(), st.booleans(), st.booleans())
def test_the_kernel_sees_what_python_sees(
    texts: list[bytes],
    in_array: bool,  # noqa: FBT001 - drawn
    in_string: bool,  # noqa: FBT001 - drawn
    is_escaped: bool,  # noqa: FBT001 - drawn
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        by_kernel = marks_of(texts, in_array=in_array, in_string=in_string, is_escaped=is_escaped)
        patch.setenv("MILLRACE_NATIVE", "0")
        by_python = marks_of(texts, in_array=in_array, in_string=in_string, is_escaped=is_escaped)
    assert by_kernel == by_python
    assert RangeMarks.from_document(json.loads(json.dumps(by_kernel.to_document()))) == by_kernel


def test_a_range_that_begins_deep_in_an_array() -> None:
    text = b'1}]},\n {"a": 2}, {"a": 3}, {"'
    found = marks_of([text], in_array=True, in_string=False, is_escaped=False)
    assert found.level(4) == Level(commas=3, opens=3, place=4, rows=1, lines=0)
    assert (found.depth, found.in_string, found.lines) == (-2, True, 1)


def test_rows_that_are_too_deep_are_passed_over() -> None:
    text = b"}" * (LEVELS + 10) + b',{"a": 1},{"b": 2}'
    found = marks_of([text], in_array=True, in_string=False, is_escaped=False)
    assert found.depth == -LEVELS - 10
    assert found.levels == {}


lines = st.lists(
    st.sampled_from(
        [b'{"a": 1}', b"", b"  \t", b' {"b": {"c": "}{"}} \r', b'{"x": "\\""}', b"{}{}", b"7", b'{"a": "', b"}"]
    )
    | anything.map(lambda text: text.replace(b"\n", b"")),
    max_size=12,
).map(b"\n".join)


@needs_kernel
@given(lines)
def test_the_kernel_counts_the_lines_that_python_counts(text: bytes) -> None:
    counts = list[LineCount]()
    with pytest.MonkeyPatch.context() as patch:
        for setting in ("1", "0"):
            patch.setenv("MILLRACE_NATIVE", setting)
            counts.append(LineCount())
            counts[-1].pass_plain_lines(text)
    assert counts[0] == counts[1]


@pytest.mark.parametrize("native", ["0", "1"])
def test_plain_lines_are_counted_up_to_one_that_is_not(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_NATIVE", native)
    row = json.dumps({"text": "{" * 200, "more": [{"a": {}}] * 30}).encode()
    count = LineCount()
    count.pass_plain_lines(row + b"\n\n" + row + b" \r\n" + row + row + b"\n")
    assert (count.rows, count.lines, count.at) == (2, 3, 2 * len(row) + 5)


def test_levels_are_as_many_as_the_kernel_has() -> None:
    from millrace.engine.native.json_marks import LEVELS as IN_KERNEL  # noqa: PLC0415 - it imports ctypes

    assert json_marks.LEVELS == IN_KERNEL
