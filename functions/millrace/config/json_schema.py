"""The JSON Schema of the configuration file, for editors and for the reference."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from millrace.config.base import Section, all_sections
from millrace.config.document import Document
from millrace.mappings import pick

_NULL = {"type": "null"}
_ABOUT = ("description", "title", "default", "examples", "x-mark", "x-when")


def schema() -> dict[str, Any]:
    """Export the schema (draft 2020-12); blanks mean "not given" in it, as they do in the file."""
    exported = Document.model_json_schema(mode="validation")
    exported["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    exported["title"] = "Millrace configuration"
    sections = {section.__name__: section for section in all_sections()}
    _allow_what_is_read(exported, Document)
    for name, definition in exported["$defs"].items():
        if section := sections.get(name):
            _allow_what_is_read(definition, section)
            exported["$defs"][name] = _or_text(definition) if section.shorthand else definition
    return exported


def _allow_what_is_read(definition: dict[str, Any], section: type[Section]) -> None:
    required = definition.get("required", [])
    properties = definition["properties"]
    for name, property_schema in properties.items():
        if name not in required:
            properties[name] = _or_blank(property_schema)
    for synonym, name in section.synonyms.items():
        properties[synonym] = properties[name]
        if name in required:
            required.remove(name)
            # Either name will do, so that neither of them is required alone.
            definition["anyOf"] = [{"required": [name]}, {"required": [synonym]}]
    for name, why in section.read_only.items():
        properties[name] = {"enum": ["", None], "description": f"Read-only: {why}.", "readOnly": True, "x-mark": "doc"}


def _or_blank(property_schema: dict[str, Any]) -> dict[str, Any]:
    about = pick(property_schema, *_ABOUT)
    rest = {key: value for key, value in property_schema.items() if key not in about}
    choices = list(rest["anyOf"]) if set(rest) == {"anyOf"} else [rest]
    # An optional field has it: None is among the blanks already.
    if _NULL in choices:
        choices.remove(_NULL)
    return {**about, "anyOf": [*choices, {"enum": ["", None]}]}


def _or_text(definition: dict[str, Any]) -> dict[str, Any]:
    return {"description": definition["description"], "anyOf": [{"type": "string", "minLength": 1}, definition]}


@cache
def schema_text() -> str:
    """Write the schema as it is shipped."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
