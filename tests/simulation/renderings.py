"""What a quiet run would write: the outputs of one version of a source under one configuration."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, BinaryIO

from millrace.engine.destination import Converted, Destination
from millrace.engine.options import FileFormat
from millrace.engine.row_counts import NO_ROWS, RowCounts
from millrace.engine.table_sources import Source
from millrace.errors import DataError
from millrace.objects.references import ObjectRef
from millrace.planning.plans import ArchiveTables, Build, Plan
from tests.simulation import light
from tests.simulation.buckets import KILLER
from tests.simulation.calls import BEGINNING
from tests.simulation.files import sheets_in
from tests.simulation.setups import SYNC, Setup
from tests.simulation.sources import source

Files = tuple[tuple[str, bytes], ...]
"""Keys and bytes, in the order of the keys."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """Outputs by place, and the counts; ``outputs`` None: the bytes cannot be converted."""

    outputs: dict[ObjectRef, bytes] | None
    rows: RowCounts | None = None


@dataclass(slots=True)
class _Memory:
    """A sink."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes | memoryview, /) -> int:
        self.data += data
        return len(data)

    def discard(self) -> None:
        self.data.clear()


def plan_of(setup: Setup, key: str) -> Plan:
    """The plan of an object that is converted by itself."""
    (plan,) = setup.planner.plan(source(key))
    assert isinstance(plan, Plan)
    return plan


def of_object(setup: Setup, key: str, data: bytes) -> Rendering:
    """What becomes of an object's bytes."""
    return _of_object(setup, key, data, light.used()[0])


@lru_cache(maxsize=20_000)
def _of_object(setup: Setup, key: str, data: bytes, convert: Any) -> Rendering:
    plan = plan_of(setup, key)
    if is_harmful(data):
        return Rendering(None)
    if isinstance(plan.way, ArchiveTables):
        return _of_members(plan.way, _members_of(key, data), convert)
    return _of_file(plan, data, convert)


def _members_of(key: str, data: bytes) -> dict[str, bytes]:
    """The members of an archive; or the sheets that are tables of a workbook, each read of all its bytes."""
    if key.endswith(".xlsx"):
        return {sheet.name: data for sheet in sheets_in(data) if sheet.is_table}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _of_members(way: ArchiveTables, members: dict[str, bytes], convert: Any) -> Rendering:
    """What the members become together; if one cannot be converted, none is."""
    outputs, rows = dict[ObjectRef, bytes](), NO_ROWS
    for name, data in members.items():
        plan = way.members.plan(name)
        if not isinstance(plan, Plan):
            continue
        # As the worker does: a quarantined row says of which member it is.
        member = _of_file(plan, data, partial(convert, name=name))
        if member.outputs is None or member.rows is None:
            return Rendering(None)
        outputs |= member.outputs
        rows += member.rows
    return Rendering(outputs, rows)


def _of_file(plan: Plan, data: bytes, convert: Any) -> Rendering:
    try:
        done: Converted[_Memory] = convert(
            io.BytesIO(data),
            plan.recipe,
            Destination(lambda _directory: _Memory(), _Memory if plan.quarantine else None),
        )
    except DataError:
        return Rendering(None)
    outputs = {plan.output(part.directory, BEGINNING): bytes(part.sink.data) for part in done.parts}
    if done.quarantine is not None and plan.quarantine is not None:
        outputs[plan.quarantine] = bytes(done.quarantine.data)
    return Rendering(outputs, done.rows)


def is_harmful(data: bytes) -> bool:
    """Whether nobody lives to convert an object of these bytes."""
    return KILLER in data


def run_of(setup: Setup) -> Build:
    """The run of the model."""
    (plan,) = setup.planner.plan(source("in/"), only=SYNC)
    assert isinstance(plan, Build)
    return plan


def of_files(setup: Setup, files: Files) -> Rendering:
    """What becomes of the bytes of a folder's files."""
    return _of_files(setup, files, light.used()[1])


@lru_cache(maxsize=20_000)
def _of_files(setup: Setup, files: Files, convert_many: Any) -> Rendering:
    run = run_of(setup)
    if any(is_harmful(data) for _, data in files):
        return Rendering(None)
    sources = [
        Source(name=str(source(key)), format=FileFormat.CSV, read=run.read, open=partial(_opened, data))
        for key, data in files
    ]
    try:
        done: Converted[_Memory] = convert_many(
            sources,
            run.recipe,
            Destination(lambda _directory: _Memory(), _Memory if run.quarantine else None),
        )
    except DataError:
        return Rendering(None)
    outputs = {run.place.target(BEGINNING): bytes(part.sink.data) for part in done.parts}
    if done.quarantine is not None and run.quarantine is not None:
        outputs[run.quarantine] = bytes(done.quarantine.data)
    return Rendering(outputs, done.rows)


@contextmanager
def _opened(data: bytes) -> Iterator[BinaryIO]:
    yield io.BytesIO(data)
