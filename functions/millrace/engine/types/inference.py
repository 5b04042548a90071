"""Types found in text, by a rule that may only widen: a type holds only if every value, printed back, is what it was.

What has been seen of a column is *evidence*. Evidence of two parts of a file, put together in either order, is the
evidence of the whole: so a type does not depend on the row of a value, on block sizes or on threads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.options import ColumnType
from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE, FRACTION_DIGITS
from millrace.engine.types.proof import SURE_DIGITS, is_printed_back

_FIRST_DAY = -719162
"""1 January of the year 1, in days since 1970: the years before it are unknown to most readers."""
_SECONDS_A_DAY = 86400
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DECIMAL_DIGITS = (18, 38)
"""Precisions of inferred decimals. Most readers of Parquet stop at 38 digits, and some round what has more."""
MAX_DECIMAL_DIGITS = 76
"""Of Arrow's widest decimal, which has 256 bits."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.([0-9]+))?")
# "2026-01-31T12:00:00", with a space for the T, with 3, 6 or 9 digits of a second, with a Z or without.
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ])[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]{3}|[0-9]{6}|[0-9]{9}))?(Z?)"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Spares most texts the patterns that follow: 0.5, 0, -12 and 2026- go on, while 007, +5 and abc are text at once. The
# last alternative is for years with a leading zero, such as 0987-01-31.
_BEGINS_LIKE_A_NUMBER = re.compile(r"-?(?:0(?![0-9])|[1-9])|[0-9]{4}-")
_BEGINNING = 256
"""Texts of a column that are tried before the others: most kinds that do not fit are contradicted by them."""
_GLANCE = 16
_WHOLE = re.compile("^-?[0-9]+$", re.MULTILINE)
_WHOLE_WITH_POINT = re.compile("^-?[0-9]+[.]0$", re.MULTILINE)
_LONG = 2048
_FEW_OF_THE_BEGINNING = 32
"""A column whose beginning has more different texts is not folded."""
_FOLDS = 8
"""A column is folded where it is long and has this many times more texts than different ones."""
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type for texts, and the form in which its values are printed back."""

    type: pa.DataType
    form: str = ""


TEXT = Kind(pa.string())
INTEGER = Kind(pa.int64())
BOOLEAN = Kind(pa.bool_())
DATE = Kind(pa.date32())
DOUBLE_BARE = Kind(pa.float64(), BARE)
DOUBLE = Kind(pa.float64())
_ALSO_OF_SHORT_INTEGERS = (INTEGER, DOUBLE_BARE, Kind(pa.decimal256(MAX_DECIMAL_DIGITS, 0)))
"""The kinds that integers fit that have no more than the digits that a double keeps."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the texts of one column have in common so far.

    ``kinds`` are those that every text fits, the preferred first; None before the first text. ``digits`` is the most
    digits a text has, for the precision of decimals.
    """

    kinds: tuple[Kind, ...] | None = None
    digits: int = 0

    def observe(self, texts: pa.Array) -> Evidence:
        """What is known with a column's next texts; missing ones tell nothing."""
        if self.kinds == () or texts.null_count == len(texts):
            return self
        candidates = self.kinds
        if candidates is None:
            candidates = _kinds_of(_first(texts))
        longest = _longest(texts)
        return Evidence(_fitting(texts, candidates, longest), max(self.digits, longest))

    def join(self, other: Evidence) -> Evidence:
        """What is known with other texts of the same column."""
        if self.kinds is None or other.kinds is None:
            if self.kinds is None:
                return other
            return self
        # An intersection is the same in any order, so that threads and block sizes cannot change a type.
        common = tuple(kind for kind in self.kinds if kind in other.kinds)
        return Evidence(common, max(self.digits, other.digits))

    def resolve(self) -> Kind:
        """The preferred kind that all fit, or text."""
        kind = self.kinds[0] if self.kinds else TEXT
        if not arrow_types.is_decimal(kind.type):
            return kind
        return decimal(self.digits, kind.type.scale) or TEXT


def _fitting(texts: pa.Array, candidates: tuple[Kind, ...], longest: int) -> tuple[Kind, ...]:
    """Those of the candidates that all texts fit."""
    # If "7" and "1200" are integers of few digits, they are also bare doubles and decimals without a point, and are no
    # dotted doubles: one test answers for four.
    are_short = longest <= SURE_DIGITS
    if are_short and INTEGER in candidates and fit(texts, INTEGER) is not None:
        return tuple(kind for kind in candidates if kind in _ALSO_OF_SHORT_INTEGERS)
    return tuple(kind for kind in candidates if fit(texts, kind) is not None)


@dataclass(frozen=True, slots=True)
class Demanded:
    """What must be known of a column's texts where a configuration demands their type.

    ``whole`` and ``fraction`` are the most digits before and after the point, ``unzoned`` says whether a time of
    no zone was seen.
    """

    type: ColumnType
    whole: int = 0
    fraction: int = 0
    unzoned: bool = False

    @classmethod
    def held_by(cls, wanted: ColumnType, kind: Kind) -> Demanded:
        """All that a kind of the type has room for."""
        if wanted == "decimal":
            return cls(wanted, whole=kind.type.precision - kind.type.scale, fraction=kind.type.scale)
        if wanted == "timestamp":
            return cls(wanted, fraction=FRACTION_DIGITS[kind.type.unit], unzoned=kind.type.tz is None)
        return cls(wanted)

    def observe(self, texts: pa.Array) -> Demanded:
        """What is known with a column's next texts."""
        if self.type not in {"decimal", "timestamp"} or texts.null_count == len(texts):
            return self
        # Digits are counted by what is left when all others are taken away: 12.50 leaves 50, and so two; 12 leaves
        # nothing.
        fraction = pc.max(pc.binary_length(pc.replace_substring_regex(texts, r"^[^.]*\.?([0-9]*).*$", r"\1"))).as_py()
        whole = pc.max(pc.binary_length(pc.replace_substring_regex(texts, r"^[+-]?([0-9]*).*$", r"\1"))).as_py()
        # Z, +02:00 or +0200. One time without a zone decides: to guess its zone could be wrong by hours.
        zoned = pc.all(pc.match_substring_regex(texts, r"(Z|[+-][0-9]{2}:?[0-9]{2})$")).as_py()
        return Demanded(
            self.type, max(self.whole, whole), max(self.fraction, fraction), unzoned=self.unzoned or not zoned
        )

    def join(self, other: Demanded) -> Demanded:
        """What is known with other texts of the same column."""
        whole, fraction = max(self.whole, other.whole), max(self.fraction, other.fraction)
        return Demanded(self.type, whole, fraction, unzoned=self.unzoned or other.unzoned)

    def resolve(self) -> Kind:
        """The kind to read with; values that it cannot hold do not fit."""
        if self.type == "decimal":
            scale = min(self.fraction, MAX_DECIMAL_DIGITS)
            # Types of more than 38 digits are never found, since many readers stop there, but may be demanded.
            return decimal(self.whole + self.fraction, scale) or Kind(pa.decimal256(MAX_DECIMAL_DIGITS, scale))
        if self.type == "timestamp":
            unit = "ns" if self.fraction > FRACTION_DIGITS["us"] else "us"
            zone = None if self.unzoned else "UTC"
            return Kind(pa.timestamp(unit, tz=zone))
        return _DEMANDED[self.type]


def observe_all(evidence: Sequence[Evidence | Demanded], columns: Sequence[pa.Array]) -> list[Evidence | Demanded]:
    """What is known with the next texts of many columns; columns with the same kinds are looked at together."""
    # Twenty columns of which all are integers so far are one array to Arrow: each of its calls has a price, and wide
    # tables have few rows a block. If a text does not fit, each of the twenty is looked at by itself.
    observed = list(evidence)
    alike: dict[tuple[Kind, ...], list[int]] = {}
    for number, item in enumerate(evidence):
        if isinstance(item, Evidence) and item.kinds:
            alike.setdefault(item.kinds, []).append(number)
        else:
            observed[number] = item.observe(columns[number])
    for kinds, numbers in alike.items():
        together = Evidence(kinds).observe(pa.concat_arrays([columns[number] for number in numbers]))
        for number in numbers:
            if together.kinds == kinds:
                observed[number] = Evidence(kinds, _longest(columns[number]))
            else:
                observed[number] = evidence[number].observe(columns[number])
    return observed


def infer(texts: pa.Array) -> Kind:
    """The kind of a whole column: what its evidence resolves to."""
    return guess([texts])


def guess(parts: Sequence[pa.Array]) -> Kind:
    """A kind that a column's first part fits, and no kind is preferred to it that all parts of it can fit."""
    parts = [part for part in parts if part.null_count < len(part)]
    if not parts:
        return TEXT
    for kind in _kinds_of(_first(parts[0])):
        if not _fits_in_steps(parts[0], kind):
            continue
        # A decimal is made wide enough for all parts, though only the first one was tried: digits are counted at once.
        if not arrow_types.is_decimal(kind.type):
            return kind
        return decimal(max(map(_longest, parts)), kind.type.scale) or TEXT
    return TEXT


class Candidates:
    """The kinds that a column can have by its first text, one after the other: the preferred first, text last."""

    def __init__(self, parts: Sequence[pa.Array]) -> None:
        self._parts = [part for part in parts if part.null_count < len(part)]
        kinds: tuple[Kind, ...] = ()
        if self._parts:
            kinds = _kinds_of(_first(self._parts[0]))
        if len(kinds) > 1:
            kinds = _drop_contradicted(kinds, self._parts[0])
        self._kinds = iter(kinds)

    @property
    def is_blank(self) -> bool:
        """Whether the column has no text at all."""
        return not self._parts

    def next_kind(self) -> Kind:
        """The next kind; a decimal has room for all texts."""
        kind = next(self._kinds, TEXT)
        if not arrow_types.is_decimal(kind.type):
            return kind
        return decimal(max(map(_longest, self._parts)), kind.type.scale) or TEXT


def _drop_contradicted(kinds: tuple[Kind, ...], texts: pa.Array) -> tuple[Kind, ...]:
    """Those of a number's kinds that some of the first texts may have."""
    # Each kind that is tried in vain costs a small file 0.4 ms: of 0, 0.5 and 2.0 the first is an integer, the second
    # is none, and the third is no bare double, which would be printed as 2.
    beginning = "\n".join(texts.slice(0, _GLANCE).drop_null().to_pylist())
    contradicted = set[Kind]()
    if "." in beginning:
        contradicted.add(INTEGER)
    if _WHOLE_WITH_POINT.search(beginning):
        contradicted.add(DOUBLE_BARE)
    if _WHOLE.search(beginning):
        contradicted.add(DOUBLE)
    return tuple(kind for kind in kinds if kind not in contradicted)


def _fits_in_steps(texts: pa.Array, kind: Kind) -> bool:
    """Whether all texts fit; a beginning is tried first, since most kinds that do not fit fail soon."""
    if fit(texts.slice(0, _BEGINNING), kind) is None:
        return False
    return len(texts) <= _BEGINNING or fit(texts, kind) is not None


def _longest(texts: pa.Array) -> int:
    longest: int = pc.max(pc.binary_length(texts)).as_py() or 0
    return longest


def decimal(digits: int, scale: int) -> Kind | None:
    """The decimal type for numbers of at most so many digits; few types, so that few files widen theirs."""
    for most in _DECIMAL_DIGITS:
        if digits <= most and scale <= most:
            return Kind(pa.decimal128(most, scale))
    return None


def fit(texts: pa.Array, kind: Kind) -> pa.Array | None:
    """The texts as values of the kind, or None where one of them would not be printed back as it is."""
    if kind == TEXT:
        return texts
    try:
        values = pc.cast(texts, kind.type)
        same = _in_range(values) and is_printed_back(values, kind.form, texts)
    except pa.ArrowInvalid:
        return None
    if not same:
        return None
    return values


def fit_all(columns: Sequence[pa.Array], kind: Kind) -> list[pa.Array] | None:
    """``fit`` of columns that shall have one kind: as one column, because each call of Arrow has its price.

    Of texts that come again and again each is looked at once, where that is more work than to find them.
    """
    if kind == TEXT:
        return list(columns)
    # A column of 50,000 prices has some 900 different texts: each is cast once, and 50,000 numbers are taken from 900.
    folds = [_fold_dear(column, kind) for column in columns]
    texts = [_distinct(column, fold) for column, fold in zip(columns, folds, strict=True)]
    values = fit(_concat(texts), kind)
    if values is None:
        return None
    fitted, start = list[pa.Array](), 0
    for part_texts, fold in zip(texts, folds, strict=True):
        part = values.slice(start, len(part_texts))
        if fold is not None:
            part = part.take(fold.indices)
        fitted.append(part)
        start += len(part_texts)
    return fitted


def _concat(arrays: list[pa.Array]) -> pa.Array:
    if len(arrays) == 1:
        return arrays[0]
    return pa.concat_arrays(arrays)


def _distinct(column: pa.Array, fold: pa.DictionaryArray | None) -> pa.Array:
    if fold is None:
        return column
    return fold.dictionary


def _fold_dear(texts: pa.Array, kind: Kind) -> pa.DictionaryArray | None:
    if not _is_dear(kind):
        return None
    return _fold(texts)


def _is_dear(kind: Kind) -> bool:
    return bool(arrow_types.is_floating(kind.type) or arrow_types.is_decimal(kind.type))


def _fold(texts: pa.Array) -> pa.DictionaryArray | None:
    """A long column's different texts and which is where, where there are few."""
    if len(texts) < _LONG or len(texts.slice(0, _BEGINNING).unique()) > _FEW_OF_THE_BEGINNING:
        return None
    encoded = texts.dictionary_encode()
    if len(encoded.dictionary) * _FOLDS > len(texts):
        return None
    return encoded


def _in_range(values: pa.Array) -> bool:
    if arrow_types.is_floating(values.type):
        return pc.all(pc.is_finite(values)).as_py() is not False
    if arrow_types.is_date(values.type):
        return not pc.any(pc.less(values.cast(pa.int32()), _FIRST_DAY)).as_py()
    if arrow_types.is_timestamp(values.type):
        first = _FIRST_DAY * _SECONDS_A_DAY * _PER_SECOND[values.type.unit]
        # Nanoseconds in 64 bits begin in 1677, long after the first day: nothing of them needs a look.
        return values.type.unit == "ns" or not pc.any(pc.less(values.cast(pa.int64()), first)).as_py()
    return True


def _first(texts: pa.Array) -> str:
    # A search over a whole column that is mostly there would cost a pass: its beginning nearly always has a text.
    beginning = texts.slice(0, _BEGINNING).drop_null()
    if not len(beginning):
        beginning = texts.slice(pc.index(pc.is_valid(texts), value=True).as_py())
    first: str = beginning[0].as_py()
    return first


def _kinds_of(text: str) -> tuple[Kind, ...]:
    """The kinds that a column with this text can have, the preferred first."""
    if text in {"true", "false"}:
        return (BOOLEAN,)
    if match := _TIMESTAMP.fullmatch(text):
        return (_kind_of_timestamp(match),)
    if not _BEGINS_LIKE_A_NUMBER.match(text):
        return ()
    if _DATE.fullmatch(text):
        return (DATE,)
    return _kinds_of_number(_NUMBER.fullmatch(text))


def _kind_of_timestamp(match: re.Match[str]) -> Kind:
    """The kind of a timestamp, of which "2026-01-31T12:00:00.125Z" has the separator T, three digits and a zone."""
    separator, fraction, zone = match[1], match[2] or "", match[3]
    unit = _UNITS[len(fraction)]
    form = f"{separator}{len(fraction)}{zone}"
    if zone:
        return Kind(pa.timestamp(unit, tz="UTC"), form)
    return Kind(pa.timestamp(unit), form)


def _kinds_of_number(match: re.Match[str] | None) -> tuple[Kind, ...]:
    """Doubles, which alone may have an exponent, and what a plain number such as "12" or "1.50" may be besides."""
    doubles: tuple[Kind, ...] = (DOUBLE_BARE, DOUBLE)
    if match is None:
        return doubles
    scale = len(match[1] or "")
    kinds = doubles
    if scale < MAX_DECIMAL_DIGITS:
        kinds = (*doubles, Kind(pa.decimal256(MAX_DECIMAL_DIGITS, scale)))
    if match[1] is None:
        return (INTEGER, *kinds)
    return kinds


_DEMANDED: dict[ColumnType, Kind] = {
    "text": TEXT,
    "integer": INTEGER,
    "float": DOUBLE,
    "boolean": BOOLEAN,
    "date": DATE,
}


def demand(kind: Kind, texts: pa.Array) -> pa.Array:
    """The texts as values of a kind that was demanded; raise pa.ArrowInvalid where one does not fit."""
    if kind == TEXT:
        return texts
    values = pc.cast(texts, kind.type)
    # Arrow reads 0xFF as 255. Whoever demands integers means decimal ones, and 0xFF is put aside or refused.
    if kind == INTEGER and pc.any(pc.match_substring(texts, "x", ignore_case=True)).as_py():
        raise pa.ArrowInvalid("hexadecimal")
    # It takes the year 0 as well, which is printed as +000000.
    if arrow_types.is_temporal(kind.type) and pc.any(pc.starts_with(texts, "0000-")).as_py():
        raise pa.ArrowInvalid("the year 0")
    if kind == DOUBLE and not _keeps_digits(values, texts):
        raise pa.ArrowInvalid("a double holds fewer digits")
    return values


def _keeps_digits(values: pa.Array, texts: pa.Array) -> bool:
    """Whether doubles, printed back, are the numbers that the texts say; zeros at a number's end are no matter."""
    # 15 digits survive any double, so that only what is longer, or has an exponent, is looked at one by one:
    # 12345678901234567890.25 would be printed back as 12345678901234567000.
    is_long = pc.greater(pc.binary_length(texts), SURE_DIGITS)
    has_exponent = pc.match_substring_regex(texts, "[0-9][eE]")
    doubtful = pc.fill_null(pc.or_(is_long, has_exponent), fill_value=False)
    pairs = zip(texts.filter(doubtful).to_pylist(), values.filter(doubtful).to_pylist(), strict=True)
    return all(_is_same_number(text, value) for text, value in pairs)


def _is_same_number(text: str, value: float) -> bool:
    if math.isnan(value):
        return True  # texts may say it in several ways: C's libraries print nan(0x8000000000000)
    try:
        return Decimal(text) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond all bounds: 1e-99999999999999999999
        return False


def misfits(kind: Kind, texts: pa.Array) -> list[int]:
    """The positions of the texts that are no values of a demanded kind."""
    if _is_demandable(kind, texts):
        return []
    # Arrow says that a cast fails, and not where. Of 10,000 texts with one misfit this takes about 28 casts, most of
    # few texts.
    half = len(texts) // 2
    if not half:
        return [0]
    return misfits(kind, texts.slice(0, half)) + [half + at for at in misfits(kind, texts.slice(half))]


def _is_demandable(kind: Kind, texts: pa.Array) -> bool:
    try:
        demand(kind, texts)
    except pa.ArrowInvalid:
        return False
    return True
