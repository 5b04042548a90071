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
            if kinds != {kind}:
                pairs = [(value, row) for value, row in zip(values, rows, strict=True) if type(value) is kind]
                look([value for value, _ in pairs], [row for _, row in pairs])
            else:
                look(values, rows)

    @property
    def limits(self) -> tuple[str, str] | None:
        """The least and the greatest number."""
        return (self._limits[0][1], self._limits[1][1]) if self._limits else None

    def _limit(self, low: tuple[float, str], high: tuple[float, str]) -> None:
        known = self._limits or (low, high)
        self._limits = min(known[0], low, key=lambda end: end[0]), max(known[1], high, key=lambda end: end[0])

    def _observe_integers(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        self._first.setdefault(int, Sight(rows[0], str(values[0])))
        low, high = min(values), max(values)
        self._limit((low, shown(str(low))), (high, shown(str(high))))
        for name, holds in _INTEGER_BOUNDS.items():
            if name not in self._sights and not (holds(low) and holds(high)):
                at = next(place for place, value in enumerate(values) if not holds(value))
                self._sights[name] = Sight(rows[at], shown(str(values[at])))

    def _observe_written(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        texts = pa.array(values, pa.string())
        self._first.setdefault(Number, Sight(rows[0], str(values[0])))
        doubles = pc.cast(texts, pa.float64())
        found = pc.min_max(doubles)
        low, high = ((end.as_py(), shown(values[pc.index(doubles, end).as_py()])) for end in found.values())
        self._limit(low, high)
        before = self._known
        begun = Numbers(scale=before.scale) if before.scale is not None else Numbers().observe(texts.slice(0, 1))
        self._known = before.observe(texts)
        tests: dict[str, Callable[[pa.Array], bool]] = {
            **{_at(form, level): partial(_is_kept_at_most, form, level) for form in _FORMS for level in _LOSSES},
            "scale": lambda part: (Numbers(scale=begun.scale).observe(part).scale or 0) < 0,
            "long": lambda part: Numbers().observe(part).digits > _MOST_CHARACTERS,
        }
        for name, is_so in tests.items():
            if name not in self._sights and is_so(texts):
                at = first_that(texts, is_so)
                self._sights[name] = Sight(rows[at], shown(values[at]))

    def why_not(self, field: pa.Field) -> list[WhyNot]:
        """Why the type of numbers is no narrower one."""
        if arrow_types.is_integer(field.type) or not self._first:
            return []
        integer = self._first.get(Number) or self._sights["int64"]
        reason = "" if Number in self._first else "beyond 64 bits"
        found = [WhyNot("integer", integer.row, shown(integer.value), reason)]
        if arrow_types.is_floating(field.type):
            return found
        if Number in self._first:
            found.append(self._not_float(Kept.NOT if form_of(field) == JSON else Kept.AS_VALUE))
        if form_of(field) == JSON:
            found.append(self._not_decimal())
        return found

    def _not_float(self, kept: Kept) -> WhyNot:
        """Each of the two forms of doubles has a number that it does not keep: the later one settles it."""
        ends = (("bare", self._sights.get("exact")), ("dotted", self._first.get(int)))
        fails = [_earliest(self._sights.get(_at(form, kept)), integer) for form, integer in ends]
        sight = max(fails, key=lambda fail: fail.row)
        other = min(fails, key=lambda fail: fail.row)
        if sight.value == other.value:
            return WhyNot("float", sight.row, shown(sight.value), "a double would print it back otherwise")
        reason = f"row {other.row:,} has {shown(other.value)!r}: no way to print doubles gives both back"
        return WhyNot("float", sight.row, shown(sight.value), reason)

    def _not_decimal(self) -> WhyNot:
        if Number not in self._first:
            sight = self._sights["decimal"]
            return WhyNot("decimal", sight.row, shown(sight.value), _TOO_LONG)
        written = self._first[Number]
        if int in self._first:
            earlier, later = sorted((self._first[int], written), key=lambda sight: sight.row)
            reason = f"row {earlier.row:,} has {shown(earlier.value)!r}: integers beside numbers with a point"
            return WhyNot("decimal", later.row, shown(later.value), reason)
        sight = _earliest(self._sights.get("scale"), self._sights.get("long"))
        other = f"row {written.row:,} has {shown(written.value)!r}: not as many digits after the point"
        reasons = ((len(sight.value) > _MOST_CHARACTERS, _TOO_LONG), ("e" in sight.value.lower(), "it has an exponent"))
        return WhyNot(
            "decimal", sight.row, shown(sight.value), next((reason for is_so, reason in reasons if is_so), other)
        )


def _earliest(*sights: Sight | None) -> Sight:
    return min((sight for sight in sights if sight), key=lambda sight: sight.row)


def _at(form: str, kept: Kept) -> str:
    return f"{form} kept {kept.name}"


def _is_kept_at_most(form: str, kept: Kept, texts: pa.Array) -> bool:
    worst: Kept = getattr(Numbers().observe(texts), form)
    return worst <= kept
