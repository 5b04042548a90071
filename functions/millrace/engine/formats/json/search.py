"""What Arrow's JSON parser lets pass although it would not read it as it is, found by one search over the text.

A search finds whatever could be such a thing, in texts too, where it is none: it may find too much, never too little.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from millrace.engine.types import arrow_types
from millrace.engine.types.printing import BARE

_NO_ROW = r"\}\s*null"
"""Arrow takes it for a row of nothing. (As the first row it would end the process: text has to begin with a brace.)"""
# -0 is an integer to Arrow, and 0 when it is printed; -0.0 and -0e1 are not meant, since a double keeps the sign.
_NEGATIVE_ZERO = r"[:,\[]\s*-0[^.0-9eE]"
_HINT_OF_NEGATIVE_ZERO = r"-0[,}\]\s]"
# 17 characters may be 16 digits and a point; a double keeps any 15 digits, and many of 16 (IEEE 754, binary64).
_LONG = "-?[0-9.]{17}"
"""Numbers of more digits than a double surely gives back."""
_EXPONENT_BEHIND_POINT = "[0-9]*[eE]"
# What a double that is printed with a point would not give back: 5 (it prints 5.0), 5e3, 1.5e3, 1.50 (it prints 1.5),
# and what may have too many digits. 1.5 and 2.0 do not match.
_DOTTED = rf"-?[0-9]+(?:[^.0-9]|\.(?:{_EXPONENT_BEHIND_POINT}|[0-9]+0[^0-9]))|{_LONG}"
# The same for a double that is printed without a point if it is whole: 5 is given back, 5.0 is not, nor 1.50 or 5e3.
_BARE = rf"-?[0-9]+(?:[eE]|\.(?:{_EXPONENT_BEHIND_POINT}|[0-9]*0[^0-9]))|{_LONG}"
_WHOLE_DECIMAL = "-?[0-9]+[.eE]"
# After a name and its colon: the way to any item of lists, [1, [2.50 as well as [2.50; it passes no quote and no brace.
_IN_LIST = r'(?:[^"{}]*[\[,])?'
# A text where a number is wanted, as the value ("price": "1.50") or in a list of it ("prices": [2, "1.50").
_QUOTED = r'\s*"|[^"{}]*\[[^\]"{}]*"'
_MOST_NAMES = 1000
_FEW_NAMES = 3
"""Up to so many names are found sooner one by one than all at once."""
_UNSPELLABLE = re.compile(r'[\x00-\x1f"\\\x7f]')
# A name with an ASCII character written as an escape, "pri\u0063e": its numbers would be searched for in vain.
_ESCAPED_NAME = r'\\u00[2-7][0-9a-fA-F](?:[^"\\]|\\.)*"\s*:'


class Unsearchable(ValueError):
    """Names of so many spellings, or so many names, that they are not to be searched for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Numbers that a name stands before, and the type and form that they are wanted in."""

    name: str
    type: pa.DataType
    form: str = ""

    @property
    def may_be_whole(self) -> bool:
        """Whether integers are among them, which ``-0`` is not: Arrow reads it as 0."""
        if self.form == BARE or arrow_types.is_integer(self.type):
            return True
        return arrow_types.is_decimal(self.type) and self.type.scale == 0


@dataclass(frozen=True, slots=True)
class _Sign:
    """A pattern, and a quicker one that matches wherever it does: one that begins with a text is searched for fast."""

    hint: str
    pattern: str

    def is_in(self, data: pa.Array) -> bool:
        """Whether the pattern matches the text."""
        return _matches(data, self.hint) and (self.hint == self.pattern or _matches(data, self.pattern))


def _is_any_in(signs: Iterable[_Sign], data: pa.Array) -> bool:
    return any(sign.is_in(data) for sign in signs)


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for.

    What the signs ``sure`` stand for cannot be helped. ``dotted`` and ``bare`` are the names of doubles: their numbers
    can be looked at one by one. ``by_name``: it matters how names are written.
    """

    sure: tuple[_Sign, ...]
    dotted: frozenset[str]
    bare: frozenset[str]
    by_name: bool

    def look(self, text: bytes) -> frozenset[str] | None:
        """The names of doubles that need to be looked at one by one, or None where that would not help."""
        # The text as an array of one value, without a copy: Arrow's search (RE2) takes time in proportion to the text,
        # and lets go of the interpreter while it searches.
        data = pa.Array.from_buffers(
            pa.binary(), 1, [None, pa.array([0, len(text)], pa.int32()).buffers()[1], pa.py_buffer(text)]
        )
        hides_names = self.by_name and _matches(data, _ESCAPED_NAME)
        if hides_names or _is_any_in(self.sure, data):
            return None
        return _odd(data, self.dotted, _DOTTED) | _odd(data, self.bare, _BARE)

    def leaving_out(self, names: frozenset[str]) -> Search:
        """The search that does not look for doubles of these names."""
        return replace(self, dotted=self.dotted - names, bare=self.bare - names)


def search(wanted: Collection[Wanted]) -> Search:
    """The search for what could be misread where these numbers are wanted; raise Unsearchable."""
    sure = [_Sign(_NO_ROW, _NO_ROW), *_signs_of_decimals(wanted)]
    if any(numbers.may_be_whole for numbers in wanted):
        sure.append(_Sign(_HINT_OF_NEGATIVE_ZERO, _NEGATIVE_ZERO))
    bare, dotted = _names_of_doubles(wanted)
    _behind(dotted | bare, "")  # refuses names that cannot be spelt
    names = {numbers.name for numbers in wanted if not arrow_types.is_integer(numbers.type)}
    if len(names) > _MOST_NAMES:
        raise Unsearchable
    return Search(tuple(sure), dotted, bare, by_name=bool(names))


def _names_of_doubles(wanted: Collection[Wanted]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of doubles that are printed as 5 if they are whole, and of those that are printed as 5.0."""
    bare, dotted = set[str](), set[str]()
    for numbers in wanted:
        if not arrow_types.is_floating(numbers.type):
            continue
        if numbers.form == BARE:
            bare.add(numbers.name)
        else:
            dotted.add(numbers.name)
    return frozenset(bare), frozenset(dotted)


def _signs_of_decimals(wanted: Collection[Wanted]) -> list[_Sign]:
    decimals = defaultdict[int, set[str]](set)
    for numbers in wanted:
        if arrow_types.is_decimal(numbers.type):
            decimals[numbers.type.scale].add(numbers.name)
    signs = list[_Sign]()
    for scale, names in sorted(decimals.items()):
        # Arrow takes a decimal in quotes, too: {"price": "1.50"} would become the number 1.50.
        signs += _behind(names, rf"(?:{_IN_LIST}\s*(?:{_decimal(scale)})|{_QUOTED})")
    return signs


def _odd(data: pa.Array, names: frozenset[str], pattern: str) -> frozenset[str]:
    """The names that a number of the pattern follows."""
    # Most texts have nothing odd. One search for all names says so, and each name is searched for only if it does not.
    behind = rf"{_IN_LIST}\s*(?:{pattern})"
    if len(names) > _FEW_NAMES and not _is_any_in(_behind(names, behind), data):
        return frozenset()
    return frozenset(name for name in names if _is_any_in(_behind({name}, behind), data))


def _decimal(scale: int) -> str:
    if scale == 0:
        return _WHOLE_DECIMAL
    # For a scale of 2: too few digits (1.5 and a comma), too many (1.505), none (1), an exponent (1.5e3), and -0.00,
    # which a decimal gives back as 0.00.
    too_few, too_many = rf"[0-9]{{0,{scale - 1}}}[^0-9]", rf"[0-9]{{{scale + 1}}}"
    return rf"-?[0-9]+(?:[^.0-9]|\.(?:{too_few}|{too_many}|{_EXPONENT_BEHIND_POINT}))|-0\.0+[^0-9]"


def _behind(names: Collection[str], pattern: str) -> list[_Sign]:
    """The signs that one of the names has the pattern behind it."""
    spelt = list(map(_spelt, sorted(names)))
    if len(names) > _FEW_NAMES:
        together = rf'"(?:{"|".join(spelt)})"\s*:{pattern}'
        return [_Sign(together, together)]
    # Quotes are everywhere: without the first the text that a pattern begins with is rarer.
    signs = list[_Sign]()
    for name in spelt:
        signs.append(_Sign(rf'{name}"\s*:{pattern}', rf'"{name}"\s*:{pattern}'))
    return signs


def _spelt(name: str) -> str:
    """A name as JSON may write it, but for escapes of what is ASCII: these are searched for on their own."""
    if _UNSPELLABLE.search(name):
        raise Unsearchable(name)
    return "".join(map(_spelt_character, name))


def _spelt_character(character: str) -> str:
    # The one character that JSON may escape by a backslash and need not (RFC 8259, 7).
    if character == "/":
        return r"\\?/"
    if character.isascii():
        return re.escape(character)
    units = character.encode("utf-16-be").hex()
    # JSON writes an escape for each unit of UTF-16: \u20ac is a euro sign, \ud83d\ude00 a smiling face.
    escaped = re.sub("(....)", r"\\\\u(?i:\1)", units)
    return f"(?:{character}|{escaped})"


def _matches(data: pa.Array, pattern: str) -> bool:
    return bool(pc.match_substring_regex(data, pattern)[0].as_py())


_DIGITS = rb"-?[0-9][0-9.eE+-]*"
_REGION = rb'\s*:([^"{}]*)'
_ANY_NUMBER = re.compile(_DIGITS)


def numbers(text: bytes, name: str, *, in_lists: bool) -> Sequence[bytes]:
    """All numbers behind a name, in the order of the text; where the name is written with escapes they are left out."""
    quoted = re.escape(b'"' + name.encode() + b'"')
    # Where its quote is escaped, the name is but the end of another one: "b" in {"a\\"b": 1}.
    # Looked back at only where the name was found: a lookbehind in front would be tried at every byte.
    begin = quoted + rb"(?<!\\" + quoted + b")"
    if not in_lists:
        return re.findall(begin + rb"\s*:\s*(" + _DIGITS + b")", text)
    return _ANY_NUMBER.findall(b",".join(re.findall(begin + _REGION, text)))
