"""What Arrow's JSON parser lets pass although it would not read it as it is, found by one search over the text.

A search finds whatever could be such a thing, in texts too, where it is none: it may find too much, never too little.
"""

from __future__ import annotations

import enum
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from millrace.printing import BARE

_NO_ROW = r"\}\s*null"
"""Arrow takes it for a row of nothing. (As the first row it would end the process: text has to begin with a brace.)"""
_NEGATIVE_ZERO = r"[:,\[]\s*-0[^.0-9eE]"
_LONG = "-?[0-9.]{17}"
"""Numbers of more digits than a double surely gives back."""
_EXPONENT_BEHIND_POINT = "[0-9]*[eE]"
_DOTTED = rf"-?[0-9]+(?:[^.0-9]|\.(?:{_EXPONENT_BEHIND_POINT}|[0-9]+0[^0-9]))|{_LONG}"
_BARE = rf"-?[0-9]+(?:[eE]|\.(?:{_EXPONENT_BEHIND_POINT}|[0-9]*0[^0-9]))|{_LONG}"
_WHOLE_DECIMAL = "-?[0-9]+[.eE]"
_IN_LIST = r'(?:[^"{}]*[\[,])?'
_QUOTED = r'\s*"|[^"{}]*\[[^\]"{}]*"'
_UNSPELLABLE = re.compile(r'[\x00-\x1f"\\\x7f]')
_ESCAPED = b"\\u00"
_ESCAPED_NAME = r'\\u00[2-7][0-9a-fA-F](?:[^"\\]|\\.)*"\s*:'


class Found(enum.Enum):
    """What a search has found."""

    NOTHING = enum.auto()
    DOUBLES = enum.auto()
    """Numbers that a double may not give back, where doubles are wanted."""
    OTHER = enum.auto()


class Unspellable(ValueError):
    """A name of so many spellings that it cannot be searched for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Numbers that a name stands before, and the type and form that they are wanted in."""

    name: str
    type: pa.DataType
    form: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """The patterns to look for: ``sure`` is nothing to be helped, ``doubles`` can be looked at number by number."""

    sure: str
    doubles: str
    by_name: bool

    def look(self, text: bytes) -> Found:
        """Search a text."""
        data = pa.array([text], pa.binary())
        if self.by_name and _ESCAPED in text and _matches(data, _ESCAPED_NAME):
            return Found.OTHER
        if not _matches(data, f"{self.sure}|{self.doubles}" if self.doubles else self.sure):
            return Found.NOTHING
        return Found.OTHER if not self.doubles or _matches(data, self.sure) else Found.DOUBLES


def search(wanted: Iterable[Wanted]) -> Search:
    """The search for what could be misread where these numbers are wanted; raise Unspellable."""
    names = defaultdict[tuple[pa.DataType, str], set[str]](set)
    for one in wanted:
        names[one.type, one.form].add(one.name)
    sure, doubles = [_NO_ROW], list[str]()
    for (kind, form), group in sorted(names.items(), key=str):
        if pa.types.is_floating(kind):
            doubles.append(_behind(group, _IN_LIST + r"\s*(?:" + (_BARE if form == BARE else _DOTTED) + ")"))
        elif pa.types.is_decimal(kind):
            sure.append(_behind(group, _IN_LIST + r"\s*(?:" + _decimal(kind.scale) + ")"))
            sure.append(_behind(group, f"(?:{_QUOTED})"))
    if any(_may_be_whole(kind, form) for kind, form in names):
        sure.append(_NEGATIVE_ZERO)
    return Search("|".join(sure), "|".join(doubles), by_name=any(not pa.types.is_integer(kind) for kind, _ in names))


def _may_be_whole(kind: pa.DataType, form: str) -> bool:
    return form == BARE or bool(pa.types.is_integer(kind)) or (bool(pa.types.is_decimal(kind)) and kind.scale == 0)


def _decimal(scale: int) -> str:
    if scale == 0:
        return _WHOLE_DECIMAL
    too_few, too_many = rf"[0-9]{{0,{scale - 1}}}[^0-9]", rf"[0-9]{{{scale + 1}}}"
    return rf"-?[0-9]+(?:[^.0-9]|\.(?:{too_few}|{too_many}|{_EXPONENT_BEHIND_POINT}))|-0\.0+[^0-9]"


def _behind(names: Iterable[str], pattern: str) -> str:
    spelt = "|".join(_spelt(name) for name in sorted(names))
    return rf'"(?:{spelt})"\s*:{pattern}'


def _spelt(name: str) -> str:
    """A name as JSON may write it, but for escapes of what is ASCII: these are searched for on their own."""
    if _UNSPELLABLE.search(name):
        raise Unspellable(name)
    return "".join(map(_spelt_character, name))


def _spelt_character(character: str) -> str:
    if character == "/":
        return r"\\?/"
    if character.isascii():
        return re.escape(character)
    units = character.encode("utf-16-be").hex()
    escaped = "".join(rf"\\u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))
    return f"(?:{character}|{escaped})"


def _matches(data: pa.Array, pattern: str) -> bool:
    found: bool = pc.match_substring_regex(data, pattern)[0].as_py()
    return found


_REGION = rb'\s*:([^"{}]*)'
_NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")


def numbers(text: bytes, name: str) -> Sequence[bytes]:
    """All numbers behind a name, in lists too, in the order of the text; a name that is escaped is passed over."""
    quoted = re.escape(b'"' + name.encode() + b'"')
    # What is behind the name begins in a text where its quote is escaped.
    regions = re.findall(quoted + rb"(?<!\\" + quoted + b")" + _REGION, text)
    return _NUMBER.findall(b",".join(regions))
