"""The configurations that are simulated: each output mode, before and after somebody changes it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cache
from typing import Any

from millrace.config.document import Document, parse
from millrace.objects.references import ObjectRef
from millrace.planning.planner import Planner
from millrace.planning.plans import AnyPlan, Plan
from tests.configurations import bulk_sync, connection, document
from tests.simulation.light import LEFT_OUT

SYNC = "nightly"
SOURCE_BUCKET, TARGET_BUCKET = "acme-in", "acme-out"


HOSTILE_KEYS = ("in/a//../b\n.csv", "in/ä +%2B&=.csv", f"in/{'ж' * 143}.csv")
"""Control characters and empty segments, what form encoding changes, and a key whose encoded form is long."""
_USUAL_KEYS = ("in/a.csv", "in/ab.csv", "in/b.csv")
DIRECTORY = "in/eu/"
"""The files below it are one table of two formats."""


class SetupKind(enum.StrEnum):
    """How outputs follow from sources."""

    REPLICATE = "replicate"
    PARTITIONED = "partitioned"
    SNAPSHOT = "snapshot"
    RUN = "one table of all files"
    SHARED = "files of one table, with its schema"
    APPEND = "files of a model that is appended to"
    ARCHIVE = "archives whose members are tables"
    MIXED = "files of one table, of two formats"
    SHEETS = "workbooks whose sheets are tables"

    @property
    def is_per_object(self) -> bool:
        """Whether each object has outputs of its own."""
        return self not in {SetupKind.SNAPSHOT, SetupKind.RUN}

    @property
    def is_of_table(self) -> bool:
        """Whether the outputs of all objects are the files of one table."""
        return self in {SetupKind.SHARED, SetupKind.APPEND}


class Change(enum.StrEnum):
    """What a change of the configuration changes."""

    NONE = "none"
    FILTER = "a filter is added"
    SUBFOLDER = "outputs move"
    ONE_SHEET = "the first sheet is the table"
    """Of workbooks alone; for others nothing changes."""
    CHOSEN = "only the tables x are wanted"
    """Of what has several tables; for others nothing changes."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One configuration, by what matters to the protocol."""

    kind: SetupKind
    remove: bool = False
    quarantine: bool = False
    change: Change = Change.NONE
    hostile: bool = False
    """Whether keys are such as are made to hurt."""
    more: int = 0
    """How many objects there may be beside the three of which most is made."""
    iceberg: bool = False
    """Whether outputs are the files of an Iceberg table; of files of one table alone."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The source objects that there may be."""
        usual = HOSTILE_KEYS if self.hostile else _USUAL_KEYS
        keys = (*usual, *(f"in/more-{number}.csv" for number in range(self.more)))
        match self.kind:
            case SetupKind.ARCHIVE:
                return tuple(f"{without_extension(key)}.zip" for key in keys)
            case SetupKind.SHEETS:
                return tuple(f"{without_extension(key)}.xlsx" for key in keys)
            case SetupKind.MIXED:
                return tuple(_in_directory(key, number) for number, key in enumerate(keys))
            case _:
                return keys

    @property
    def changes(self) -> tuple[Change, ...]:
        """What another configuration may change."""
        match self.kind:
            case SetupKind.SHEETS:
                return (Change.FILTER, Change.SUBFOLDER, Change.ONE_SHEET, Change.CHOSEN)
            case SetupKind.ARCHIVE:
                return (Change.FILTER, Change.SUBFOLDER, Change.CHOSEN)
            case _:
                return (Change.FILTER, Change.SUBFOLDER)

    @property
    def removes(self) -> bool:
        """Whether outputs go with their sources."""
        return self.remove and self.kind not in {SetupKind.RUN, SetupKind.APPEND}

    @property
    def planner(self) -> Planner:
        """For this configuration; made once a process."""
        return _planner(self)


def without_extension(key: str) -> str:
    """A key up to its last dot."""
    return key.rpartition(".")[0]


def _in_directory(key: str, number: int) -> str:
    """Every other file of the directory is CSV, the rest is JSON."""
    extension = ("csv", "jsonl")[number % 2]
    return f"{DIRECTORY}{without_extension(key).rpartition('/')[2]}.{extension}"


class RememberingPlanner(Planner):
    """Plans a key once: planning is pure, a process plans few keys, and each thousands of times.

    So exploring takes half of the time. What has a problem is planned again, since a raised error keeps its traceback.
    """

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._plans: dict[tuple[ObjectRef, str | None], tuple[AnyPlan, ...]] = {}

    def plan(self, ref: ObjectRef, *, only: str | None = None) -> tuple[AnyPlan, ...]:
        """As the planner does."""
        plans = self._plans.get((ref, only))
        if plans is None:
            plans = super().plan(ref, only=only)
            if not any(map(_has_problem, plans)):
                self._plans[ref, only] = plans
        return plans


def _has_problem(plan: AnyPlan) -> bool:
    return isinstance(plan, Plan) and plan.problem is not None


@cache
def _planner(setup: Setup) -> Planner:
    return RememberingPlanner(_model(setup) if setup.kind in {SetupKind.RUN, SetupKind.APPEND} else _bulk(setup))


def _bulk(setup: Setup) -> Document:
    fields: dict[str, Any] = {"name": SYNC, "to": "iceberg" if setup.iceberg else "json"}
    schema: dict[str, Any] = {}
    source: dict[str, Any] | None = None
    tables = [stem(key) for key in setup.keys]
    if setup.kind in {SetupKind.SNAPSHOT, SetupKind.SHARED}:
        source = {"is_single_table": True, "single_table_name": "orders"}
        tables = ["orders"]
    if setup.kind is SetupKind.MIXED:
        source = {
            "is_single_table": True,
            "is_directory_snapshot": True,
            "directory_glob_pattern": "*",
            "single_table_file_formats": ["csv", "json"],
        }
        tables = ["eu"]
    if setup.kind is SetupKind.SHEETS:
        source = {"excel_sheet": "1" if setup.change is Change.ONE_SHEET else "all"}
    if setup.kind is SetupKind.ARCHIVE:
        tables = [f"{table}/{part}" for table in tables for part in "xyz"]
    if setup.kind is SetupKind.SNAPSHOT:
        fields["mode"] = "snapshot"
    if setup.kind is SetupKind.PARTITIONED:
        schema["partition_key"] = "part"
    if setup.change is Change.FILTER:
        schema["filters"] = [_FILTER]
    if setup.change is Change.SUBFOLDER:
        fields["subfolder"] = "moved"
    if schema:
        fields["schemas"] = [{"id": table, **schema} for table in tables]
    if setup.change is Change.CHOSEN and setup.kind in {SetupKind.ARCHIVE, SetupKind.SHEETS}:
        fields["schemas"] = [f"{stem(key)}/x" for key in setup.keys]
    fields |= {
        "on_delete": "remove" if setup.remove else "keep",
        "bad_rows": "quarantine" if setup.quarantine else "fail",
    }
    return document(bulk_sync(**fields), source=source)


def stem(key: str) -> str:
    """A source's path in its folder, without extension."""
    return without_extension(key.removeprefix("in/"))


_FILTER = {"field": "part", "function": "Inequality", "value": LEFT_OUT}


def _model(setup: Setup) -> Document:
    notified = {"enable_event_notifications": True, "event_queue_arn": "managed"}
    sync: dict[str, Any] = {
        "name": SYNC,
        "model": "orders",
        "target": {"connection": "lake", "object": "orders", "configuration": {"format": "json"}},
        "bad_rows": "quarantine" if setup.quarantine else "fail",
        "mode": "append" if setup.kind is SetupKind.APPEND else "replace",
    }
    if setup.change is not Change.NONE:
        sync["filters"] = [_FILTER]
    return parse(
        {
            "connections": [
                connection("landing", "s3://acme-in/in", **notified),
                connection("lake", "s3://acme-out/lake"),
            ],
            "models": [
                {
                    "name": "orders",
                    "connection": "landing",
                    "configuration": {"model_from": "multi_file_archive", "file_format": "csv"},
                }
            ],
            "model_syncs": [sync],
        }
    )
