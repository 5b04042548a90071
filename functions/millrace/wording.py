"""How messages count things and name several of them. It imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TypeVar

K = TypeVar("K")


def count_of(number: int, noun: str) -> str:
    """A number with its noun: ``1 object``, ``2 objects``, ``1,000 entries``."""
    return f"{number:,} {noun if number == 1 else to_plural(noun)}"


def to_plural(noun: str) -> str:
    """The plural of a noun that has a regular one: ``sync`` gives ``syncs``, ``entry`` gives ``entries``."""
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + "s"


def join_names(names: Iterable[str], *, before_last: str = "and") -> str:
    """Names in quotes, as a sentence has them: ``'a', 'b' and 'c'``; ``none`` if there are none."""
    quoted = [repr(str(name)) for name in names]
    if len(quoted) < 2:
        return "".join(quoted) or "none"
    return f"{', '.join(quoted[:-1])} {before_last} {quoted[-1]}"


def list_counts(counts: Mapping[K, int] | Iterable[tuple[K, int]]) -> str:
    """How many of each, in the order given: ``1,204 converted, 3 failed``; nothing for none."""
    pairs = counts.items() if isinstance(counts, Mapping) else counts
    return ", ".join(f"{count:,} {kind}" for kind, count in pairs)


def describe_seconds(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h``, ``2 days``."""
    span = timedelta(seconds=max(0.0, seconds))
    if span < timedelta(minutes=2):
        return f"{span.total_seconds():.0f} s"
    if span < timedelta(hours=2):
        return f"{span // timedelta(minutes=1)} min"
    if span < timedelta(days=2):
        return f"{span // timedelta(hours=1)} h"
    return count_of(span.days, "day")


def describe_size(size: int) -> str:
    """Bytes as people read them, in thousands: ``812 bytes``, ``3.1 GB``."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count_of(size, 'byte')}" if unit == "bytes" else f"{amount:.1f} {unit}"
