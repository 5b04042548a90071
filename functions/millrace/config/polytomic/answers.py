"""Texts of JSON to the objects in them: what each is, and where it was found."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from millrace.config import reading
from millrace.config.base import is_blank
from millrace.config.polytomic.remarks import RemarkKind, Remarks
from millrace.config.problems import kind_of
from millrace.errors import InvalidConfiguration


class AnswerKind(enum.StrEnum):
    """What an object of an answer is."""

    CONNECTION = "connection"
    MODEL = "model"
    BULK_SYNC = "bulk sync"
    MODEL_SYNC = "model sync"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class AnswerObject:
    """One object; ``origin`` is its file and place, such as ``syncs.json: data[3]``, ``file`` the file's name alone."""

    kind: AnswerKind
    file: str
    origin: str
    fields: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The vendor's id; nothing if it has none."""
        return str(self.fields.get("id") or "")

    @property
    def label(self) -> str:
        """The object as people know it: ``bulk sync 'orders'``."""
        return f"{self.kind} {str(self.fields.get('name') or self.id or self.origin)!r}"


_MARKS: tuple[tuple[AnswerKind, tuple[set[str], ...]], ...] = (
    (AnswerKind.BULK_SYNC, ({"source_connection_id"}, {"destination_connection_id"})),
    (AnswerKind.MODEL, ({"connection_id"},)),
    (AnswerKind.CONNECTION, ({"configuration", "type"},)),
    (
        AnswerKind.SCHEMA,
        ({"id", "enabled"}, {"id", "fields"}, {"id", "filters"}, {"id", "partition_key"}, {"id", "tracking_field"}),
    ),
)
"""Fields that tell what an object is: the first kind of which it has all of a set."""
_COLLECTIONS = ("connections", "models", "bulk_syncs", "model_syncs", "syncs", "schemas")
"""Lists that a person may have put into one object."""


def read_answers(text: str, file: str, remarks: Remarks) -> list[AnswerObject]:
    """The objects of a text: one answer, or several behind each other.

    Raises:
        InvalidConfiguration: it is no JSON, an error instead of an answer, or one page of several.
    """
    objects: list[AnswerObject] = []
    for number, value in enumerate(reading.read_json_values(text, file)):
        origin = f"{file}: " if number == 0 else f"{file} (answer {number + 1}): "
        objects += _find_objects(value, file, origin, remarks)
    return objects


def _find_objects(value: object, file: str, origin: str, remarks: Remarks) -> Iterator[AnswerObject]:
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _find_objects(part, file, f"{origin}[{index}]", remarks)
        return
    if not isinstance(value, Mapping):
        raise InvalidConfiguration(f"{origin} found {kind_of(value)}; expected an object or a list of objects")
    kind = _kind_of_object(value)
    lists = [name for name in ("data", *_COLLECTIONS) if isinstance(value.get(name), list | Mapping)]
    if kind:
        yield AnswerObject(kind, file, origin, value)
    elif lists:
        yield from _find_in_envelope(value, lists, file, origin, remarks)
    else:
        _remark_on_stranger(value, origin, remarks)


def _remark_on_stranger(value: Mapping[str, Any], origin: str, remarks: Remarks) -> None:
    _refuse_errors(value, origin)
    names = ", ".join(map(str, value)) or "none"
    text = f"neither a connection nor a model, a bulk sync, a schema of one, or a model sync; its fields: {names}"
    remarks.add(RemarkKind.PASSED_OVER, origin.strip(": "), text)


def _find_in_envelope(
    value: Mapping[str, Any], inner: list[str], file: str, origin: str, remarks: Remarks
) -> Iterator[AnswerObject]:
    _refuse_pages(value, origin)
    for name in value.keys() - {*inner, "pagination"}:
        remarks.add(RemarkKind.LEFT_OUT, origin.strip(": "), "beside the objects of an answer", field=str(name))
    for name in inner:
        yield from _find_objects(value[name], file, f"{origin}{name}", remarks)


def _kind_of_object(fields: Mapping[str, Any]) -> AnswerKind | None:
    """What an object is, by the fields that it alone has."""
    if isinstance(fields.get("target"), Mapping):
        return AnswerKind.MODEL_SYNC
    for kind, names in _MARKS:
        if any(fields.keys() >= marks for marks in names):
            return kind
    return None


def _refuse_errors(value: Mapping[str, Any], origin: str) -> None:
    """An error of the API, such as ``{"status": 401, "message": "…"}``, would be an answer without objects."""
    if isinstance(value.get("status"), int) and "message" in value:
        raise InvalidConfiguration(f"{origin}an error of the API with status {value['status']}; ask for it again")


def _refuse_pages(value: Mapping[str, Any], origin: str) -> None:
    pagination = value.get("pagination")
    token = pagination.get("next_page_token") if isinstance(pagination, Mapping) else None
    if not is_blank(token):
        raise InvalidConfiguration(
            f"{origin}one page of several: there is a next_page_token. Ask for the next pages with page_token, and give"
            " them together; remove pagination from a page that has all its followers here"
        )
