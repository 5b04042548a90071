"""What mappings lack. It imports nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Named(Protocol):
    """What has a name that is unique among its kind, such as a connection or a sync."""

    @property
    def name(self) -> str:
        """Its name."""


N = TypeVar("N", bound=Named)


def leave_out_none(fields: Mapping[K, V | None]) -> dict[K, V]:
    """Only what is known, in the same order: ``{"a": 0, "b": None}`` gives ``{"a": 0}``."""
    return {name: value for name, value in fields.items() if value is not None}


def leave_out_empty(fields: Mapping[K, V | None]) -> dict[K, V]:
    """Only what says something: no None, no empty text, list or mapping, no zero."""
    return {name: value for name, value in fields.items() if value}


def pick(fields: Mapping[K, V], *names: K) -> dict[K, V]:
    """The fields of these names, as far as there are any, in the order of the names."""
    return {name: fields[name] for name in names if name in fields}


def get_fields(item: object, *names: str) -> dict[str, Any]:
    """What an object has under these names: of ``Point(1, 2)`` the name ``x`` gives ``{"x": 1}``."""
    return {name: getattr(item, name) for name in names}


def by_name(items: Iterable[N]) -> dict[str, N]:
    """Things by their names, in the same order; of two with one name, the last."""
    return {item.name: item for item in items}
