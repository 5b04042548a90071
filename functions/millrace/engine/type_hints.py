"""The types that a configuration gives to columns (``type_hints``), as they are written; without pyarrow."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_DIGITS = 38
"""Of a decimal: what Parquet's readers have in common."""
_PLAIN = ("text", "integer", "float", "boolean", "date")
_UNITS = ("ms", "us", "ns")
_DECIMAL = re.compile(r"decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)")
# timestamp, timestamp(ns), timestamptz( ms ).
_TIMESTAMP = re.compile(r"(timestamp|timestamptz)(?:\(\s*([a-z]+)\s*\))?")
EXPECTED = (
    "text, integer, decimal(DIGITS,SCALE), float, boolean, date, timestamp (without a zone) or timestamptz (instants),"
    " the last two also as timestamp(ns) or timestamp(ms)"
)


@dataclass(frozen=True, slots=True)
class TypeHint:
    """One type: its name, of a decimal its digits and how many follow the point, of times their unit."""

    name: str
    digits: int = 0
    scale: int = 0
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> TypeHint:
        """Read a type as it is written; raise ValueError that says what was expected."""
        written = text.strip().lower()
        if written in _PLAIN:
            return cls(written)
        if match := _DECIMAL.fullmatch(written):
            return _decimal(text, int(match[1]), int(match[2]))
        match = _TIMESTAMP.fullmatch(written)
        if match and (match[2] or "us") in _UNITS:
            return cls(match[1], unit=match[2] or "us")
        raise ValueError(f"{text!r} is no type; expected {EXPECTED}")

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.digits},{self.scale})"
        if self.unit and self.unit != "us":
            return f"{self.name}({self.unit})"
        return self.name


def _decimal(text: str, digits: int, scale: int) -> TypeHint:
    if not (1 <= digits <= MOST_DIGITS and scale <= digits):
        raise ValueError(f"{text!r}: a decimal has 1 to {MOST_DIGITS} digits, and no more of them behind the point")
    return TypeHint("decimal", digits=digits, scale=scale)
