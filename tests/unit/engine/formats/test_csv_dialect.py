"""Records and fields are cut as Python's csv module cuts them, whatever the text and the blocks."""

from __future__ import annotations

import csv
import io
import re

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.options import WorkSizes
from millrace.errors import DataError, RaggedRow, StrayQuote, TruncatedFile
from tests.properties import examples
from tests.unit.engine.formats.builders import converted, table

QUOTED = "q"
QUOTED_FIELD = re.compile(r'(?<![^,\r\n])"(?:[^"]|"")*"(?!")')
"""A field that is quoted by the rules; where it is replaced by a letter, any quote that is left is a stray one."""
STRAY = re.compile(r'"|q[^,\r\n]')
quickly = settings(max_examples=examples(150), deadline=None)
marks = st.text(st.sampled_from('ab,"\n\r'), max_size=24)


def second_opinion(text: str, quote: str | None = '"', escape: str | None = None) -> list[list[str]]:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape,
    )
    return [row for row in reader if row]


@quickly
@given(marks, st.sampled_from([1, 3, 2**20]))
@example('"a",b\r\n"a,""b""', 2**20)
@example('a"b,"c"d\n', 1)
def test_rows_are_those_of_pythons_csv_module(text: str, size: int) -> None:
    expected = second_opinion(text)
    widths = {len(row) for row in expected}

    found = rows_or_refusal(text, WorkSizes(block=size))
    if isinstance(found, TruncatedFile) or (isinstance(found, RaggedRow) and len(widths) > 1):
        return
    if isinstance(found, StrayQuote):
        assert STRAY.search(QUOTED_FIELD.sub(QUOTED, text))
        return

    assert not isinstance(found, DataError)
    assert not STRAY.search(QUOTED_FIELD.sub(QUOTED, text))
    if len(widths) == 1 and widths != {1}:  # a blank line is a row where there is but one column
        if found != expected:  # a delimiter that ends every row makes no column
            assert {row[-1] for row in expected} == {""}
            assert found == [row[:-1] for row in expected]
    else:
        assert [row for row in found if row != [""]] == [row for row in expected if row != [""]]


def rows_or_refusal(text: str, work: WorkSizes) -> list[list[str]] | DataError:
    try:
        data = converted(
            text.encode(),
            "csv",
            "parquet",
            has_headers=False,
            delimiter=",",
            quote='"',
            escape="",
            infer_types=False,
            work=work,
        )
    except DataError as refused:
        return refused
    return [[cell or "" for cell in row.values()] for row in table(data).to_pylist()]


@quickly
@given(st.text(st.sampled_from('ab,"\n\\'), max_size=16), st.sampled_from([None, "\\"]))
def test_fields_are_those_of_pythons_csv_module(text: str, escape: str | None) -> None:
    dialect = Dialect(",", '"', escape)
    data = text.encode()
    spans = list(dialect.records(data))
    # Behind a closing quote Python takes an escape for itself; Arrow and we go on escaping.
    assume(all(whole for *_, whole in spans) and not text.endswith("\\") and '"\\' not in text)

    rows = [dialect.fields(data[start:end]) for start, end, _, _ in spans if start < end]

    assert rows == second_opinion(text, escape=escape)


@quickly
@given(marks, st.integers(0, 24))
def test_a_cut_is_always_between_records(text: str, at: int) -> None:
    dialect, data = Dialect(",", '"', None), text.encode()
    ends = {stop for _, _, stop, _ in dialect.records(data)} | {0}

    cut = dialect.end_of_records(data[:at], final=False)

    assert cut in ends
