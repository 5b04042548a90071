"""The values that converters alter: each comes out as it went in."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from millrace.errors import UnsupportedType
from tests.unit.engine.formats.builders import cells, converted, small_work, table

TEXTS: dict[str, list[str | None]] = {
    "zeros that mean something": ["00501", "10001"],
    "an integer beyond int64": ["12345678901234567890", "1"],
    "an integer that no double holds": ["9007199254740993", "1.5"],
    "digits of money": ["10.10", "3.99", "0.00"],
    "digits of money, not everywhere": ["10.10", "3.9"],
    "many digits": ["1" * 80, "2"],
    "small decimals": ["0.00000001", "0.10000000"],
    "negative zero": ["-0", "1"],
    "negative zero with digits": ["-0.00", "1.00"],
    "words for nothing": ["NaN", "NA", "null", "n/a", "None", "nan", "inf", "-inf", "Infinity"],
    "numbers that are none": ["+1", "1"],
    "spaces": [" 5 ", "5"],
    "infinity by overflow": ["1e400", "1"],
    "exponents": ["1e5", "1E5", "1e-7"],
    "underscores": ["1_000", "1"],
    "hexadecimal": ["0x1F", "31"],
    "truth in other words": ["TRUE", "True", "t", "true"],
    "truth": ["true", "false"],
    "dates of one country": ["01/02/2024", "13/02/2024"],
    "dates": ["2024-02-29", "0001-01-01", "9999-12-31"],
    "no dates": ["2024-02-30", "0000-01-01"],
    "times": ["2024-01-01T10:00:00", "1600-12-31T23:59:59"],
    "times with a space": ["2024-01-01 10:00:00.123", "2024-12-31 23:59:59.999"],
    "nine digits": ["2024-01-01T10:00:00.123456789Z", "2024-01-01T10:00:00.000000001Z"],
    "nine digits, far away": ["1066-10-14T10:00:00.123456789", "2024-01-01T10:00:00.000000001"],
    "mixed offsets": ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+01:00"],
    "mixed shapes": ["2024-01-01T10:00:00", "2024-01-01 10:00:00"],
    "leap seconds": ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
    "floats": ["1.5", "2", "0.1", "12345678901.5"],
    "large floats": ["123456789012345.6", "1.5"],
    "whole floats": ["1.0", "2.25", "3.5"],
    "zero bytes": ["a\0b", "c"],
    "a mark of byte order": ["\ufeff", "\ufeffa"],
    "line ends inside": ["a\r\nb", "a\rb", "a\nb"],
    "quotes": ['"', '""', 'say "a"', ","],
    "scripts": ["日本", "é", "e\u0301", "😀", "\u2028"],
    "nothing and missing": ["", None, "x"],
    "numbers and nothing": ["1", None, "2"],
    "nothing but missing": [None, None],
}


def csv_of(values: list[str | None]) -> bytes:
    quoted = [
        "" if v is None else '"' + v.replace('"', '""') + '"' if not v or set(v) & set('",\r\n') else v for v in values
    ]
    return ("id,value\n" + "".join(f"{row},{value}\n" for row, value in enumerate(quoted))).encode()


@pytest.mark.slow
@pytest.mark.parametrize("values", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("through", ["csv", "json", "json-doc", "parquet", "avro", "orc"])
def test_a_text_comes_back_from_every_format(values: list[str | None], through: str) -> None:
    there = converted(csv_of(values), "csv", through)
    if through == "orc" and values == TEXTS["times"]:
        with pytest.raises(UnsupportedType, match="before 1677 or after 2262"):
            converted(there, through, "csv")
        return
    back = there if through == "csv" else converted(there, through, "csv")

    assert [row[1] for row in cells(back.decode())[1:]] == values


@pytest.mark.slow
@pytest.mark.parametrize("values", TEXTS.values(), ids=TEXTS)
def test_types_do_not_depend_on_order_or_blocks(values: list[str | None]) -> None:
    in_blocks = table(converted(csv_of(values), "csv", "parquet", work=small_work(1)))
    reversed_ = table(converted(csv_of(values[::-1]), "csv", "parquet", work=small_work(1)))
    at_once = table(converted(csv_of(values), "csv", "parquet"))

    assert in_blocks.equals(at_once, check_metadata=True)
    assert reversed_.schema.field("value") == at_once.schema.field("value")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-5"], pa.int64()),
        (["1.5", "2"], pa.float64()),
        (["10.10", "3.99"], pa.decimal128(18, 2)),
        (["12345678901234567890", "1"], pa.decimal128(38, 0)),
        (["1" * 38], pa.decimal128(38, 0)),
        (["1" * 39], pa.string()),
        (["true", "false"], pa.bool_()),
        (["2024-02-29"], pa.date32()),
        (["2024-01-01T10:00:00.123Z"], pa.timestamp("ms", tz="UTC")),
        (["2024-01-01 10:00:00.123456789"], pa.timestamp("ns")),
        (["00501"], pa.string()),
        ([None], pa.string()),
    ],
)
def test_types_are_found(values: list[str | None], expected: pa.DataType) -> None:
    assert table(converted(csv_of(values), "csv", "parquet")).schema.field("value").type == expected


VALUES = {
    "integers": "[1, -9223372036854775808, 9223372036854775807]",
    "an integer beyond int64": "[12345678901234567890, 1]",
    "an integer of hundred digits": "[" + "9" * 100 + ", 1]",
    "an integer of five thousand digits": "[" + "9" * 5000 + ", 1]",
    "one and one point nought": "[1, 1.0]",
    "integers and floats": "[1, 2.5]",
    "floats": "[1.0, 2.5]",
    "an integer that no double holds": "[9007199254740993, 1.5]",
    "digits of money": "[10.10, 3.99]",
    "digits of money, not everywhere": "[10.10, 3.9]",
    "exponents": "[1e5, 1E-7, 2.5]",
    "infinity by overflow": "[1e400, 1]",
    "nothing by underflow": "[1e-400, 1.5]",
    "negative zero": "[-0, 1]",
    "negative zero point nought": "[-0.0, 1.5]",
    "mixed types": '[1, "1", true, null, {"a": [1.0, 1]}, []]',
    "texts that look like others": '["1", "true", "null", "2024-01-01", "", " "]',
    "escapes": r'["\u0000", "\n\t\r\b\f\"\\\/", "\u00e9", "\ud83d\ude00", "\u2028"]',
    "lists": "[[1, 2], [], null, [null]]",
    "lists of several types": '[[1, "a"], [{"b": null}]]',
    "objects": '[{"a": 1, "b": {"c": [1.5]}}, {"a": null, "b": null}, null]',
    "empty objects": "[{}, null]",
    "truth": "[true, false, null]",
    "nothing at all": "[null, null]",
    "names": r'[{"": 1, "a b": 2, "\"": 3, "é": 4, "a.b": 5}]',
    "depth": "[" * 100 + "1" + "]" * 100,
}


def exact(text: str) -> object:
    """A JSON value whose numbers keep their text."""
    return json.loads(text, parse_int=lambda t: ("int", t), parse_float=lambda t: ("float", t.lower()))


@pytest.mark.slow
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("through", ["json", "json-doc", "parquet", "avro", "orc"])
def test_a_json_value_comes_back_from_every_format(values: str, through: str) -> None:
    lines = "\n".join(f'{{"id": {row}, "value": {part}}}' for row, part in enumerate(split(values)))

    there = converted(lines.encode(), "json", through)
    back = there if through == "json" else converted(there, through, "json")

    assert [same_exponents(exact(line)) for line in back.decode().splitlines()] == [
        same_exponents(exact(line)) for line in lines.split("\n")
    ]


def split(values: str) -> list[str]:
    """The elements of a JSON array as their own text."""
    decoder, at, parts = json.JSONDecoder(parse_int=str), 1, []
    while at < len(values) - 1:
        _, end = decoder.raw_decode(values, at)
        parts.append(values[at:end])
        at = end + len(values[end:]) - len(values[end:].lstrip(", "))
    return parts


def same_exponents(value: object) -> object:
    """Numbers that differ only in how their exponent is written made equal."""
    match value:
        case ("float", str(text)) if "e" in text and abs(float(text)) not in {0.0, float("inf")}:
            return ("float", repr(float(text)))
        case ("float", str(text)) if float(text) == 1e5:
            return ("float", repr(float(text)))
        case dict():
            return {name: same_exponents(inner) for name, inner in value.items()}
        case list():
            return [same_exponents(inner) for inner in value]
    return value


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2"], pa.int64()),
        (["1", "2.5"], pa.float64()),
        (["10.10", "3.99"], pa.decimal128(18, 2)),
        (["12345678901234567890"], pa.decimal128(38, 0)),
        (['"2024-01-01"'], pa.string()),
        (["1", '"a"'], pa.string()),
        (["[1]", "[]"], pa.list_(pa.field("element", pa.int64()))),
        (['{"a": true}'], pa.struct([("a", pa.bool_())])),
    ],
)
def test_json_types_are_found_wherever_they_stand(values: list[str], expected: pa.DataType) -> None:
    for order in (values, values[::-1]):
        data = "".join(f'{{"value": {value}}}\n' for value in order).encode()

        assert table(converted(data, "json", "parquet")).schema.field("value").type == expected
