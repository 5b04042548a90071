"""Digests of what shapes one object's output: equal where a change of the configuration changes nothing of it.

A sync's fingerprint covers the whole sync, so it changes for all of its tables if one of them gets another field.
Fields at their default are left out, so that a field that a later version brings changes no digest before it is used.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest_shape(*values: object) -> str:
    """Twelve hexadecimal digits of all that the values say."""
    text = json.dumps(list(map(_to_plain, values)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _to_plain(value: object) -> Any:
    """A value as JSON has it; a dataclass by its name and the fields that are not at their default.

    For example ``WriteOptions(compression=GZIP)`` is ``{"is": "WriteOptions", "compression": "gzip"}``.
    """
    if dataclasses.is_dataclass(value):
        return {"is": type(value).__name__, **_to_plain_fields(value)}
    match value:
        case enum.Enum():
            return value.value
        case Mapping():
            return dict(zip(map(str, value), map(_to_plain, value.values()), strict=True))
        case list() | tuple():
            return list(map(_to_plain, value))
        case set() | frozenset():
            return sorted(map(_to_plain, value), key=repr)
        case None | bool() | int() | float() | str():
            return value
    # Of what is left, such as a datetime or a decimal, the text says all.
    return str(value)


def _to_plain_fields(value: Any) -> dict[str, Any]:
    plain = {}
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        if inner != _get_default(field):
            plain[field.name] = _to_plain(inner)
    return plain


def _get_default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
