"""The published schemas of events, each made and checked once for all tests of a process."""

from __future__ import annotations

import json

import jsonschema

from millrace.notices.events import Event
from millrace.notices.json_schemas import to_schema


def check_event(event: Event) -> None:
    """Raise jsonschema.ValidationError if what is sent of an event is not what its schema says."""
    kind = type(event)
    if kind not in _VALIDATORS:
        _VALIDATORS[kind] = _make_validator(kind)
    _VALIDATORS[kind].validate(json.loads(json.dumps(event.to_detail())))


_VALIDATORS: dict[type[Event], jsonschema.Draft202012Validator] = {}


def _make_validator(kind: type[Event]) -> jsonschema.Draft202012Validator:
    schema = to_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
