"""Conversion jobs, a line of JSON each: read, do, answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from millrace.engine.files import Job, LocalTarget, OpenSource, OpenTarget, convert_file, open_local_source
from millrace.engine.options import ColumnType, Compression, FileFormat, OutputCompression, Quotes, ReadOptions
from millrace.errors import DataError, MillraceError, UsageError

Write = Callable[[str], None]


_COMPRESSIONS = {
    **{str(compression): compression for compression in Compression},
    "gzip": Compression.GZIP,
    "zstd": Compression.ZSTD,
    "bzip2": Compression.BZIP2,
}


_READ_FIELDS = (
    "headers",
    "skip_lines",
    "delimiter",
    "quote",
    "escape",
    "quotes",
    "encoding",
    "null_values",
    "column_types",
    "infer_types",
)
_TAB_NAMES = {"\\t": "\t", "tab": "\t"}


def run_jobs(
    lines: Iterable[str],
    write: Write,
    *,
    open_source: OpenSource = open_local_source,
    open_target: OpenTarget = LocalTarget,
) -> int:
    """Do a job a line, and write a line of JSON for each at once; the number of those that failed.

    No job harms another: whatever goes wrong is the answer to the job where it did.
    """
    failed = 0
    for line in lines:
        if not line.strip():
            continue
        answer = _answer(line, open_source, open_target)
        failed += not answer["ok"]
        write(json.dumps(answer, ensure_ascii=True))
    return failed


def _answer(line: str, open_source: OpenSource, open_target: OpenTarget) -> dict[str, Any]:
    identity: object = None
    try:
        given = _parse_line(line)
        identity = given.get("id")
        rows = convert_file(job_of(given), open_source=open_source, open_target=open_target)
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
    fields = {name: value for name, value in given.items() if value is not None}
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise UsageError(f"the job's field {unknown[0]!r} is not known; known are {', '.join(_FIELDS)}")
    if missing := [name for name in ("id", "source", "target", "to") if name not in fields]:
        raise UsageError(f"the job lacks {', '.join(missing)}")
    values = {name: _FIELDS[name](name, value) for name, value in fields.items()}
    return Job(
        source=values["source"],
        target=values["target"],
        to=values["to"],
        source_format=values.get("from"),
        compression=values.get("compression"),
        compress=values.get("compress"),
        read=_read_options_of(values),
        subfolder=values.get("subfolder"),
    )


def _read_options_of(values: Mapping[str, Any]) -> ReadOptions:
    options = {name: values[name] for name in _READ_FIELDS if name in values}
    if "headers" in options:
        options["has_headers"] = options.pop("headers")
    return ReadOptions(**options)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name}: expected text, found {value!r}")
    return value


def _path(name: str, value: object) -> str:
    path = _text(name, value)
    if not path or "\0" in path:
        raise UsageError(f"{name}: {path!r} is no path")
    return path


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name}: expected true or false, found {value!r}")
    return value


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"{name}: expected a whole number from 0, found {value!r}")
    return value


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


def _character(name: str, value: object) -> str | None:
    text = _text(name, value)
    return _TAB_NAMES.get(text, text) or None


def _mark(name: str, value: object) -> str:
    """A quote or an escape; "" and none say that there is none."""
    text = _text(name, value)
    return "" if text == "none" else _character(name, text) or ""


def _quotes(name: str, value: object) -> Quotes:
    if not isinstance(value, str) or value not in set(Quotes):
        raise UsageError(f"{name}: {value!r} is not one of {', '.join(Quotes)}")
    return Quotes(value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UsageError(f"{name}: expected a list of texts, found {value!r}")
    return tuple(_text(name, item) for item in value)


def _column_types(name: str, value: object) -> Mapping[str, ColumnType]:
    if not isinstance(value, dict):
        raise UsageError(f"{name}: expected an object of types by column name, found {value!r}")
    for wanted in value.values():
        if wanted not in get_args(ColumnType):
            raise UsageError(f"{name}: {wanted!r} is not one of {', '.join(get_args(ColumnType))}")
    return value


def _any(_name: str, value: object) -> object:
    return value


_FIELDS: dict[str, Callable[[str, object], Any]] = {
    "id": _any,
    "source": _path,
    "target": _path,
    "to": _format,
    "from": _format,
    "headers": _flag,
    "skip_lines": _count,
    "delimiter": _character,
    "quote": _mark,
    "escape": _mark,
    "quotes": _quotes,
    "encoding": _text,
    "null_values": _texts,
    "column_types": _column_types,
    "infer_types": _flag,
    "compression": _compression,
    "compress": _output_compression,
    "subfolder": _text,
}
