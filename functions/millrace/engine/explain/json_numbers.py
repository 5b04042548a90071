"""What is seen of a JSON field's numbers: the first that each narrower type would not keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.explain.facts import Sight, WhyNot, shown
from millrace.engine.explain.measures import first_that
from millrace.engine.formats.json.types import Kept, Number, Numbers, Value
from millrace.engine.types import arrow_types
from millrace.engine.types.inference import decimal
from millrace.engine.types.printing import JSON, form_of

_MOST_CHARACTERS = 38
_TOO_LONG = f"more than {_MOST_CHARACTERS} characters"
_FORMS = ("bare", "dotted")
_LOSSES = (Kept.NOT, Kept.AS_VALUE)
_INTEGER_BOUNDS: dict[str, Callable[[int], bool]] = {
    "int64": lambda value: -(2**63) <= value < 2**63,
    "exact": lambda value: Numbers().resolve(min(value, 0), max(value, 0), whole=True) is not None,
    "decimal": lambda value: decimal(len(str(value)), 0) is not None,
}


def _value_of(end: tuple[float, str]) -> float:
    return end[0]


def _row_of(sight: Sight) -> int:
    return sight.row


class NumbersSeen:
    """What has been seen of a field's numbers."""

    def __init__(self) -> None:
        self._known = Numbers()
        self._sights: dict[str, Sight] = {}
        self._first: dict[type, Sight] = {}
        self._limits: tuple[tuple[float, str], tuple[float, str]] | None = None

    def observe(self, values: Sequence[Value], rows: Sequence[int], kinds: set[type]) -> None:
        """Add those of the values that are numbers."""
        for kind, look in ((int, self._observe_integers), (Number, self._observe_written)):
            if kind not in kinds:
                continue
            # Most columns have one kind alone, and need no copy.
            if kinds != {kind}:
                look(*_values_of(kind, values, rows))
            else:
                look(values, rows)

    @property
    def limits(self) -> tuple[str, str] | None:
        """The least and the greatest number."""
        if self._limits is None:
            return None
        return self._limits[0][1], self._limits[1][1]

    def _limit(self, low: tuple[float, str], high: tuple[float, str]) -> None:
        least, most = self._limits or (low, high)
        self._limits = min(least, low, key=_value_of), max(most, high, key=_value_of)

    def _observe_integers(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        self._first.setdefault(int, Sight(rows[0], str(values[0])))
        low, high = min(values), max(values)
        self._limit((low, shown(str(low))), (high, shown(str(high))))
        for name, holds in _INTEGER_BOUNDS.items():
            if name not in self._sights and not (holds(low) and holds(high)):
                at = list(map(holds, values)).index(False)
                self._sights[name] = Sight(rows[at], shown(str(values[at])))

    def _observe_written(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        texts = pa.array(values, pa.string())
        self._first.setdefault(Number, Sight(rows[0], str(values[0])))
        doubles = pc.cast(texts, pa.float64())
        ends = pc.min_max(doubles)
        low, high = ((end.as_py(), shown(values[pc.index(doubles, end).as_py()])) for end in ends.values())
        self._limit(low, high)
        first = self._known
        # The first number says how many digits the others should have behind the point: 1.50 says two.
        if first.scale is None:
            first = Numbers().observe(texts.slice(0, 1))
        self._known = self._known.observe(texts)
        for name, is_so in _tests_of_written(first.scale).items():
            if name not in self._sights and is_so(texts):
                position = first_that(texts, is_so)
                self._sights[name] = Sight(rows[position], shown(values[position]))

    def why_not(self, field: pa.Field) -> list[WhyNot]:
        """Why the type of numbers is no narrower one."""
        if arrow_types.is_integer(field.type) or not self._first:
            return []
        reasons = [self._not_integer()]
        if arrow_types.is_floating(field.type):
            return reasons
        is_raw = form_of(field) == JSON
        # A decimal is preferred to a double that keeps the value alone, as 1.5 of 1.50; JSON text comes where none
        # keeps even that.
        if Number in self._first:
            reasons.append(self._not_float({True: Kept.NOT, False: Kept.AS_VALUE}[is_raw]))
        if is_raw:
            reasons.append(self._not_decimal())
        return reasons

    def _not_integer(self) -> WhyNot:
        if written := self._first.get(Number):
            return WhyNot("integer", written.row, shown(written.value))
        sight = self._sights["int64"]
        return WhyNot("integer", sight.row, shown(sight.value), "beyond 64 bits")

    def _not_float(self, kept: Kept) -> WhyNot:
        """Each of the two forms of doubles has a number that it does not keep: the later one settles it."""
        ends = (("bare", self._sights.get("exact")), ("dotted", self._first.get(int)))
        fails = [_earliest(self._sights.get(_at(form, kept)), integer) for form, integer in ends]
        earlier, sight = min(fails, key=_row_of), max(fails, key=_row_of)
        if sight.value == earlier.value:
            return WhyNot("float", sight.row, shown(sight.value), "a double would print it back otherwise")
        reason = f"row {earlier.row:,} has {shown(earlier.value)!r}: no way to print doubles gives both back"
        return WhyNot("float", sight.row, shown(sight.value), reason)

    def _not_decimal(self) -> WhyNot:
        if Number not in self._first:
            sight = self._sights["decimal"]
            return WhyNot("decimal", sight.row, shown(sight.value), _TOO_LONG)
        written = self._first[Number]
        if int in self._first:
            earlier, later = sorted((self._first[int], written), key=_row_of)
            reason = f"row {earlier.row:,} has {shown(earlier.value)!r}: integers beside numbers with a point"
            return WhyNot("decimal", later.row, shown(later.value), reason)
        sight = _earliest(self._sights.get("scale"), self._sights.get("long"))
        reason = f"row {written.row:,} has {shown(written.value)!r}: not as many digits after the point"
        if len(sight.value) > _MOST_CHARACTERS:
            reason = _TOO_LONG
        elif "e" in sight.value.lower():
            reason = "it has an exponent"
        return WhyNot("decimal", sight.row, shown(sight.value), reason)


def _earliest(*sights: Sight | None) -> Sight:
    return min((sight for sight in sights if sight), key=_row_of)


def _at(form: str, kept: Kept) -> str:
    return f"{form} kept {kept.name}"


def _tests_of_written(scale: int | None) -> dict[str, Callable[[pa.Array], bool]]:
    """What rules a type out, by its name among the sights; each is so of a part as soon as it is of one number."""
    tests: dict[str, Callable[[pa.Array], bool]] = {
        "scale": partial(_has_another_scale, scale),
        "long": _has_long_number,
    }
    for form in _FORMS:
        for level in _LOSSES:
            tests[_at(form, level)] = partial(_is_kept_at_most, form, level)
    return tests


def _has_another_scale(scale: int | None, texts: pa.Array) -> bool:
    return (Numbers(scale=scale).observe(texts).scale or 0) < 0


def _has_long_number(texts: pa.Array) -> bool:
    return Numbers().observe(texts).digits > _MOST_CHARACTERS


def _values_of(kind: type, values: Sequence[Value], rows: Sequence[int]) -> tuple[list[Value], list[int]]:
    """The values of one kind, and their rows."""
    chosen, rows_of_chosen = list[Value](), list[int]()
    for value, row in zip(values, rows, strict=True):
        if type(value) is kind:
            chosen.append(value)
            rows_of_chosen.append(row)
    return chosen, rows_of_chosen


def _is_kept_at_most(form: str, kept: Kept, texts: pa.Array) -> bool:
    worst: Kept = getattr(Numbers().observe(texts), form)
    return worst <= kept
