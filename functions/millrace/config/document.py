"""The whole configuration: read, validated with all its problems at once, written for deployment, fingerprinted.

What others use: ``load(path)``, ``parse(data)``, and of a Document ``connections``, ``models``, ``model_syncs``,
``bulk_syncs``, ``webhooks`` (tuples), ``connection(name)``, ``model(name)``, ``bulk_sync(name)``, ``source_of(sync)``,
``output_of(sync)``, ``active_syncs()``, ``read_connections()``, ``written_connections()``, ``schedule_of(sync)``,
``inline_secrets()``, ``to_json()``, ``fingerprint(sync)``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from millrace.config import reading, references
from millrace.config.base import AT_LEAST_ONE, NonEmpty, Section, ours
from millrace.config.bulk_sync import BulkSync
from millrace.config.connection import Connection
from millrace.config.layout import Folder
from millrace.config.model import Model
from millrace.config.model_sync import ModelSync
from millrace.config.notices import Webhook
from millrace.config.object_filter_fields import OBJECT_FILTER_FIELDS
from millrace.config.option_fields import OptionFields
from millrace.config.problems import SECRET_FIELDS, kind_of, lines_of
from millrace.config.references import Reach, Sync
from millrace.config.schedule import LISTING, RECONCILIATION, Schedule
from millrace.engine.option_list import OPTION_OF_NAME
from millrace.errors import InvalidConfiguration
from millrace.mappings import by_name

_S = TypeVar("_S", bound=Section)


class Document(Section):
    """A valid configuration; make one with load or parse, which also hold what only the whole can tell."""

    connections: NonEmpty[Connection] = Field(
        description="Buckets and folders, and how to get at them.", json_schema_extra=ours() | AT_LEAST_ONE
    )
    models: tuple[Model, ...] = Field(
        default=(), description="Tables made of one file or of a set of files.", json_schema_extra=ours()
    )
    model_syncs: tuple[ModelSync, ...] = Field(
        default=(), description="Models written as one object each.", json_schema_extra=ours()
    )
    bulk_syncs: tuple[BulkSync, ...] = Field(
        default=(), description="Sources kept in step in destinations.", json_schema_extra=ours()
    )
    webhooks: tuple[Webhook, ...] = Field(
        default=(), description="Addresses that events are sent to.", json_schema_extra=ours()
    )

    def connection(self, name: str) -> Connection:
        """Find a connection; raise InvalidConfiguration where the name is unknown."""
        return _named(self.connections, name, "connection")

    def model(self, name: str) -> Model:
        """Find a model; raise InvalidConfiguration where the name is unknown."""
        return _named(self.models, name, "model")

    def bulk_sync(self, name: str) -> BulkSync:
        """Find a bulk sync; raise InvalidConfiguration where the name is unknown."""
        return _named(self.bulk_syncs, name, "bulk sync")

    def source_of(self, sync: Sync) -> Reach:
        """Give what a sync reads: a folder, or (``exact``) one object."""
        reach = references.source_of(sync, by_name(self.connections), by_name(self.models))
        if reach is None:
            raise InvalidConfiguration(f"{sync.name}: its source is not in this document")
        return reach

    def output_of(self, sync: Sync) -> Reach:
        """Give what a sync writes: a folder, or (``exact``) one object."""
        reach = references.output_of(sync, by_name(self.connections))
        if reach is None:
            raise InvalidConfiguration(f"{sync.name}: its destination is not in this document")
        return reach

    def output_folder(self, sync: BulkSync) -> Folder:
        """Give the folder that a bulk sync writes to: the destination's folder and its subfolder."""
        return self.output_of(sync).folder

    def active_syncs(self) -> tuple[Sync, ...]:
        """Give all that run, bulk syncs first."""
        return (*self.active_bulk_syncs(), *self.active_model_syncs())

    def active_bulk_syncs(self) -> tuple[BulkSync, ...]:
        """Give the bulk syncs that run."""
        return tuple(sync for sync in self.bulk_syncs if sync.active)

    def active_model_syncs(self) -> tuple[ModelSync, ...]:
        """Give the model syncs that run."""
        return tuple(sync for sync in self.model_syncs if sync.active)

    def read_connections(self) -> set[str]:
        """Give the names of the connections that active syncs read."""
        return set(map(self.source_connection_of, self.active_syncs()))

    def written_connections(self) -> set[str]:
        """Give the names of the connections that active syncs write to."""
        return set(map(self.destination_connection_of, self.active_syncs()))

    def source_connection_of(self, sync: Sync) -> str:
        """Give the name of the connection that a sync reads."""
        return self.model(sync.model).connection if isinstance(sync, ModelSync) else sync.source_connection

    def destination_connection_of(self, sync: Sync) -> str:
        """Give the name of the connection that a sync writes to."""
        return sync.target_connection if isinstance(sync, ModelSync) else sync.destination_connection

    def schedule_of(self, sync: Sync) -> Schedule:
        """Give when a sync's source is listed: as it says, or by whether S3 tells of changes there."""
        is_notified = self.connection(self.source_connection_of(sync)).notifications is not None
        return sync.schedule or (RECONCILIATION if is_notified else LISTING)

    def inline_secrets(self) -> list[str]:
        """Give the paths of the secrets that stand in the document itself."""
        paths = []
        for index, connection in enumerate(self.connections):
            paths += [f"connections[{index}].configuration.{field}" for field in _list_inline_secrets(connection)]
        return paths

    def inline_secret_problems(self) -> list[str]:
        """Write one line a connection with inline secrets: where, and the command that stores them."""
        return [
            f"connections[{index}].configuration: holds access keys, which must not reach a template; store them with:"
            f" millrace connections store {shlex.quote(connection.name)}"
            for index, connection in enumerate(self.connections)
            if _list_inline_secrets(connection)
        ]

    def to_json(self) -> str:
        """Write the document canonically, to be read back equal; raise InvalidConfiguration where it holds secrets."""
        if problems := self.inline_secret_problems():
            raise InvalidConfiguration(problems)
        return _canonical(self.model_dump(mode="json", exclude_none=True, exclude_defaults=True), indent=1) + "\n"

    def fingerprint(self, sync: Sync) -> str:
        """Digest all that shapes a sync's output into 12 hexadecimal digits.

        That is: its own fields, how its source is read, and where it writes. Names, credentials, queues and schedules
        are left out. Fields at their default are left out too, so that a field that a later version brings changes no
        digest before it is used.
        """
        shape = {
            "sync": _sync_shape(sync),
            "source": str(self.source_of(sync)),
            "output": str(self.output_of(sync)),
        }
        if isinstance(sync, ModelSync):
            model = self.model(sync.model)
            reading_fields = self.connection(model.connection).configuration
            shape["model"] = _model_shape(model, reading_fields)
        else:
            reading_fields = self.connection(sync.source_connection).configuration
        # Which objects there are shapes the one table of a model, and nothing of what becomes of one object.
        left_out = _NOT_OF_READING if isinstance(sync, ModelSync) else _NOT_OF_READING | OBJECT_FILTER_FIELDS
        shape["reading"] = _shape(reading_fields, leave_out=left_out)
        return hashlib.sha256(_canonical(shape).encode()).hexdigest()[:12]


def _list_inline_secrets(connection: Connection) -> list[str]:
    """The fields with a secret that the document itself holds."""
    return [field for field in sorted(SECRET_FIELDS) if getattr(connection.configuration, field) is not None]


_NOT_OF_THE_OUTPUT = {
    "name",
    "active",
    "schedule",
    "notify",
    "on_delete",
    "model",
    "source_connection",
    "destination_connection",
    "automatically_add_new_objects",
}
_NOT_OF_THE_DESTINATION = ("catalog", "database")
"""Where files are found changes none of them. A table of Iceberg has its files by name: another one wants them all.

A catalogued model that was one object moves into a folder, as ``output_of`` says.
"""
_NOT_OF_READING = {
    *SECRET_FIELDS,
    "auth_mode",
    "aws_credentials_secret",
    "iam_role_arn",
    "s3_bucket_name",
    "s3_bucket_region",
    "create_bucket",
    "enable_event_notifications",
    "event_queue_arn",
}


def load(path: Path) -> Document:
    """Read and validate a YAML or JSON file; raise InvalidConfiguration with every problem."""
    return _parse(reading.read(path), name=str(path))


def parse(data: object) -> Document:
    """Validate plain values; raise InvalidConfiguration with every problem."""
    return _parse(data, name="configuration")


def _parse(data: object, *, name: str) -> Document:
    if not isinstance(data, Mapping):
        raise InvalidConfiguration(
            f"{name}: found {kind_of(data)}; expected an object with connections and bulk_syncs, models or model_syncs"
        )
    document: Document | None = None
    problems: list[str] = []
    try:
        document = Document.model_validate(data)
    except ValidationError as error:
        problems = list(lines_of(error))
    problems += references.problems(_what_parses(data, document))
    # Raised out here, so that the validator's error and the values in it stay behind.
    if problems or document is None:
        raise InvalidConfiguration(problems)
    return document


def _what_parses(data: Mapping[Any, Any], document: Document | None) -> references.Parsed:
    return references.Parsed(
        connections=_parsed(data, "connections", Connection, document),
        models=_parsed(data, "models", Model, document),
        model_syncs=_parsed(data, "model_syncs", ModelSync, document),
        bulk_syncs=_parsed(data, "bulk_syncs", BulkSync, document),
        webhooks=_parsed(data, "webhooks", Webhook, document),
        names={field: list(_names(data, field)) for field in Document.model_fields},
        mentions=list(_mentions(data)),
    )


def _parsed(data: Mapping[Any, Any], field: str, section: type[_S], document: Document | None) -> dict[str, _S]:
    """The items of a list by their paths: those of the document, or of one with problems those that are sound."""
    items: dict[str, _S] = {}
    if document is not None:
        for index, item in enumerate(getattr(document, field)):
            items[f"{field}[{index}]"] = item
        return items
    for path, raw in _items(data, field):
        try:
            items[path] = section.model_validate(raw)
        except ValidationError:
            # Its problems are told already; here only what is sound counts.
            continue
    return items


def _items(data: Mapping[Any, Any], field: str) -> Iterator[tuple[str, Any]]:
    raw = data.get(field)
    for index, item in enumerate(raw if isinstance(raw, list | tuple) else ()):
        yield f"{field}[{index}]", item


def _names(data: Mapping[Any, Any], field: str) -> Iterator[tuple[str, str]]:
    for path, raw in _items(data, field):
        name = raw.get("name") if isinstance(raw, Mapping) else getattr(raw, "name", None)
        if isinstance(name, str):
            yield path, name


_REFERENCES: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "models": {("connection",): "connections"},
    "model_syncs": {("model",): "models", ("target", "connection"): "connections"},
    "bulk_syncs": {("source_connection",): "connections", ("destination_connection",): "connections"},
}


def _mentions(data: Mapping[Any, Any]) -> Iterator[tuple[str, str, str]]:
    # From the raw values: a section that is refused for another field names its connection all the same.
    for field, references_of_item in _REFERENCES.items():
        for path, raw in _items(data, field):
            for steps, kind in references_of_item.items():
                name = _at(raw, steps)
                if isinstance(name, str) and name:
                    yield ".".join((path, *steps)), kind, name


def _at(raw: object, steps: Sequence[str]) -> object:
    for step in steps:
        raw = raw.get(step) if isinstance(raw, Mapping) else getattr(raw, step, None)
    return raw


def _named(items: Sequence[_S], name: str, kind: str) -> _S:
    for item in items:
        if getattr(item, "name", None) == name:
            return item
    names = ", ".join(sorted(str(getattr(item, "name", "")) for item in items)) or "none"
    raise InvalidConfiguration(f"{name}: no such {kind}; there are: {names}")


def _shape(section: Section, *, leave_out: set[str]) -> dict[str, Any]:
    return section.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude=leave_out)


def _sync_shape(sync: Sync) -> dict[str, Any]:
    shape = _shape(sync, leave_out=_NOT_OF_THE_OUTPUT)
    # What only chooses objects changes no output: with another filter none of them has to be written again.
    for schema in shape.get("schemas", ()):
        for name in OBJECT_FILTER_FIELDS:
            schema.pop(name, None)
    destination = shape.get("destination_configuration", {})
    if isinstance(sync, ModelSync):
        destination = shape.get("target", {}).get("configuration", {})
    if sync.iceberg is None:
        for name in _NOT_OF_THE_DESTINATION:
            destination.pop(name, None)
    # An empty one is as good as none: catalog alone, added to a sync without options, leaves all outputs as they are.
    if destination == {}:
        shape.pop("destination_configuration", None)
    return shape


def _model_shape(model: Model, connection: OptionFields) -> dict[str, Any]:
    """The model's fields but for options that say the default, which its connection has anyway.

    ``skip_lines: 0`` is in many models, and was their default before a model could go before its connection.
    """
    shape = _shape(model, leave_out={"name", "connection"})
    fields = shape.get("configuration", {})
    for name, value in model.configuration.options.items():
        default = OPTION_OF_NAME[name].default
        if value == default == connection.options.get(name, default):
            del fields[name]
    if fields == {}:
        shape.pop("configuration", None)
    return shape


def _canonical(value: object, *, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=indent, separators=separators)
