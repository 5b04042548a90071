"""What a person gave twice. It imports nothing of Millrace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def find_repeats(names: Iterable[K]) -> list[K]:
    """The names that are given more than once, each once, in the order in which they first come.

    For example ``b a c a b`` gives ``b a``.
    """
    return [name for name, times in Counter(names).items() if times > 1]
