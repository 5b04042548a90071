"""What is seen of a CSV column: its type by the very evidence that conversion uses, and the values that decided it."""

from __future__ import annotations

import re
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.explain.facts import ColumnFacts, Sight, WhyNot, shown
from millrace.engine.explain.measures import TextLengths, ends, first_that
from millrace.engine.types import arrow_types, inference
from millrace.engine.types.printing import plain, with_form
from millrace.errors import UnsupportedType

_WHOLE = re.compile(r"-?[0-9]+")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.([0-9]+))?")
_DECIMAL_CHARACTERS = (18, 38)
"""The most of the two precisions that decimals get."""
_MOST = _DECIMAL_CHARACTERS[-1]
_FAMILIES = ("integer", "float", "decimal", "boolean", "date", "timestamp")


class CsvColumn:
    """What has been seen of one column; it changes as texts are observed."""

    def __init__(self, name: str, evidence: inference.Evidence | inference.Demanded) -> None:
        self._name = name
        self._evidence = evidence
        self._first: Sight | None = None
        self._begun: tuple[inference.Kind, ...] = ()
        self._misfits: dict[inference.Kind, Sight] = {}
        self._long: dict[int, Sight] = {}
        self._missing = 0
        self._texts = TextLengths()
        self._limits: tuple[str, str] | None = None

    def observe(self, texts: pa.Array, row: int) -> None:
        """Add the column's next texts, the first of them in that row."""
        self._missing += texts.null_count
        if texts.null_count == len(texts):
            return
        self._texts.observe(texts)
        if isinstance(self._evidence, inference.Demanded):
            self._evidence = self._evidence.observe(texts)
            return
        if self._first is None:
            self._begin(texts, row)
        self._long_decimals(texts, row)
        # A kind that is gone behind these texts was contradicted by one of them: that text is what a person wants to
        # see.
        before = self._begun if self._evidence.kinds is None else self._evidence.kinds
        self._evidence = self._evidence.observe(texts)
        after = self._evidence.kinds or ()
        for kind in before:
            if kind not in after:
                at = first_that(texts, partial(_has_misfit, kind))
                self._misfits[kind] = Sight(row + at, texts[at].as_py())
        self._limit(texts)

    def _begin(self, texts: pa.Array, row: int) -> None:
        at = pc.index(pc.is_valid(texts), value=True).as_py()
        self._first = Sight(row + at, texts[at].as_py())
        self._begun = inference.Evidence().observe(texts.slice(at, 1)).kinds or ()

    def _long_decimals(self, texts: pa.Array, row: int) -> None:
        if self._first_begun(arrow_types.is_decimal) is None:
            return
        for most in _DECIMAL_CHARACTERS:
            if most not in self._long:
                at = pc.index(pc.greater(pc.binary_length(texts), most), value=True).as_py()
                if at >= 0:
                    self._long[most] = Sight(row + at, texts[at].as_py())

    def _limit(self, texts: pa.Array) -> None:
        kinds = self._evidence.kinds if isinstance(self._evidence, inference.Evidence) else None
        if not kinds or kinds[0] == inference.BOOLEAN:
            self._limits = None
            return
        preferred = kinds[0]
        # The ends so far are printed texts: cast once more, since the kind may have changed since.
        limits = pa.array(self._limits or (), pa.string())
        values = pa.concat_arrays([pc.cast(limits, preferred.type), pc.cast(texts, preferred.type)])
        low, high = plain(ends(values), preferred.form).to_pylist()
        self._limits = low, high

    def explain(self, notes: tuple[str, ...]) -> ColumnFacts:
        """The column with its type."""
        kind = self._evidence.resolve()
        return ColumnFacts(
            name=self._name,
            field=with_form(pa.field(self._name, _in_parquet(kind.type)), kind.form),
            why_not=tuple(self._why_not(kind)),
            missing=self._missing,
            empty=self._texts.empty,
            lengths=self._texts.lengths,
            limits=None if kind == inference.TEXT else self._limits,
            first_row=self._first.row if self._first else None,
            notes=notes,
        )

    def _why_not(self, kind: inference.Kind) -> list[WhyNot]:
        if self._first is None or isinstance(self._evidence, inference.Demanded):
            return []
        if kind == inference.TEXT:
            return list(map(self._not, _FAMILIES))
        if arrow_types.is_decimal(kind.type):
            reasons = [self._not("integer"), self._not("float")]
            if narrow := self._long.get(_DECIMAL_CHARACTERS[0]):
                reasons.append(WhyNot("decimal of 18 digits", narrow.row, shown(narrow.value)))
            return reasons
        if arrow_types.is_floating(kind.type):
            return [self._not("integer")]
        return []

    def _not(self, family: str) -> WhyNot:
        if family == "float":
            return self._not_float()
        kinds = {
            "integer": inference.INTEGER,
            "boolean": inference.BOOLEAN,
            "date": inference.DATE,
            "decimal": self._first_begun(arrow_types.is_decimal),
            "timestamp": self._first_begun(arrow_types.is_timestamp),
        }
        kind = kinds[family]
        sight = self._misfit(kind)
        return WhyNot(family, sight.row, shown(sight.value), self._reason(family, kind, sight))

    def _first_begun(self, is_of_family: arrow_types.TypeQuestion) -> inference.Kind | None:
        """The first kind of a family that the column's first value may have."""
        return next((kind for kind in self._begun if is_of_family(kind.type)), None)

    def _misfit(self, kind: inference.Kind | None) -> Sight:
        assert self._first is not None  # noqa: S101 # asked only where there is a value
        if kind is None or kind not in self._begun:
            return self._first
        # Of the kinds that all values fit only a decimal can be given up: where it would have too many digits.
        return self._misfits.get(kind) or self._long[_MOST]

    def _reason(self, family: str, kind: inference.Kind | None, sight: Sight) -> str:
        assert self._first is not None  # noqa: S101 # as above
        if family == "decimal":
            return self._reason_of_decimal(kind, sight)
        if family == "timestamp" and kind is not None:
            return f"row {self._first.row:,} has {shown(self._first.value)!r}, written otherwise"
        if kind == inference.INTEGER and _WHOLE.fullmatch(sight.value) and _print_back(sight.value, kind) is None:
            return "beyond 64 bits"
        return _back(sight.value, kind)

    def _reason_of_decimal(self, kind: inference.Kind | None, sight: Sight) -> str:
        assert self._first is not None  # noqa: S101 # as above
        digits = _digits(sight.value)
        if kind is None or digits is None:
            return _back(sight.value, kind or inference.Kind(pa.decimal256(inference.MAX_DECIMAL_DIGITS, digits or 0)))
        if digits == _digits(self._first.value):
            return _back(sight.value, kind) or f"more than {_MOST} characters"
        return f"{digits} digits after the point, row {self._first.row:,} has {_digits(self._first.value)}"

    def _not_float(self) -> WhyNot:
        sights = [(self._misfit(kind), kind) for kind in (inference.DOUBLE_BARE, inference.DOUBLE)]
        (earlier, _), (later, kind) = sorted(sights, key=lambda pair: pair[0].row)
        reason = _back(later.value, kind)
        text = pa.array([later.value], pa.string())
        # 1 and 2.0 contradict one form of doubles each: neither alone is at fault.
        if any(not _has_misfit(one, text) for _, one in sights):
            reason = f"row {earlier.row:,} has {shown(earlier.value)!r}: whole numbers with a point and without"
        return WhyNot("float", later.row, shown(later.value), reason)


def _in_parquet(kind: pa.DataType) -> pa.DataType:
    """Parquet's timestamps have three, six or nine digits; the form says how many are written."""
    if arrow_types.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", tz=kind.tz)
    return kind


def _has_misfit(kind: inference.Kind, texts: pa.Array) -> bool:
    return inference.fit(texts, kind) is None


def _digits(text: str) -> int | None:
    match = _PLAIN_NUMBER.fullmatch(text)
    if match is None:
        return None
    return len(match[1] or "")


def _print_back(text: str, kind: inference.Kind) -> str | None:
    try:
        back: str = plain(pc.cast(pa.array([text], pa.string()), kind.type), kind.form)[0].as_py()
    except (pa.ArrowInvalid, UnsupportedType):
        return None
    return back


def _back(text: str, kind: inference.Kind | None) -> str:
    """What would be printed of a text, were it of a kind; empty where it is no value of it at all."""
    if kind is None:
        return ""
    back = _print_back(text, kind)
    if back in {None, text}:
        return ""
    return f"printed back it would be {shown(str(back))!r}"
