"""Line ends are counted as Python counts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millrace.engine.native.line_ends import count_line_ends
from tests.unit.engine.native.kernels import require_kernel


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"", b"text", b"\x8a\n\x0b", b"x" * 40])), st.integers(0, 20))
def test_as_many_as_python_counts(parts: list[bytes], start: int) -> None:
    text = b"".join(parts)[start:]

    assert count_line_ends(require_kernel(), memoryview(text)) == text.count(b"\n")
