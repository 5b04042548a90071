"""Writes ``source/powers_of_ten.h``: each power of ten that a double's text needs, as the 128 bits it begins with.

``python -m millrace.engine.native.powers_of_ten > functions/millrace/engine/native/source/powers_of_ten.h``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

LEAST, MOST = -292, 324
"""From the greatest double, 1.8e308 with 17 digits, to the least, 5e-324."""
_BITS = 128
_HEAD = f"""\
/* Written by millrace.engine.native.powers_of_ten; do not edit.

   10^{LEAST} to 10^{MOST}, each as the {_BITS} bits that it begins with, rounded up (what is exact, too):
   10^k is (high * 2^64 + low) * 2^(floor(log2(10^k)) - {_BITS - 1}) at most, and more than that with low - 1. */
#ifndef MILLRACE_POWERS_OF_TEN_H
#define MILLRACE_POWERS_OF_TEN_H

#include <stdint.h>

enum {{ LEAST_POWER = {LEAST} }};

typedef struct {{
    uint64_t high;
    uint64_t low;
}} PowerOfTen;

static const PowerOfTen powers_of_ten[] = {{
"""
_END = "};\n\n#endif\n"


def first_bits(power: int) -> int:
    """The first 128 bits of 10 to a power, plus one: of 10^1, 1010 in binary, they are 1010 and 124 zeros, plus 1."""
    size: int = 10 ** abs(power)
    if power >= 0:
        excess = size.bit_length() - _BITS
        bits = size >> excess if excess > 0 else size << -excess
    else:
        # 10^-1 = 0.000110011..., from its first 1 on: 2^(128 + 3) / 10 has just 128 bits.
        bits = (1 << (_BITS + size.bit_length() - 1)) // size
    return bits + 1


def lines() -> Iterator[str]:
    """The lines of the header's table."""
    for power in range(LEAST, MOST + 1):
        high, low = divmod(first_bits(power), 2**64)
        yield f"    {{0x{high:016x}, 0x{low:016x}}}, /* {power} */\n"


def header() -> str:
    """The whole header."""
    return _HEAD + "".join(lines()) + _END


if __name__ == "__main__":
    sys.stdout.write(header())
