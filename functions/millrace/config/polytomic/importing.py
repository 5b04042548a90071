"""Answers to a configuration: names for ids, what cannot be had passed over with its reason, the rest validated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from millrace.config.base import Section, is_blank
from millrace.config.bulk_sync import BulkSync
from millrace.config.connection import Connection
from millrace.config.document import parse
from millrace.config.model import Model
from millrace.config.model_sync import ModelSync
from millrace.config.polytomic.answers import AnswerKind, AnswerObject
from millrace.config.polytomic.bulk_syncs import to_bulk_sync
from millrace.config.polytomic.connections import to_connection
from millrace.config.polytomic.fields import BOOKKEEPING, VendorFields
from millrace.config.polytomic.model_syncs import find_model_ids, to_model_sync
from millrace.config.polytomic.models import ModelNames, to_model
from millrace.config.polytomic.names import NameBook
from millrace.config.polytomic.remarks import RemarkKind, Remarks
from millrace.config.problems import lines_of
from millrace.errors import InvalidConfiguration
from millrace.mappings import leave_out_empty

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImportedConfiguration:
    """``document`` is raw, by its lists; ``problems`` are what is wrong with it yet, empty if it is valid."""

    document: Mapping[str, Sequence[Raw]]
    problems: Sequence[str]


def import_answers(answers: Iterable[AnswerObject], remarks: Remarks, *, keeps_inactive: bool) -> ImportedConfiguration:
    """Make a configuration of the vendor's answers; ``remarks`` get whatever is not in it, and why.

    ``keeps_inactive``: syncs that are switched off come along, switched off; without it they are passed over.

    Raises:
        InvalidConfiguration: two answers differ about one thing, or nothing says whose schemas are meant.
    """
    work = _Importing(remarks, keeps_inactive=keeps_inactive)
    objects = _give_schemas_to_syncs(_join_repeats(answers))
    for kind in _ORDER:
        for answer in objects:
            if answer.kind is kind:
                work.take(answer)
    document = leave_out_empty(work.lists)
    return ImportedConfiguration(document, _find_problems(document))


_ORDER = (AnswerKind.CONNECTION, AnswerKind.MODEL, AnswerKind.BULK_SYNC, AnswerKind.MODEL_SYNC)
"""What is referred to comes before what refers to it."""
_LISTS = {
    AnswerKind.CONNECTION: "connections",
    AnswerKind.MODEL: "models",
    AnswerKind.BULK_SYNC: "bulk_syncs",
    AnswerKind.MODEL_SYNC: "model_syncs",
}


class _Importing:
    """The lists as they grow, and the names of what is in them by the vendor's ids."""

    def __init__(self, remarks: Remarks, *, keeps_inactive: bool) -> None:
        self.lists: dict[str, list[Raw]] = {name: [] for name in _LISTS.values()}
        self._remarks = remarks
        self._keeps_inactive = keeps_inactive
        self._connections: dict[str, str] = {}
        self._models: dict[str, ModelNames] = {}
        # A bulk sync and a model sync share the namespace of syncs: commands take a sync by its name alone.
        syncs = NameBook()
        self._books = {
            AnswerKind.CONNECTION: NameBook(),
            AnswerKind.MODEL: NameBook(),
            AnswerKind.BULK_SYNC: syncs,
            AnswerKind.MODEL_SYNC: syncs,
        }

    def take(self, answer: AnswerObject) -> None:
        """Put one object into its list, or among the remarks."""
        takers: Mapping[AnswerKind, Callable[[AnswerObject, VendorFields], None]] = {
            AnswerKind.CONNECTION: self._take_connection,
            AnswerKind.MODEL: self._take_model,
            AnswerKind.BULK_SYNC: self._take_bulk_sync,
            AnswerKind.MODEL_SYNC: self._take_model_sync,
        }
        own_remarks = Remarks()
        fields = VendorFields(answer.fields, answer.label, own_remarks)
        takers[answer.kind](answer, fields)
        if fields.blockers:
            # What else was found out about it would only hide why it is not there.
            self._remarks.add(RemarkKind.PASSED_OVER, f"{answer.label} ({answer.origin})", "; ".join(fields.blockers))
        else:
            self._remarks.add_all(own_remarks)

    def _take_connection(self, answer: AnswerObject, fields: VendorFields) -> None:
        name = self._books[answer.kind].choose(answer, fields.remarks)
        if self._keep(Connection, answer, to_connection(fields, name), fields):
            self._connections[answer.id] = name

    def _take_model(self, answer: AnswerObject, fields: VendorFields) -> None:
        name = self._books[answer.kind].choose(answer, fields.remarks)
        connection = self._find_connection(answer.fields.get("connection_id"), "connection", fields)
        raw, names = to_model(fields, name, connection)
        if self._keep(Model, answer, raw, fields):
            self._models[answer.id] = names

    def _take_bulk_sync(self, answer: AnswerObject, fields: VendorFields) -> None:
        self._check_active(answer, fields)
        name = self._books[answer.kind].choose(answer, fields.remarks)
        source = self._find_connection(answer.fields.get("source_connection_id"), "source connection", fields)
        other = self._find_connection(answer.fields.get("destination_connection_id"), "destination connection", fields)
        self._keep(BulkSync, answer, to_bulk_sync(fields, name, source, other), fields)

    def _take_model_sync(self, answer: AnswerObject, fields: VendorFields) -> None:
        self._check_active(answer, fields)
        name = self._books[answer.kind].choose(answer, fields.remarks)
        other = self._find_connection(answer.fields["target"].get("connection_id"), "destination connection", fields)
        raw = to_model_sync(fields, name, self._find_model(answer, fields), other)
        self._keep(ModelSync, answer, raw, fields)

    def _check_active(self, answer: AnswerObject, fields: VendorFields) -> None:
        if answer.fields.get("active") is False and not self._keeps_inactive:
            fields.block("it is switched off; --inactive takes it along, with active: false")

    def _find_connection(self, connection_id: object, role: str, fields: VendorFields) -> str:
        name = self._connections.get(str(connection_id))
        if name is None:
            fields.block(f"its {role} {connection_id!r} is passed over, or in none of the files")
        return name or "-"

    def _find_model(self, answer: AnswerObject, fields: VendorFields) -> ModelNames:
        ids = find_model_ids(answer.fields)
        if len(ids) != 1:
            fields.block(f"it reads {len(ids)} models, and a sync reads one here")
        for model_id in ids:
            if model_id not in self._models:
                fields.block(f"its model {model_id!r} is passed over, or in none of the files")
        return self._models.get(min(ids, default=""), ModelNames("-", {}))

    def _keep(self, section: type[Section], answer: AnswerObject, raw: Raw, fields: VendorFields) -> bool:
        """Put an item into its list, if it can be had here but for what a person has to fill in."""
        for problem in _find_blockers(section, raw):
            fields.block(problem)
        if fields.blockers:
            return False
        self.lists[_LISTS[answer.kind]].append(raw)
        self._books[answer.kind].reserve(raw["name"])
        return True


def _find_blockers(section: type[Section], raw: Raw) -> list[str]:
    """What is wrong with an item; a required field that is missing alone can be filled in, so that it is no blocker."""
    try:
        section.model_validate(raw)
    except ValidationError as error:
        if any(detail["type"] != "missing" for detail in error.errors(include_url=False)):
            return list(lines_of(error))
    return []


def _join_repeats(answers: Iterable[AnswerObject]) -> list[AnswerObject]:
    """One object an id: a list's entry and the object's own answer are joined, if they do not contradict each other."""
    joined: dict[tuple[AnswerKind, str], AnswerObject] = {}
    for answer in answers:
        key = (answer.kind, answer.id or answer.origin)
        if answer.kind is AnswerKind.SCHEMA:
            # A schema's id is its table's name, which several syncs may have.
            key = (answer.kind, answer.origin)
        known = joined.get(key)
        joined[key] = answer if known is None else _join(known, answer)
    return list(joined.values())


def _join(first: AnswerObject, second: AnswerObject) -> AnswerObject:
    fields = dict(first.fields)
    for name, value in second.fields.items():
        known = fields.get(name)
        # The answer of a list may have fewer fields than the object's own, so that what one lacks the other gives.
        if is_blank(known) or known == [] or name in BOOKKEEPING:
            fields[name] = value
        elif value != known and not is_blank(value) and value != []:
            raise InvalidConfiguration(
                f"{first.label}: {first.origin} and {second.origin} differ in {name}; give the newer one alone"
            )
    return replace(first, fields=fields)


def _give_schemas_to_syncs(answers: Sequence[AnswerObject]) -> list[AnswerObject]:
    """Bulk syncs with the schemas that the API answers apart, and without saying whose they are."""
    syncs = [answer for answer in answers if answer.kind is AnswerKind.BULK_SYNC]
    schemas: dict[str, list[AnswerObject]] = {}
    for answer in answers:
        if answer.kind is AnswerKind.SCHEMA:
            schemas.setdefault(_find_owner(answer, syncs).origin, []).append(answer)
    return [_with_schemas(answer, schemas.get(answer.origin, ())) for answer in answers]


def _find_owner(schema: AnswerObject, syncs: Sequence[AnswerObject]) -> AnswerObject:
    # The API's answer does not say whose schema it is; the name of its file may: 3f2a-schemas.json.
    owners = [sync for sync in syncs if sync.id and _is_word_of(sync.id, schema.file)]
    if not owners:
        owners = list(syncs)
    if len(owners) != 1:
        raise InvalidConfiguration(
            f"{schema.origin}: a schema {schema.id!r} of which bulk sync? Found {len(owners)} that it could be of. Have"
            " the sync's id in the name of the file, such as 3f2a…-schemas.json, and give the sync's own answer, too"
        )
    return owners[0]


def _is_word_of(vendor_id: str, file: str) -> bool:
    # The id 3f2a is in 3f2a-schemas.json, and not in 3f2ab.json.
    return re.search(rf"(?<!\w){re.escape(vendor_id)}(?!\w)", file) is not None


def _with_schemas(answer: AnswerObject, schemas: Sequence[AnswerObject]) -> AnswerObject:
    if not schemas:
        return answer
    by_id: dict[str, AnswerObject] = {}
    for schema in schemas:
        by_id[schema.id] = _join(by_id[schema.id], schema) if schema.id in by_id else schema
    found = [dict(schema.fields) for schema in by_id.values()]
    return replace(answer, fields={**answer.fields, "schemas": [*(answer.fields.get("schemas") or ()), *found]})


def _find_problems(document: Mapping[str, Sequence[Raw]]) -> list[str]:
    try:
        parse(document)
    except InvalidConfiguration as error:
        return list(error.problems)
    return []
