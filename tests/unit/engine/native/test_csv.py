"""CSV by the kernel is what the Python code makes of it, or is left to that: every value, every dialect."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.engine.formats.base import BadRow, Widened
from millrace.engine.formats.csv.blocks import Block
from millrace.engine.formats.csv.detecting.detection import Detected
from millrace.engine.formats.csv.dialect import Dialect
from millrace.engine.formats.csv.opening import CsvLayout
from millrace.engine.formats.csv.reader import read
from millrace.engine.formats.csv.types import Converted, Types
from millrace.engine.formats.streams.encoding import Encoding
from millrace.engine.native.library import SWITCH
from millrace.engine.options import BadRows, ColumnType, Quotes, ReadOptions, WorkSizes
from millrace.engine.types import inference
from millrace.engine.types.inference import Kind
from millrace.errors import DataError
from tests.properties import examples
from tests.unit.engine.native.kernels import require_kernel

often = settings(max_examples=examples(100), deadline=None)

TEXTS = ["", "a", "abc", "x" * 15, "y" * 16, "z" * 17, "w" * 70, "é", "東京", " 5", "\ufeff", "\x00", "NA", "N\\A", "-"]
INTEGERS = [
    "0",
    "7",
    "-1",
    "12345678",
    "123456789",
    "-12345678901234567",
    "9223372036854775807",
    "-9223372036854775808",
]
NO_INTEGERS = ["-0", "007", "+5", "9223372036854775808", "12345678901234567890", "1e3", "0x1F", "1_0", "٣", "-", "1-2"]
DOUBLES = ["0.0", "12.5", "-0.5", "-0.0", "100.0", "0.000001", "0.0000012", "123456.789012345", "0.1234567890123"]
LONG_DOUBLES = ["0.12345678901234567", "3.141592653589793", "1e+16", "1.5e-07", "9007199254740993.0", "1e400", "5e-324"]
NO_DOUBLES = ["1.50", ".5", "5.", "1.", "-.5", "00.5", "1..5", "1.5.2", "0.0000001", "NaN", "inf", "1,5", "12.5f"]
DECIMALS = ["0.05", "10.10", "-3.00", "-0.00", "99999999999999.99", "123456789012345678901234.50", "0.5", "1.005"]
BOOLEANS = ["true", "false", "True", "t", "1", "falsy"]
DATES = ["2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31", "2100-02-28"]
NO_DATES = [
    "2026-02-30",
    "2023-02-29",
    "2100-02-29",
    "0000-01-01",
    "2026-13-01",
    "2026-00-10",
    "2026-1-1",
    "2026-01-32",
]
TIMES = ["12:00:00", "23:59:59", "00:00:00", "24:00:00", "12:60:00", "12:00:60", "1:00:00"]
FRACTIONS = ["", ".125", ".000001", ".123456789", ".5", "."]
ZONES = ["", "Z", "+01:00"]

moments = st.builds(
    lambda day, separator, time, fraction, zone: f"{day}{separator}{time}{fraction}{zone}",
    st.sampled_from(DATES + NO_DATES[:3] + ["1677-12-31", "1678-01-01", "2261-12-31", "2262-05-01"]),
    st.sampled_from("T T t"),
    st.sampled_from(TIMES),
    st.sampled_from(FRACTIONS),
    st.sampled_from(ZONES),
)
integers = st.sampled_from(INTEGERS * 3 + NO_INTEGERS) | st.integers(-(2**63), 2**64).map(str)
doubles = (
    st.sampled_from(DOUBLES * 3 + LONG_DOUBLES + NO_DOUBLES) | st.floats(width=32).map(repr) | st.floats().map(repr)
)
decimals = st.sampled_from(DECIMALS) | st.decimals(-(10**20), 10**20, places=2).map(str)
KINDS: dict[Kind, st.SearchStrategy[str]] = {
    inference.TEXT: st.sampled_from(TEXTS) | st.text(max_size=40),
    inference.INTEGER: integers,
    inference.DOUBLE: doubles,
    inference.DOUBLE_BARE: doubles | integers,
    Kind(pa.decimal128(18, 2)): decimals,
    Kind(pa.decimal128(38, 2)): decimals,
    Kind(pa.decimal128(18, 0)): integers,
    Kind(pa.decimal128(38, 18)): decimals | doubles,
    inference.BOOLEAN: st.sampled_from(BOOLEANS[:2] * 5 + BOOLEANS),
    inference.DATE: st.sampled_from(DATES * 3 + NO_DATES),
    **{
        Kind(pa.timestamp(unit, zone), f"{separator}{digits}{'Z' if zone else ''}"): moments
        for unit, digits in (("s", 0), ("ms", 3), ("us", 6), ("ns", 9))
        for zone in (None, "UTC")
        for separator in "T "
    },
}
DEMANDS: dict[ColumnType, tuple[Kind, st.SearchStrategy[str]]] = {
    "integer": (inference.INTEGER, integers),
    "float": (inference.DOUBLE, doubles | integers),
    "boolean": (inference.BOOLEAN, st.sampled_from(BOOLEANS)),
    "date": (inference.DATE, st.sampled_from(DATES + NO_DATES)),
    "decimal": (Kind(pa.decimal128(18, 3)), decimals | integers),
    "timestamp": (Kind(pa.timestamp("us")), moments),
    "text": (inference.TEXT, st.sampled_from(TEXTS)),
}
kinds = st.sampled_from(list(KINDS))
dialects = st.builds(
    Dialect,
    st.sampled_from([",", ",", ";", "\t", "|"]),
    st.sampled_from(['"', '"', "'", None]),
    st.sampled_from([None, None, "\\"]),
    st.sampled_from([False, False, True]),
    st.sampled_from([None, None, "#"]),
)


@contextmanager
def without_kernel() -> Iterator[None]:
    with patch.dict(os.environ, {SWITCH: "0"}):
        yield


@dataclass(frozen=True)
class TypedRecords:
    """Whole records, how they are read, and the types that their columns are to have."""

    data: bytes
    layout: CsvLayout = field(repr=False)
    types: Types = field(repr=False)

    def natively(self) -> Converted | None:
        direct = self.types.direct()
        assert direct is not None
        result = direct(self.block)
        assert result is None or direct(self.block) == result  # what was undecided is asked for as text the next time
        return None if result is None else result[1]

    @property
    def block(self) -> Block:
        return Block(self.data, 0, 1, last=True)

    def purely(self) -> Converted | None:
        with without_kernel():
            batch = self.layout.parser().parse(self.block)
        return None if batch is None else self.types.convert(batch)


def layout_of(dialect: Dialect, width: int, options: ReadOptions, *, trailing: bool) -> CsvLayout:
    names = tuple(f"c{position}" for position in range(width))
    encoding = Encoding("utf-8", "default")
    return CsvLayout(names, names, Detected(dialect), encoding, options, _never, has_trailing=trailing)


def _never(bad: BadRow) -> None:
    raise AssertionError(bad)


def write_field(text: str, dialect: Dialect, *, quoted: bool) -> str:
    if not dialect.quote or not quoted:
        return text
    return f"{dialect.quote}{text.replace(dialect.quote, dialect.quote * 2)}{dialect.quote}"


@st.composite
def columns_of(draw: st.DrawFn) -> tuple[list[tuple[Kind, st.SearchStrategy[str]]], dict[str, ColumnType]]:
    """The kinds of columns with what their texts are drawn from, and the demanded ones by name."""
    columns = [(kind, KINDS[kind]) for kind in draw(st.lists(kinds, min_size=1, max_size=5))]
    demanded = draw(st.dictionaries(st.integers(0, len(columns) - 1), st.sampled_from(list(DEMANDS)), max_size=2))
    for position, wanted in demanded.items():
        columns[position] = DEMANDS[wanted]
    return columns, {f"c{position}": wanted for position, wanted in demanded.items()}


@st.composite
def records(
    draw: st.DrawFn, texts: list[st.SearchStrategy[str]], layout: CsvLayout, null_values: tuple[str, ...]
) -> bytes:
    """Records of the texts with line ends of every kind, blank lines and missing values."""
    dialect = layout.dialect
    empty = st.sampled_from(null_values or ("",)) | st.just("")
    row = st.tuples(*(st.tuples(text | empty, st.booleans()) for text in texts))
    rows = draw(st.lists(row, min_size=1, max_size=6)) * draw(st.sampled_from([1, 1, 1, 1, 20, 400]))
    ends = draw(st.lists(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\r\n\r\n"]), min_size=1, max_size=3))
    lines = []
    for number, cells in enumerate(rows):
        fields = [write_field(text, dialect, quoted=quoted) for text, quoted in cells] + [""] * layout.has_trailing
        lines.append(dialect.delimiter.join(fields) + ends[number % len(ends)])
    text = "".join(lines)
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return text.encode(errors="replace")


@st.composite
def cases(draw: st.DrawFn, *, is_mutated: bool) -> TypedRecords:
    columns, demanded = draw(columns_of())
    null_values = draw(st.sampled_from([(), (), ("NA",), ("-", "NULL", "0"), ("N\\A", ""), ("'", "true")]))
    dialect = draw(dialects)
    quote = "" if dialect.quote is None else None  # then an empty field may be the empty text
    options = ReadOptions(null_values=null_values, column_types=demanded, quote=quote)
    layout = layout_of(dialect, len(columns), options, trailing=draw(st.sampled_from([False, False, True])))
    data = draw(records([texts for _, texts in columns], layout, null_values))
    if is_mutated:
        data = draw(mutations(data))
    kinds_of_columns = tuple(kind for kind, _ in columns)
    blank = frozenset[int]()
    if kinds_of_columns[0] == inference.TEXT and "c0" not in demanded:
        blank = draw(st.sampled_from([blank, frozenset([0])]))
    return TypedRecords(data, layout, Types(layout, kinds_of_columns, blank))


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(changed)))
        piece = draw(
            st.sampled_from([b"", b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\\", b"#", b"\xff", b"\x00", b"'"])
        )
        changed[at : at + draw(st.integers(0, 2))] = piece
    return bytes(changed)


def obey_law(case: TypedRecords) -> None:
    require_kernel()
    native = case.natively()
    if native is None:
        return
    pure = case.purely()
    assert isinstance(native, pa.RecordBatch)
    assert isinstance(pure, pa.RecordBatch)
    native.validate(full=True)
    assert native.equals(pure, check_metadata=True)


@pytest.mark.slow
@often
@given(cases(is_mutated=False))
def test_a_block_is_read_as_without_the_kernel(case: TypedRecords) -> None:
    obey_law(case)


@pytest.mark.slow
@often
@given(cases(is_mutated=True))
def test_a_broken_block_is_read_as_without_the_kernel(case: TypedRecords) -> None:
    obey_law(case)


def read_all(data: bytes, options: ReadOptions) -> tuple[pa.Table | tuple[str, str], list[BadRow]]:
    bad = list[BadRow]()
    learned = None
    while True:
        try:
            records = read(io.BytesIO(data), options, learned=learned, report=bad.append)
            batches = list(records.batches)
        except Widened as widened:
            learned = widened.learned
            bad.clear()
        except DataError as error:
            return (type(error).__name__, str(error)), bad
        else:
            return pa.Table.from_batches(batches, schema=records.schema), bad


@pytest.mark.slow
@often
@given(
    cases(is_mutated=False) | cases(is_mutated=True),
    st.sampled_from([64, 1000, 2**20]),
    st.sampled_from(list(BadRows)),
    st.sampled_from(["headers", "dialect", "both", "neither"]),
)
def test_a_file_is_read_as_without_the_kernel(
    case: TypedRecords, size: int, bad_rows: BadRows, given_options: str
) -> None:
    require_kernel()
    dialect = case.layout.dialect
    options = replace(
        case.layout.options,
        has_headers=given_options in {"headers", "both"},
        comment=dialect.comment,
        quotes=Quotes.LENIENT if dialect.lenient else Quotes.STRICT,
        bad_rows=bad_rows,
        work=WorkSizes(block=size, csv_sample=2 * size, processors=1),
    )
    if given_options in {"dialect", "both"}:
        options = replace(options, delimiter=dialect.delimiter, quote=dialect.quote or "", escape=dialect.escape or "")
    native = read_all(case.data, options)
    with without_kernel():
        pure = read_all(case.data, options)

    assert native[1] == pure[1]
    assert native[0] == pure[0]


def is_common(text: str, kind: Kind) -> bool:
    """Whether a text is a value, without an exponent, and of few digits if it is no double."""
    is_short = len(text) < 15 or pa.types.is_floating(kind.type)
    return is_short and "e" not in text and inference.fit(pa.array([text]), kind) is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
@given(data=st.data())
@settings(max_examples=examples(50), deadline=None)
def test_what_is_common_is_read_by_the_kernel(kind: Kind, data: st.DataObject) -> None:
    require_kernel()
    dialect = Dialect(",", '"', None)
    layout = layout_of(dialect, 2, ReadOptions(), trailing=False)
    texts = data.draw(st.lists(KINDS[kind], min_size=1, max_size=20))
    good = [text for text in texts if is_common(text, kind)]
    lines = [
        f"{write_field(text, dialect, quoted=kind == inference.TEXT)},{number}\n" for number, text in enumerate(good)
    ]
    case = TypedRecords("".join(lines).encode(), layout, Types(layout, (kind, inference.INTEGER)))
    parser = case.types.direct_parser()
    assert parser is not None

    parsed = parser.parse(case.data)

    if good:
        assert parsed is not None
        assert not parsed.texts


@often
@given(
    st.text(st.sampled_from('ab,"\n\r'), max_size=200)
    | st.lists(st.sampled_from(['"a\n"', ",", "\n", "\r\n", "bcd", '""', "\r"]), max_size=150).map("".join),
    st.sampled_from([None, "\\"]),
)
def test_a_text_is_cut_as_without_the_kernel(text: str, escape: str | None) -> None:
    require_kernel()
    dialect = Dialect(",", '"', escape)
    native = dialect.end_of_records(text.encode(), final=False)
    with without_kernel():
        pure = dialect.end_of_records(text.encode(), final=False)

    assert native == pure
