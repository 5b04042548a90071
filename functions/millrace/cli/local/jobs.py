"""Conversion jobs, a line of JSON each: read, do, answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from millrace.engine.files import (
    FindFileOrigin,
    Job,
    LocalTarget,
    OpenSource,
    OpenTarget,
    convert_file,
    find_local_origin,
    open_local_source,
)
from millrace.engine.option_list import OPTION_OF_KEY, to_values
from millrace.engine.options import Compression, Face, FileFormat, OutputCompression
from millrace.engine.row_counts import RowCounts
from millrace.errors import DataError, MillraceError, UsageError
from millrace.mappings import leave_out_none

Write = Callable[[str], None]


_COMPRESSIONS = {
    **{str(compression): compression for compression in Compression},
    "gzip": Compression.GZIP,
    "zstd": Compression.ZSTD,
    "bzip2": Compression.BZIP2,
}


def run_jobs(
    lines: Iterable[str],
    write: Write,
    *,
    open_source: OpenSource = open_local_source,
    open_target: OpenTarget = LocalTarget,
    find_origin: FindFileOrigin = find_local_origin,
) -> int:
    """Do a job a line, and write a line of JSON for each at once; the number of those that failed.

    No job harms another: whatever goes wrong is the answer to the job where it did.
    """
    failed = 0
    convert = partial(convert_file, open_source=open_source, open_target=open_target, find_origin=find_origin)
    for line in lines:
        if not line.strip():
            continue
        answer = _answer(line, convert)
        failed += not answer["ok"]
        write(json.dumps(answer, ensure_ascii=True))
    return failed


def _answer(line: str, convert: Callable[[Job], RowCounts]) -> dict[str, Any]:
    identity: object = None
    try:
        given = _parse_line(line)
        identity = given.get("id")
        rows = convert(job_of(given))
    except Exception as error:  # noqa: BLE001 # the answer to this job; the next one goes on
        return {"id": identity, "ok": False, "error": describe(error)}
    return {"id": identity, "ok": True, "rows": rows.written}


def describe(error: Exception) -> dict[str, Any]:
    """An error as the answer to a job tells it."""
    row, byte = (error.row, error.byte) if isinstance(error, DataError) else (None, None)
    return {"class": type(error).__name__, "message": _message_of(error), "row": row, "byte": byte}


def _message_of(error: Exception) -> str:
    """The error's own text; of the system's, without its number: `No such file or directory: a.csv`."""
    if isinstance(error, OSError) and not isinstance(error, MillraceError) and error.filename:
        return f"{error.strerror or error}: {error.filename}"
    return str(error) or type(error).__name__


def _parse_line(line: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the job is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise UsageError('the job is no JSON object; expected {"id", "source", "target", "to"}')
    return given


def job_of(given: Mapping[str, Any]) -> Job:
    """A job from its JSON object; raise UsageError that names the field. A field that is null is not given."""
    values = _parse_fields(leave_out_none(given))
    options = to_values({option.name: values.get(key) for key, option in OPTION_OF_KEY.items()}, Face.JOB)
    return Job(
        source=values["source"],
        target=values["target"],
        to=values["to"],
        source_format=values.get("from"),
        compression=values.get("compression"),
        compress=values.get("compress"),
        read=options.read,
        write=options.write,
        subfolder=values.get("subfolder"),
        member=values.get("member"),
    )


def _parse_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise UsageError(f"the job's field {unknown[0]!r} is not known; known are {', '.join(_FIELDS)}")
    if missing := [name for name in ("id", "source", "target", "to") if name not in fields]:
        raise UsageError(f"the job lacks {', '.join(missing)}")
    return {name: _FIELDS[name](name, value) for name, value in fields.items()}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name}: expected text, found {value!r}")
    return value


def _path(name: str, value: object) -> str:
    path = _text(name, value)
    if not path or "\0" in path:
        raise UsageError(f"{name}: {path!r} is no path")
    return path


def _format(name: str, value: object) -> FileFormat:
    if value not in set(FileFormat):
        raise UsageError(f"{name}: {value!r} is not one of {', '.join(FileFormat)}")
    return FileFormat(str(value))


def _compression(name: str, value: object) -> Compression:
    if not isinstance(value, str) or value not in _COMPRESSIONS:
        raise UsageError(f"{name}: {value!r} is not one of {', '.join(_COMPRESSIONS)}")
    return _COMPRESSIONS[value]


def _output_compression(name: str, value: object) -> OutputCompression:
    if not isinstance(value, str) or value not in set(OutputCompression):
        raise UsageError(f"{name}: {value!r} is not one of {', '.join(OutputCompression)}")
    return OutputCompression(value)


def _option(name: str, value: object) -> Any:
    """The value of an option of the file."""
    try:
        return OPTION_OF_KEY[name].kind.parse(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _any(_name: str, value: object) -> object:
    return value


_FIELDS: dict[str, Callable[[str, object], Any]] = {
    "id": _any,
    "source": _path,
    "target": _path,
    "to": _format,
    "from": _format,
    **dict.fromkeys(OPTION_OF_KEY, _option),
    "compression": _compression,
    "compress": _output_compression,
    "subfolder": _text,
    "member": _text,
}
