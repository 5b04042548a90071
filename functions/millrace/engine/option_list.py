"""The options of reading and writing one file. Each is defined here, once, and met under three faces.

| face | made of these definitions by |
|---|---|
| a field of a connection, and of a table (``schemas[]`` or a model), which wins | config/file_options |
| an option of `millrace convert` and `millrace explain` | cli/file_options |
| a key of a job of `millrace convert --jobs` | cli/jobs |

To add an option:

1. Give ReadOptions or WriteOptions (``engine/options.py``) a field; its default is the option's.
2. Add a FileOption below. Its ``kind`` reads what people write; ``option_kinds`` has those that there are.
3. `make docs` writes the reference, and `tests/unit/test_every_field.py` wants a row that shows the effect. An example
   belongs into ``examples/``, a line into CHANGELOG.md.

The reader finds the value in its ReadOptions. Configuration, planning, recipe, fingerprint, commands and jobs need no
change: a table's option goes before its connection's, and what is not given is the default of the field.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from millrace.engine.option_kinds import (
    COLUMN_TYPES,
    CharacterKind,
    ChoiceKind,
    ChoicesKind,
    CountKind,
    EncodingKind,
    FlagKind,
    HintsKind,
    JsonPathKind,
    MarkKind,
    RecordsKind,
    TextKind,
    TextsKind,
    ValueKind,
)
from millrace.engine.options import (
    SOURCE_FORMATS,
    Face,
    FileFormat,
    FixedField,
    LogPreset,
    NonFinite,
    ParquetBinary,
    Quotes,
    ReadOptions,
    SourceColumn,
    TableTypes,
    WriteOptions,
)


class Side(enum.Enum):
    """Which of the engine's options a definition sets."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOption:
    """One option. ``name`` is that of the configuration, ``field`` that of ReadOptions or WriteOptions.

    ``formats`` are those that it touches. ``help`` is a sentence for the reference; ``short`` one for a command's help
    (default: the same). ``key`` is that of a job (default: the name without ``csv_``), and ``declarations`` are those
    of the commands' option (default: made of the key). ``is_vendors`` marks a field of Polytomic's.
    """

    name: str
    field: str
    kind: ValueKind
    formats: tuple[FileFormat, ...]
    help: str
    examples: tuple[Any, ...] = ()
    short: str = ""
    key: str = ""
    declarations: tuple[str, ...] = ()
    side: Side = Side.READ
    is_vendors: bool = False
    is_always_taken: bool = False
    """Also if it touches none of the formats, since forms write it whatever the format is."""

    @property
    def job_key(self) -> str:
        """The key of a job: ``csv_delimiter`` is ``delimiter`` there."""
        return self.key or self.name.removeprefix("csv_")

    @property
    def command_help(self) -> str:
        """What a command's help says of it."""
        return self.short or self.help

    @property
    def command_options(self) -> tuple[str, ...]:
        """How it is typed: ``--skip-lines``, and of a flag ``--headers/--no-headers``."""
        typed = self.job_key.replace("_", "-")
        if self.declarations:
            return self.declarations
        return (f"--{typed}/--no-{typed}",) if isinstance(self.kind, FlagKind) else (f"--{typed}",)

    def say(self, face: Face, typed: str = "") -> str:
        """The option and a value as they are written under a face: ``csv_quote: none``, ``--quote none``."""
        match face:
            case Face.CONFIGURATION:
                name, written = self.name, f"{self.name}: {typed}"
            case Face.COMMAND:
                name, _, opposite = self.command_options[0].partition("/")
                written = f"{name} {typed}"
                if opposite:
                    written = {"false": opposite}.get(typed, name)
            case Face.JOB:
                name, written = f'"{self.job_key}"', f'"{self.job_key}": {typed}'
            case _:
                assert_never(face)
        if not typed:
            return name
        return written

    @property
    def default(self) -> Any:
        """The engine's value where nothing is given."""
        fields = {field.name: field for field in dataclasses.fields(_OWNERS[self.side])}
        field = fields[self.field]
        return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()

    @property
    def condition(self) -> str:
        """When it has a meaning, in words: "csv is among the formats"; empty if it always has."""
        if self.is_always_taken or set(self.formats) >= set(SOURCE_FORMATS):
            return ""
        formats = in_words(self.formats)
        return f"{formats} is written" if self.side is Side.WRITE else f"{formats} is among the formats"


def in_words(formats: Sequence[FileFormat]) -> str:
    """Formats as a choice: ``csv, log or excel``."""
    *first, last = formats
    return f"{', '.join(first)} or {last}" if first else str(last)


_OWNERS: Mapping[Side, type[ReadOptions | WriteOptions]] = {Side.READ: ReadOptions, Side.WRITE: WriteOptions}
_CSV = (FileFormat.CSV,)
_JSON = (FileFormat.JSON,)
_TEXT = (FileFormat.CSV, FileFormat.FIXED_WIDTH, FileFormat.LOG)
_ROWS = (*_TEXT, FileFormat.EXCEL)
"""The formats of rows of text, whose types are found in their values."""

FILE_OPTIONS: tuple[FileOption, ...] = (
    FileOption(
        name="csv_has_headers",
        field="has_headers",
        kind=FlagKind(),
        formats=(FileFormat.CSV, FileFormat.EXCEL),
        help="Whether CSV files begin with a row of field names; false: columns are column_1 to column_n.",
        short="CSV begins with a row of names.",
        key="headers",
        is_vendors=True,
        is_always_taken=True,
    ),
    FileOption(
        name="skip_lines",
        field="skip_lines",
        kind=CountKind(),
        formats=_ROWS,
        help="Lines to drop from each CSV, fixed-width or log file before its header or first row is read.",
        short="Lines to drop before a CSV's header, or the rows of a fixed-width file or a log.",
        examples=(2,),
        is_vendors=True,
    ),
    FileOption(
        name="csv_skip_footer",
        field="skip_footer",
        kind=CountKind(),
        formats=_CSV,
        help="Lines to drop from each CSV file behind its rows, such as a line of totals; blank lines at the very end"
        " do not count.",
        short="Lines to drop behind a CSV's rows.",
        examples=(1,),
    ),
    FileOption(
        name="csv_comment",
        field="comment",
        kind=TextKind(),
        formats=_CSV,
        help="What a line of a CSV file begins with that is no row, before the header or behind it; default: no line is"
        " a comment.",
        short="What a line begins with that is no row, such as #.",
        examples=("#",),
    ),
    FileOption(
        name="csv_delimiter",
        field="delimiter",
        kind=CharacterKind(),
        formats=_CSV,
        help="Character between fields, or its name (comma, semicolon, tab, bar, space); default: detected among"
        " comma, semicolon, tab and bar.",
        short="Default: detected among , ; tab and |.",
        examples=("semicolon",),
    ),
    FileOption(
        name="csv_quote",
        field="quote",
        kind=MarkKind(),
        formats=_CSV,
        help="Character around fields, or its name (double, single), or none: nothing is quoted; default: detected.",
        short="Character around fields, or none: nothing is quoted; default: detected.",
        examples=("single",),
    ),
    FileOption(
        name="csv_escape",
        field="escape",
        kind=MarkKind(),
        formats=_CSV,
        help="Character before a character that is meant literally, or its name (backslash), or none: a doubled quote"
        " stands for a quote; default: detected.",
        short="Character before one meant literally, or none; default: detected.",
        examples=("backslash",),
    ),
    FileOption(
        name="csv_quotes",
        field="quotes",
        kind=ChoiceKind(Quotes),
        formats=_CSV,
        help="What becomes of a quote that is neither around a field nor doubled inside of one: strict refuses the"
        " row, lenient keeps the quote as a character (a quote closes only before a delimiter or a line end).",
        short="What a quote is that is none of CSV: refused, or (lenient) a character.",
        examples=("lenient",),
    ),
    FileOption(
        name="csv_encoding",
        field="encoding",
        kind=EncodingKind(),
        formats=_TEXT,
        help="Encoding of CSV, fixed-width and log files; a byte order mark is honoured.",
        short="Of a CSV, fixed-width file or log; a byte order mark is honoured.",
        examples=("utf-8", "latin-1", "cp1252"),
    ),
    FileOption(
        name="csv_null_values",
        field="null_values",
        kind=TextsKind(),
        formats=_ROWS,
        help="Texts that mean missing; default: none, only an empty field without quotes is missing. "
        "With csv_quote: none an empty field is the empty text, unless it is one of these.",
        short="Text that means missing where it is not quoted; may be given often.",
        examples=(["NA", "null"],),
        declarations=("--null-value",),
    ),
    FileOption(
        name="csv_infer_types",
        field="infer_types",
        kind=FlagKind(),
        formats=_TEXT,
        help="Whether a column gets a type where every value of it survives; false: all columns are text.",
        short="Give CSV columns a type where every value survives.",
        declarations=("--types/--no-types",),
    ),
    FileOption(
        name="csv_column_types",
        field="column_types",
        kind=COLUMN_TYPES,
        formats=_TEXT,
        help="Types by column name; a value that does not fit is an error with its row.",
        short="NAME=TYPE that a CSV column must have; may be given often.",
        examples=({"zip": "text", "price": "decimal"},),
        declarations=("--column-type",),
    ),
    FileOption(
        name="json_records",
        field="json_records",
        kind=JsonPathKind(),
        formats=_JSON,
        help="Path to the list whose elements are the rows of JSON documents: names with a dot between them, and * for"
        " every member; a dot or a star of a name has a backslash before it. Default: rows are the objects at the top.",
        short="Path to the list of a JSON document whose elements are rows: data.items, or * for every list.",
        examples=("Records", "response.items", "*"),
    ),
    FileOption(
        name="json_parent_fields",
        field="json_parent_fields",
        kind=TextsKind(),
        formats=_JSON,
        help="Paths of members around that list, which each of its rows repeats; NEW_NAME=PATH gives the field another"
        " name. A member that comes behind the list is waited for.",
        short="Path of a member that every row repeats, or NEW_NAME=PATH; may be given often.",
        examples=(["owner", "batch_id=meta.id"],),
        declarations=("--json-parent-field",),
    ),
    FileOption(
        name="parquet_binary",
        field="parquet_binary",
        kind=ChoiceKind(ParquetBinary),
        formats=(FileFormat.PARQUET,),
        help="What values of bytes in Parquet files are: base64 (in text outputs; Parquet keeps the bytes), or text,"
        " for writers that do not mark their texts (Impala, Hive, Sqoop). Bytes that are not UTF-8 are then refused.",
        short="What bytes in Parquet are: base64, or text, which must be UTF-8.",
        examples=("text",),
    ),
    FileOption(
        name="json_non_finite",
        field="json_non_finite",
        kind=ChoiceKind(NonFinite),
        formats=(FileFormat.JSON, FileFormat.JSON_DOC),
        help='What becomes of NaN and infinities, for which JSON has no numbers: the text "NaN", "Infinity" or'
        ' "-Infinity", null, or an error that names the row.',
        short='What NaN and infinities become in JSON: "NaN" as text, null, or an error.',
        examples=("null",),
        side=Side.WRITE,
    ),
    FileOption(
        name="source_columns",
        field="source_columns",
        kind=ChoicesKind(SourceColumn),
        formats=SOURCE_FORMATS,
        help="Columns that say where a row comes from: file (_file, the address of the file), row (_row, its number"
        " there, as in errors), modified (_modified, the instant at which the file was written) and version (_version,"
        " its id, or the ETag if the bucket keeps no versions). Filters, fields and overrides may name them.",
        short="Add a column that says where a row comes from: file, row, modified or version; may be given often.",
        examples=(["file", "row", "modified", "version"],),
        declarations=("--source-column",),
    ),
    FileOption(
        name="type_hints",
        field="type_hints",
        kind=HintsKind(),
        formats=SOURCE_FORMATS,
        help="Types of columns in the output, by the names of the source: text, integer, decimal(DIGITS,SCALE), float,"
        " boolean, date, timestamp or timestamptz, which are in microseconds unless they say timestamp(ns). A value"
        " that the type does not hold exactly is an error with its row, or puts the row aside (bad_rows).",
        short="NAME=TYPE that a column gets, such as price=decimal(18,2); may be given often.",
        examples=({"price": "decimal(18,2)", "paid_at": "timestamptz"},),
        declarations=("--type-hint",),
    ),
    FileOption(
        name="types",
        field="types",
        kind=ChoiceKind(TableTypes),
        formats=SOURCE_FORMATS,
        help="exact: a column has the type of its values. wide: the widest of that type's family, so that all files of"
        " a table have one type: int64, decimal(38,scale), float64, timestamps in microseconds (or nanoseconds).",
        short="Give columns the type of their values, or the widest of its family.",
        examples=("wide",),
        key="table_types",
    ),
    FileOption(
        name="fixed_width",
        field="fixed_width",
        kind=RecordsKind(FixedField),
        formats=(FileFormat.FIXED_WIDTH,),
        help="Fields of files of fixed width: name, start (the first character, counted from 1), length in characters,"
        " and trim: the padding is blanks on both sides (both, the default), on the right, or none.",
        short='Fields of fixed width as JSON: [{"name": "id", "start": 1, "length": 8}, ...].',
        examples=([{"name": "id", "start": 1, "length": 8}, {"name": "amount", "start": 9, "length": 12}],),
    ),
    FileOption(
        name="log_preset",
        field="log_preset",
        kind=ChoiceKind(LogPreset),
        formats=(FileFormat.LOG,),
        help="Kind of the logs, which says what divides their lines and names their fields.",
        examples=("alb",),
    ),
    FileOption(
        name="xml_row",
        field="xml_row",
        kind=TextKind(),
        formats=(FileFormat.XML,),
        help="Path of the elements of XML that are rows, from the root on; default: the root's children.",
        examples=("catalog/book",),
    ),
    FileOption(
        name="excel_sheet",
        field="excel_sheet",
        kind=TextKind(),
        formats=(FileFormat.EXCEL,),
        help="Name of the sheet to read of a workbook, or its number from 1; default: the only one that has cells. all:"
        " bulk syncs make a table of each sheet that is shown and has cells, where every object is a table.",
        examples=("Orders",),
    ),
)
"""All options, in the order of the reference and of the commands' help."""

OPTION_OF_NAME: Mapping[str, FileOption] = {option.name: option for option in FILE_OPTIONS}
_READ_OPTION_OF_FIELD: Mapping[str, FileOption] = {
    option.field: option for option in FILE_OPTIONS if option.side is Side.READ
}
_QUARANTINES = {Face.CONFIGURATION: "bad_rows: quarantine", Face.COMMAND: "convert --quarantine FILE"}
OPTION_OF_KEY: Mapping[str, FileOption] = {option.job_key: option for option in FILE_OPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptionValues:
    """What the options of one file are, as the engine takes them."""

    read: ReadOptions = ReadOptions()  # noqa: RUF009 - ReadOptions is frozen
    write: WriteOptions = WriteOptions()  # noqa: RUF009 - WriteOptions is frozen


def say_option(face: Face, field: str, typed: str = "") -> str:
    """The option that sets a field of ReadOptions, as it is written under a face; see ``FileOption.say``."""
    return _READ_OPTION_OF_FIELD[field].say(face, typed)


def say_quarantine(face: Face) -> str:
    """What puts bad rows aside, as it is written under a face; nothing where that cannot be said."""
    return _QUARANTINES.get(face, "")


def to_values(given: Mapping[str, Any], face: Face = Face.CONFIGURATION) -> FileOptionValues:
    """The engine's options of its values by the names of the configuration; None is not given."""
    fields: dict[Side, dict[str, Any]] = {Side.READ: {"face": face}, Side.WRITE: {}}
    for name, value in given.items():
        if value is not None:
            option = OPTION_OF_NAME[name]
            fields[option.side][option.field] = value
    return FileOptionValues(read=ReadOptions(**fields[Side.READ]), write=WriteOptions(**fields[Side.WRITE]))
