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
    AVRO = "avro"
    ORC = "orc"
    EXCEL = "excel"
    XML = "xml"
    FIXED_WIDTH = "fixed_width"
    LOG = "log"

    @property
    def extension(self) -> str:
        """The extension of an output, with its dot."""
        return words_of(self).extension


class Compression(enum.StrEnum):
    """How a whole file is compressed, under its extension."""

    NONE = "none"
    GZIP = "gz"
    ZSTD = "zst"
    BZIP2 = "bz2"
    XZ = "xz"
    LZ4 = "lz4"
    SNAPPY = "snappy"


class OutputCompression(enum.StrEnum):
    """How an output is compressed: a text as a whole, under its extension; others inside, under their codec's name."""

    NONE = "none"
    GZIP = "gz"
    ZSTD = "zst"
    BZIP2 = "bz2"
    SNAPPY_INSIDE = "snappy"
    ZSTD_INSIDE = "zstd"
    DEFLATE_INSIDE = "deflate"

    @property
    def extension(self) -> str:
        """What an output's key ends in because of it: an extension with its dot, or nothing."""
        if self in _WHOLE:
            return f".{self}"
        return ""


_WHOLE = (OutputCompression.GZIP, OutputCompression.ZSTD, OutputCompression.BZIP2)
_OF_TEXT = (OutputCompression.NONE, *_WHOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatWords:
    """What a configuration needs to know of a format; how it is read and written is `formats.base.Format`.

    ``extension`` is an output's, ``compressions`` are those of an output, the default first. ``read_extensions`` maps
    each extension of a file that is read to the delimiter that it names, if any. ``is_read`` and ``is_written`` say
    what its name may be given for. ``is_text``: every value is text in the file. ``declares_types``: the file says its
    types itself. ``is_read_from_its_end``: what is in it is said there. ``needs_packages``: it is read by packages that
    are a layer of their own on AWS.
    """

    extension: str
    is_read: bool = True
    is_written: bool = True
    is_text: bool = False
    declares_types: bool = False
    is_read_from_its_end: bool = False
    needs_packages: bool = False
    compressions: tuple[OutputCompression, ...] = _OF_TEXT
    read_extensions: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    compresses_inside: bool = False


_CSV_EXTENSIONS = {".csv": None, ".tsv": "\t"}
_JSON_EXTENSIONS = {".json": None, ".jsonl": None, ".ndjson": None}
_PARQUET_COMPRESSIONS = (OutputCompression.SNAPPY_INSIDE, OutputCompression.ZSTD_INSIDE, OutputCompression.NONE)
_AVRO_COMPRESSIONS = (
    OutputCompression.DEFLATE_INSIDE,
    OutputCompression.SNAPPY_INSIDE,
    OutputCompression.ZSTD_INSIDE,
    OutputCompression.NONE,
)
_ORC_COMPRESSIONS = (
    OutputCompression.SNAPPY_INSIDE,
    OutputCompression.ZSTD_INSIDE,
    OutputCompression.DEFLATE_INSIDE,
    OutputCompression.NONE,
)
_WORDS: Mapping[FileFormat, FormatWords] = MappingProxyType(
    {
        FileFormat.CSV: FormatWords(extension=".csv", read_extensions=_CSV_EXTENSIONS, is_text=True),
        FileFormat.JSON: FormatWords(extension=".jsonl", read_extensions=_JSON_EXTENSIONS),
        FileFormat.JSON_DOC: FormatWords(extension=".json", is_read=False),
        FileFormat.PARQUET: FormatWords(
            extension=".parquet",
            read_extensions={".parquet": None},
            compressions=_PARQUET_COMPRESSIONS,
            compresses_inside=True,
            declares_types=True,
            is_read_from_its_end=True,
        ),
        FileFormat.AVRO: FormatWords(
            extension=".avro",
            read_extensions={".avro": None},
            compressions=_AVRO_COMPRESSIONS,
            compresses_inside=True,
            declares_types=True,
        ),
        FileFormat.ORC: FormatWords(
            extension=".orc",
            read_extensions={".orc": None},
            compressions=_ORC_COMPRESSIONS,
            compresses_inside=True,
            declares_types=True,
            is_read_from_its_end=True,
            needs_packages=True,  # time zones, which Lambda's system may lack
        ),
        FileFormat.EXCEL: FormatWords(
            extension=".xlsx",
            read_extensions={".xlsx": None, ".xlsm": None, ".xlsb": None, ".xls": None, ".ods": None},
            is_written=False,
            compresses_inside=True,
            is_read_from_its_end=True,
            needs_packages=True,
        ),
        FileFormat.XML: FormatWords(extension=".xml", read_extensions={".xml": None}, is_written=False),
        FileFormat.FIXED_WIDTH: FormatWords(extension=".txt", is_written=False, is_text=True),
        FileFormat.LOG: FormatWords(extension=".log", is_written=False, is_text=True),
    }
)
SOURCE_FORMATS = tuple(name for name, words in _WORDS.items() if words.is_read)
"""What a file may be said to be; json also reads what json-doc writes."""
TARGET_FORMATS = tuple(name for name, words in _WORDS.items() if words.is_written)
"""What an output may be."""


def words_of(file_format: FileFormat) -> FormatWords:
    """What can be said of a format without the libraries that read it."""
    return _WORDS[file_format]


def output_compressions(file_format: FileFormat) -> tuple[OutputCompression, ...]:
    """What an output of the format may be compressed with, the default first."""
    return words_of(file_format).compressions


def output_extension(file_format: FileFormat, compression: OutputCompression | None) -> str:
    """What an output's key ends in: the format's extension, and that of the compression around it."""
    if compression is None:
        return file_format.extension
    return file_format.extension + compression.extension


class Face(enum.Enum):
    """Where the options of a file are said, so that a message names an option as it is called there."""

    CONFIGURATION = enum.auto()
    COMMAND = enum.auto()
    JOB = enum.auto()


class BadRows(enum.StrEnum):
    """What becomes of rows that cannot be read."""

    FAIL = "fail"
    QUARANTINE = "quarantine"


class Quotes(enum.StrEnum):
    """What becomes of a quote in a CSV file that is neither around a field nor doubled inside of one."""

    STRICT = "strict"
    LENIENT = "lenient"


class ParquetBinary(enum.StrEnum):
    """What Parquet's values of bytes become in text formats."""

    BASE64 = "base64"
    TEXT = "text"


class NonFinite(enum.StrEnum):
    """What becomes of NaN and infinities, which JSON has no numbers for, in JSON outputs."""

    TEXT = "text"
    NULL = "null"
    ERROR = "error"


class TableTypes(enum.StrEnum):
    """Which type a column gets: the one that its values have, or the widest of that type's family."""

    EXACT = "exact"
    WIDE = "wide"


class SourceColumn(enum.StrEnum):
    """What a column says of a row's source."""

    FILE = "file"
    ROW = "row"
    MODIFIED = "modified"
    VERSION = "version"

    @property
    def field(self) -> str:
        """The column's name."""
        return f"_{self}"


class DuplicatePolicy(enum.StrEnum):
    """What becomes of rows that share an identifier."""

    ERROR = "error"
    LAST_WINS = "last_wins"


class Trim(enum.StrEnum):
    """Which blanks around a field of fixed width are padding, and no part of its value."""

    BOTH = "both"
    RIGHT = "right"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedField:
    """A field of a file of fixed width: ``start`` is its first character, counted from 1, ``length`` how many it has.

    Worked example: in ``0001Ada  7`` the field with start 5 and length 5 is ``Ada``.
    """

    name: str
    start: int
    length: int
    trim: Trim = Trim.BOTH

    def __post_init__(self) -> None:
        """Raise ValueError for what is no place in a line."""
        for name in ("start", "length"):
            count = getattr(self, name)
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ValueError(f"{name}: expected a whole number from 1, found {count!r}")
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name: expected text, found {self.name!r}")
        if self.trim not in set(Trim):
            raise ValueError(f"trim: expected {', '.join(Trim)}, found {self.trim!r}")
        object.__setattr__(self, "trim", Trim(self.trim))  # a configuration gives its word

    @property
    def end(self) -> int:
        """The first character behind it, counted from 1."""
        return self.start + self.length


class LogPreset(enum.StrEnum):
    """A kind of log, whose fields and their order are known."""

    APACHE = "apache"
    NGINX = "nginx"
    ALB = "alb"
    NLB = "nlb"
    CLOUDFRONT = "cloudfront"
    S3_ACCESS = "s3_access"
    VPC_FLOW = "vpc_flow"
    W3C = "w3c"


ColumnType = Literal["text", "integer", "decimal", "float", "boolean", "date", "timestamp"]


ALL_SHEETS = "all"
"""What ``excel_sheet`` says where each sheet of a workbook is a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSizes:
    """How much of a file is looked at, held and worked on at once; in bytes.

    The defaults were measured on one and on several processors. Tests take smaller ones, so that a small file is many
    blocks. ``processors`` None means: as many as the process may use.
    """

    processors: int | None = None
    block: int = 2**20
    """Text that is parsed at once."""
    longest_record: int = 32 * 2**20
    """The longest CSV row: several copies of it are in memory, and to JSON it may grow sixfold."""
    csv_sample: int = 8 * 2**20
    """Text that is looked at before types are chosen and writing begins."""
    json_sample: int = 4 * 2**20
    table_sample: int = 32 * 2**20
    """Text of all files of a table together that is looked at before writing begins; some of each file at least."""
    kept: int = 32 * 2**20
    """Small files of a table that are kept in memory together, so that they are fetched once."""
    explained: int = 8 * 2**20
    """Blocks that are explained together: of a wide table one block has few rows."""
    unpacked_freely: int = 256 * 2**20
    """Content that may come out of a small compressed file; beyond it the ratio counts."""
    row_group: int = 32 * 2**20
    """The largest row group of Parquet that is read in one go: a request for each page would take longer."""
    expanded: int = 8 * 2**20
    """What a batch of Parquet rows may grow to by its dictionaries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceInFile:
    """Where what is read begins in its file: the numbers of its first row and line, from 1, and of its first byte.

    ``continues``: more of the file is behind it, so that its end is not the file's.
    """

    row: int = 1
    line: int = 1
    byte: int = 0
    continues: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How one file is read; what does not concern its format is ignored.

    ``compression`` is what the file's name says. The first bytes decide; the name helps where a file was cut to a few.

    ``delimiter`` None means: detected among comma, semicolon, tab and bar. ``quote`` and ``escape`` None mean:
    detected, and "" that there is none. ``quotes`` says what becomes of a quote that is not one of CSV. ``comment`` is
    what a line of CSV begins with that is no row.
    ``json_records`` None means: rows are the objects at the top of a JSON file, or of the lists there; else it is a
    path, and so are ``json_parent_fields``, as ``json_paths`` reads them.
    ``column_types`` maps a column's name to the type that its values must have. ``fixed_width`` are the fields of a
    file of fixed width, ``log_preset`` is the kind of a log: files of these formats are not read without.
    ``xml_row`` is the path of XML's rows, None: the children of the root.
    ``excel_sheet`` is the name of a workbook's sheet, or its number from 1, None: the only one that has cells.
    ``ALL_SHEETS`` is planning's word: of one table it means the only one, too.
    ``place`` is where a part of a file begins in it: readers count rows, lines and bytes from there.
    """

    compression: Compression = Compression.NONE
    has_headers: bool = True
    skip_lines: int = 0
    skip_footer: int = 0
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    quotes: Quotes = Quotes.STRICT
    comment: str | None = None
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = ()
    infer_types: bool = True
    column_types: Mapping[str, ColumnType] = field(default_factory=lambda: MappingProxyType({}))
    bad_rows: BadRows = BadRows.FAIL
    parquet_binary: ParquetBinary = ParquetBinary.BASE64
    json_records: str | None = None
    json_parent_fields: tuple[str, ...] = ()
    fixed_width: tuple[FixedField, ...] = ()
    log_preset: LogPreset | None = None
    xml_row: str | None = None
    excel_sheet: str | None = None
    source_columns: tuple[SourceColumn, ...] = ()
    type_hints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    types: TableTypes = TableTypes.EXACT
    work: WorkSizes = WorkSizes()
    place: PlaceInFile = PlaceInFile()
    face: Face = field(default=Face.CONFIGURATION, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How one file is written; ``lineage`` becomes Parquet key-value metadata.

    ``compression`` is one of the format's ``output_compressions``; None: its default.
    """

    compression: OutputCompression | None = None
    json_non_finite: NonFinite = NonFinite.TEXT
    lineage: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    group_rows: int = 122_880
    """The most rows of a row group of Parquet."""
    group_bytes: int = 16 * 2**20
    """About the most bytes of its values, as they are in memory."""
    processors: int | None = None
    """How many row groups are encoded at once; None: as many as the process may use."""


@dataclass(frozen=True, slots=True)
class RecognisedKey:
    """What a key's extensions say: format, compression, the key without them, and the delimiter if they say it."""

    format: FileFormat
    compression: Compression
    stem: str
    delimiter: str | None = None


READ_EXTENSIONS = tuple(extension for words in _WORDS.values() for extension in words.read_extensions)
"""The extensions of files that are read, those of text also followed by that of a compression."""
_COMPRESSION_EXTENSIONS = {
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".bz2": Compression.BZIP2,
    ".xz": Compression.XZ,
    ".lz4": Compression.LZ4,
    ".snappy": Compression.SNAPPY,
    ".sz": Compression.SNAPPY,
}
COMPRESSION_EXTENSIONS = tuple(_COMPRESSION_EXTENSIONS)


def recognise(key: str) -> RecognisedKey | None:
    """Read format and compression off a key's extensions, in either case; None if the extension is foreign."""
    path, compression = split_compression(key)
    for file_format, words in _WORDS.items():
        for extension, delimiter in words.read_extensions.items():
            stem = path[: -len(extension)]
            # A name that is an extension and no more, such as "folder/.csv", is a hidden file and no table.
            if not path.lower().endswith(extension) or not stem.rpartition("/")[2]:
                continue
            if words.compresses_inside and compression is not Compression.NONE:
                return None
            return RecognisedKey(file_format, compression, stem, delimiter)
    return None


def split_compression(key: str) -> tuple[str, Compression]:
    """The key without the extension of its compression, and this."""
    for extension, compression in _COMPRESSION_EXTENSIONS.items():
        if key.lower().endswith(extension):
            return key[: -len(extension)], compression
    return key, Compression.NONE


class SchemaEvolution(enum.StrEnum):
    """What becomes of a file whose fields or types are not those of its table."""

    EVOLVE = "evolve"
    RESCUE = "rescue"
    FREEZE = "freeze"


RECORD_TIMESTAMP = "_millrace_synced_at"
"""The field that ``disable_record_timestamps: false`` adds."""


RESCUED = "_rescued"
"""The field that ``schema_evolution: rescue`` adds."""
