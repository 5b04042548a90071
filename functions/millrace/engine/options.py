"""The names of formats and the options of reading and writing them, without any format library."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


class FileFormat(enum.StrEnum):
    """A format, under its name in the configuration."""

    CSV = "csv"
    JSON = "json"
    JSON_DOC = "json-doc"
    PARQUET = "parquet"

    @property
    def extension(self) -> str:
        """The extension of an output, with its dot."""
        return _OUTPUT_EXTENSIONS[self]


_OUTPUT_EXTENSIONS = {
    FileFormat.CSV: ".csv",
    FileFormat.JSON: ".jsonl",
    FileFormat.JSON_DOC: ".json",
    FileFormat.PARQUET: ".parquet",
}


class Compression(enum.StrEnum):
    """How a whole file is compressed, under its extension."""

    NONE = "none"
    GZIP = "gz"
    ZSTD = "zst"
    BZIP2 = "bz2"


class OutputCompression(enum.StrEnum):
    """How an output is compressed: a text as a whole, under its extension; Parquet inside, under its codec's name."""

    NONE = "none"
    GZIP = "gz"
    ZSTD = "zst"
    BZIP2 = "bz2"
    PARQUET_SNAPPY = "snappy"
    PARQUET_ZSTD = "zstd"

    @property
    def extension(self) -> str:
        """What an output's key ends in because of it: an extension with its dot, or nothing."""
        return f".{self}" if self in _WHOLE else ""


_WHOLE = (OutputCompression.GZIP, OutputCompression.ZSTD, OutputCompression.BZIP2)
_OF_TEXT = (OutputCompression.NONE, *_WHOLE)
_OUTPUT_COMPRESSIONS = {
    FileFormat.CSV: _OF_TEXT,
    FileFormat.JSON: _OF_TEXT,
    FileFormat.JSON_DOC: _OF_TEXT,
    FileFormat.PARQUET: (OutputCompression.PARQUET_SNAPPY, OutputCompression.PARQUET_ZSTD, OutputCompression.NONE),
}


def output_compressions(file_format: FileFormat) -> tuple[OutputCompression, ...]:
    """What an output of the format may be compressed with, the default first."""
    return _OUTPUT_COMPRESSIONS[file_format]


def output_extension(file_format: FileFormat, compression: OutputCompression | None) -> str:
    """What an output's key ends in: the format's extension, and that of the compression around it."""
    return file_format.extension + (compression.extension if compression else "")


class BadRows(enum.StrEnum):
    """What becomes of rows that cannot be read."""

    FAIL = "fail"
    QUARANTINE = "quarantine"


class DuplicatePolicy(enum.StrEnum):
    """What becomes of rows that share an identifier."""

    ERROR = "error"
    LAST_WINS = "last_wins"


ColumnType = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How one file is read; what does not concern its format is ignored.

    ``delimiter`` None means: detected among comma, semicolon, tab and bar. ``quote`` None means: nothing is quoted.
    ``column_types`` maps a column's name to the type that its values must have.
    """

    compression: Compression = Compression.NONE
    has_headers: bool = True
    skip_lines: int = 0
    delimiter: str | None = None
    quote: str | None = '"'
    escape: str | None = None
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = ()
    infer_types: bool = True
    column_types: Mapping[str, ColumnType] = field(default_factory=lambda: MappingProxyType({}))
    bad_rows: BadRows = BadRows.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How one file is written; ``lineage`` becomes Parquet key-value metadata.

    ``compression`` is one of the format's ``output_compressions``; None: its default.
    """

    compression: OutputCompression | None = None
    lineage: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class RecognisedKey:
    """What a key's extensions say: format, compression, the key without them, and the delimiter if they tell it."""

    format: FileFormat
    compression: Compression
    stem: str
    delimiter: str | None = None


_READ_EXTENSIONS = {
    ".csv": FileFormat.CSV,
    ".tsv": FileFormat.CSV,
    ".json": FileFormat.JSON,
    ".jsonl": FileFormat.JSON,
    ".ndjson": FileFormat.JSON,
    ".parquet": FileFormat.PARQUET,
}
_DELIMITERS = {".tsv": "\t"}
_COMPRESSION_EXTENSIONS = {
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".bz2": Compression.BZIP2,
}
READ_EXTENSIONS = tuple(_READ_EXTENSIONS)
"""The extensions of files that are read, each also followed by .gz, .zst or .bz2 (Parquet compresses inside)."""


def recognise(key: str) -> RecognisedKey | None:
    """Read format and compression off a key's extensions, in either case; None where the extension is foreign."""
    stem, compression = key, Compression.NONE
    for extension, name in _COMPRESSION_EXTENSIONS.items():
        if key.lower().endswith(extension):
            stem, compression = key[: -len(extension)], name
    for extension, file_format in _READ_EXTENSIONS.items():
        if stem.lower().endswith(extension) and stem[: -len(extension)].rpartition("/")[2]:
            if file_format is FileFormat.PARQUET and compression is not Compression.NONE:
                return None
            return RecognisedKey(file_format, compression, stem[: -len(extension)], _DELIMITERS.get(extension))
    return None


class SchemaEvolution(enum.StrEnum):
    """What becomes of a file whose fields or types are not those of its table."""

    EVOLVE = "evolve"
    RESCUE = "rescue"
    FREEZE = "freeze"


RECORD_TIMESTAMP = "_millrace_synced_at"
"""The field that ``disable_record_timestamps: false`` adds."""


RESCUED = "_rescued"
"""The field that ``schema_evolution: rescue`` adds."""
