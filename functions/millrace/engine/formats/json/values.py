"""One JSON value at a place in a text, exactly: numbers keep their digits, names may not repeat."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NoReturn

from millrace.engine.formats.json.types import Number, text_of

# Characters beyond U+FFFF are two escapes, 😀 is \ud83d\ude00: each alone is half of one and cannot be written.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NEGATIVE_ZERO = re.compile(r"-0(?![.0-9eE])")
_INT_DIGITS = 4000
"""Integers with more digits are kept as text: Python makes none of text with more than 4,300 (its limit against
CVE-2020-10735)."""
_NEAR_THE_END = 16
"""An error this near to the end of what has been read may come from what has not: the longest literal is shorter."""
_LITERALS = ("true", "false", "null", "-")
Row = dict[str, Any]
Scan = Callable[[str, int], tuple[Any, int]]


class NotJson(ValueError):
    """The text is no JSON value, or stops within one; ``at`` is the place of the trouble."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


class Refused(ValueError):
    """The text is a JSON value, or nearly so, that would not be kept as it is; its text says why."""


class _Repeated(ValueError):
    """A name is twice in one object."""


class _NotANumber(ValueError):
    """NaN or an infinity, which Python's parser takes and JSON does not."""


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) != len(pairs):
        count = Counter(name for name, _ in pairs)
        raise _Repeated(next(name for name, _ in pairs if count[name] > 1))
    return row


def _constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _integer(text: str) -> int | Number:
    # Python has no integer -0, and refuses to convert very long ones: both stay the text that they are.
    if text == "-0" or len(text) > _INT_DIGITS:
        return Number(text)
    return int(text)


def _scan_of(decoder: json.JSONDecoder) -> Scan:
    scan: Scan = decoder.scan_once  # type: ignore[attr-defined] # not in typeshed
    return scan


_scan = _scan_of(json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_constant=_constant))
_scan_odd = _scan_of(
    json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_int=_integer, parse_constant=_constant)
)
_scan_anything = _scan_of(json.JSONDecoder(parse_float=str, parse_int=str))


def has_odd_integers(text: str) -> bool:
    """Whether there may be integers that Python's have no equal of."""
    return "-0" in text and _NEGATIVE_ZERO.search(text) is not None


def has_surrogates(text: str) -> bool:
    """Whether there are escapes of halves of characters."""
    return "\\u" in text and _SURROGATE.search(text) is not None


def value(text: str, begin: int, *, odd: bool) -> tuple[Any, int]:
    """The value that begins here, and its end; ``odd``: integers may be odd. Raise NotJson or Refused."""
    try:
        if odd:
            return _scan_value(_scan_odd, text, begin)
        return _scan_value(_scan, text, begin)
    except _Repeated as error:
        raise Refused(f"the name {str(error)[:100]!r} stands twice in one object") from None
    except _NotANumber as error:
        raise Refused(f"{error} is not JSON; write it as a string or as null") from None
    except (NotJson, Refused):
        raise
    except ValueError:  # an integer of more digits than Python converts without being asked
        return value(text, begin, odd=True)


def any_value(text: str, begin: int) -> tuple[Any, int]:
    """Like ``value``, also of one that is refused for what it says; its numbers are texts."""
    return _scan_value(_scan_anything, text, begin)


def may_be_cut_off(error: NotJson, text: str) -> bool:
    """Whether the trouble may come from what has not been read yet."""
    return error.reason.startswith("Unterminated") or error.at >= len(text) - _NEAR_THE_END


def is_unfinished(reason: str, rest: str) -> bool:
    """Whether the text, which has been read to its end, stops within a value; ``rest`` is what is in the trouble."""
    # tru, -, "caf\\u00 and "caf are cut off if nothing follows; in the midst of a file they are no JSON.
    rest = rest.strip()
    if any(literal.startswith(rest) for literal in _LITERALS):
        return True
    return reason.startswith("Unterminated") or (reason.startswith("Invalid \\u") and '"' not in rest)


def end_of_value(text: str, begin: int) -> int:
    """Where the value ends that begins here, also one that is refused for what it says; raise NotJson or Refused."""
    return _scan_value(_scan_anything, text, begin)[1]


def _scan_value(scan: Scan, text: str, begin: int) -> tuple[Any, int]:
    try:
        return scan(text, begin)
    except StopIteration as stop:
        raise NotJson("no JSON value stands here", int(stop.value)) from None
    except json.JSONDecodeError as error:
        raise NotJson(error.msg, error.pos) from None
    except RecursionError:
        raise Refused("values are nested deeper than any that can be read") from None


def lone_surrogate(row: Row) -> str | None:
    """The escape of half of a character, if there is one in a row."""
    try:
        text_of(row).encode()
    except UnicodeEncodeError as error:
        return f"\\u{ord(error.object[error.start]):04x}"
    return None
