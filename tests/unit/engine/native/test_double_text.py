"""The kernel's doubles are those of `printing`: shortest, and in the same forms."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from millrace.engine.formats.text.shapes import RowShape
from millrace.engine.native.library import SOURCES
from millrace.engine.native.powers_of_ten import LEAST, MOST, first_bits, header
from millrace.engine.native.rendering import render
from millrace.engine.types.printing import BARE, plain, with_form
from tests.unit.engine.native.kernels import require_kernel

FRACTIONS = (0, 1, 2, 2**51 - 1, 2**51, 2**51 + 1, 2**52 - 2, 2**52 - 1)
EXPONENTS = range(2047)


def _of_bits(patterns: Iterable[int]) -> pa.Array:
    return pa.array(list(patterns), pa.uint64()).view(pa.float64())


def _powers_of_two_and_their_neighbours() -> pa.Array:
    return _of_bits(exponent << 52 | fraction for exponent in EXPONENTS for fraction in FRACTIONS)


def _least_doubles() -> pa.Array:
    return _of_bits([*range(3000), *(2**power + step for power in range(12, 52) for step in (-1, 0, 1))])


def _powers_of_ten_and_their_neighbours() -> pa.Array:
    digits = ("1", "2", "5", "9", "9.5", "1.2345678901234567", "9.999999999999999")
    patterns = set[int]()
    for power in range(-324, 309):
        for text in digits:
            (bits,) = struct.unpack("<Q", struct.pack("<d", float(f"{text}e{power}")))
            patterns.update(range(max(bits - 1, 0), min(bits + 2, 0x7FF << 52)))
    return _of_bits(patterns)


def _random_doubles() -> pa.Array:
    source = random.Random(1)
    return _of_bits(source.getrandbits(64) for _ in range(100_000))


def _amounts() -> pa.Array:
    source = random.Random(2)
    return pa.array([source.randrange(10 ** source.randrange(1, 18)) / 100 for _ in range(50_000)])


def _whole_numbers() -> pa.Array:
    source = random.Random(3)
    return pa.array([float(2 ** source.randrange(50, 70) + source.randrange(2**20)) for _ in range(50_000)])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["", BARE])
@pytest.mark.parametrize(
    "make",
    [
        _powers_of_two_and_their_neighbours,
        _least_doubles,
        _powers_of_ten_and_their_neighbours,
        _random_doubles,
        _amounts,
        _whole_numbers,
    ],
    ids=lambda make: make.__name__.strip("_"),
)
def test_doubles_are_printed_alike(make: Callable[[], pa.Array], form: str) -> None:
    values = make()
    schema = pa.schema([with_form(pa.field("a", pa.float64()), form)])
    batch = pa.RecordBatch.from_arrays([values], schema=schema)

    text = render(require_kernel(), batch, schema, RowShape.CSV_LINES)

    assert text is not None
    lines = pa.array(b"".join(map(bytes, text.pieces)).decode().splitlines())
    differing = values.filter(pc.not_equal(lines, plain(values, form)))
    assert differing.to_pylist() == []


def test_the_table_of_powers_is_the_one_that_its_script_writes() -> None:
    assert (SOURCES / "powers_of_ten.h").read_text(encoding="utf-8") == header()


@pytest.mark.parametrize("power", [LEAST, -1, 1, 38, 39, MOST])
def test_powers_are_rounded_up_by_at_most_one_unit(power: int) -> None:
    bits = first_bits(power)
    shift = 127 - ((power * 1741647) >> 19)  # 10^power * 2^shift has 128 bits before the point
    exact = Fraction(10) ** power * Fraction(2) ** shift

    assert 2**127 < bits < 2**128
    assert 0 < bits - exact <= 1


def test_logarithms_by_multiplication_are_right_for_all_exponents() -> None:
    for q in range(-1074, 972):
        assert (q * 1262611) >> 22 == _floor_log10(2 ** (q + 1074), 2**1074)
        assert (q * 1262611 - 524031) >> 22 == _floor_log10(3 * 2 ** (q + 1074), 4 * 2**1074)
    for k in range(LEAST, MOST + 1):
        whole = 10**k if k >= 0 else 10**-k
        assert (k * 1741647) >> 19 == (whole.bit_length() - 1 if k >= 0 else -whole.bit_length())


def _floor_log10(numerator: int, denominator: int) -> int:
    power = len(str(numerator)) - len(str(denominator))
    scaled = 10 ** abs(power)
    is_reached = numerator >= denominator * scaled if power >= 0 else numerator * scaled >= denominator
    return power if is_reached else power - 1
