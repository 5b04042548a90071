"""Models, and the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.config.model import ModelConfiguration
from millrace.config.polytomic.fields import VendorFields
from millrace.config.polytomic.remarks import RemarkKind

_REASONS = {
    "type": "the connection says it",
    "enricher": "there are no enrichments: files are converted, not looked up elsewhere",
    "relations": "there are no relations between models",
    "tracking_columns": "changes are found by object, and an object that changed is read whole",
}
_OF_FIELDS = ("description", "example", "label", "remote_type", "type", "unique", "id", "name")
"""What the API says of a field from the values that it saw."""


@dataclass(frozen=True, slots=True)
class ModelNames:
    """A model's name here, and its fields' names by the vendor's ids."""

    name: str
    fields: Mapping[str, str]

    def name_field(self, id_or_name: str) -> str:
        """A field's name; what is no id is a name already."""
        return self.fields.get(id_or_name, id_or_name)


def to_model(fields: VendorFields, name: str, connection: str) -> tuple[dict[str, Any], ModelNames]:
    """The raw model, and the names that its syncs refer to."""
    for field in ("name", "connection_id", "type"):
        fields.take(field)
    configuration = fields.take_object("configuration")
    raw: dict[str, Any] = {"name": name, "connection": connection}
    if given := configuration.take_known(frozenset(ModelConfiguration.model_fields)):
        raw["configuration"] = given
    configuration.leave_out_rest({})
    names = _take_field_names(fields)
    if names:
        raw["fields"] = list(dict.fromkeys(names.values()))
    if identifier := fields.take("identifier"):
        raw["identifier"] = names.get(str(identifier), identifier)
    fields.leave_out_rest(_REASONS)
    return raw, ModelNames(name, names)


def _take_field_names(fields: VendorFields) -> dict[str, str]:
    """The fields' names by their ids, in order; a field that somebody added there is in no file."""
    names: dict[str, str] = {}
    for field in fields.take_objects("fields", shorthand="name"):
        name, field_id = field.take("name"), field.take("id")
        chosen = name or field_id
        if field.take("user_added"):
            text = f"{chosen!r} was added by hand and is in no file"
            fields.remarks.add(RemarkKind.LEFT_OUT, fields.item, text, field="fields[]")
        elif chosen:
            names[str(field_id or name)] = str(chosen)
        else:
            fields.block("one of its fields has neither a name nor an id")
        _note_what_was_seen(field)
    return names


def _note_what_was_seen(field: VendorFields) -> None:
    for known in _OF_FIELDS:
        if field.take(known) is not None:
            field.remarks.note_bookkeeping(f"fields[].{known}")
    field.leave_out_rest({})
