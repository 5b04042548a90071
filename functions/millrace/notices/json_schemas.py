"""The JSON Schemas of the events, made of their classes: one file each below ``docs/events``.

``python -m millrace.notices.json_schemas FOLDER`` (``make docs``) writes them.
"""

from __future__ import annotations

import enum
import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from millrace.notices.events import EVENTS, SCHEMA_VERSION, Event, name_in_json

_PLAIN: Mapping[Any, dict[str, str]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
}


def to_schema(event: type[Event]) -> dict[str, Any]:
    """The schema (draft 2020-12) of an event's detail; more fields may come, so others are allowed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event.detail_type,
        **_to_object(event),
    }
    schema["properties"]["schema"] = {"const": SCHEMA_VERSION}
    return schema


def file_name(event: type[Event]) -> str:
    """``object.converted.json`` of an event of that name."""
    return f"{event.name}.json"


def write_schemas(folder: Path) -> None:
    """Bring the files of a folder up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    for event in EVENTS:
        text = json.dumps(to_schema(event), indent=2) + "\n"
        (folder / file_name(event)).write_text(text, encoding="utf-8")


def _to_object(cls: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    properties = {}
    required = []
    for field in fields(cls):
        name = name_in_json(field.name)
        properties[name] = _to_type(hints[field.name])
        if _is_always_there(field, hints[field.name]):
            required.append(name)
    # Dataclasses make a docstring of their signature where a class has none.
    about = str(cls.__doc__).partition("\n\n")[0]
    return {"description": about, "type": "object", "required": required, "properties": properties}


def _is_always_there(field: Field[Any], hint: Any) -> bool:
    """Whether a field is in every event: what may be None is left out if it is not known."""
    is_optional = type(None) in get_args(hint)
    return not is_optional and (field.default is MISSING or field.default is not None)


def _to_type(hint: Any) -> dict[str, Any]:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if is_dataclass(hint) and isinstance(hint, type):
        return _to_object(hint)
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return {"type": "string", "enum": list(map(str, hint))}
    return _to_composed(hint)


def _to_composed(hint: Any) -> dict[str, Any]:
    """Of ``X | None``, ``tuple[X, ...]`` and ``Mapping[str, X]``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {types.UnionType, Union}:
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _to_type(inner)
    if origin is tuple:
        return {"type": "array", "items": _to_type(arguments[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _to_type(arguments[1])}
    raise TypeError(f"{hint} has no schema")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
