"""The types of single fields: names, booleans, paths, regions, ARNs, characters of the CSV dialect."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, Strict, WithJsonSchema
from pydantic_core import PydanticKnownError

from millrace.config.base import Contradiction, unexpected
from millrace.config.catalog import OUTPUT_FORMATS, TableFormat
from millrace.config.layout import Folder, parse_glob, parse_path
from millrace.engine.json_paths import parse_path as parse_json_path
from millrace.engine.option_kinds import NONE, to_character, to_encoding
from millrace.engine.options import (
    SOURCE_FORMATS,
    FileFormat,
    OutputCompression,
    output_compressions,
)
from millrace.engine.type_hints import TypeHint


def text_rule(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    """Make a validator of a function that parses text and raises ValueError with what it expected."""

    def validate(value: object) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except ValueError as error:
            # Not chained: the message is all there is, and the context could show the value.
            expected = str(error)
        raise unexpected(expected)

    return validate


def pattern_rule(pattern: str, expected: str) -> AfterValidator:
    """Demand that text matches ``pattern`` as a whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(expected)
        return text

    return AfterValidator(text_rule(parse))


def pattern_schema(pattern: str) -> WithJsonSchema:
    """Tell editors of the pattern, too."""
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


def _name(text: str) -> str:
    if len(text) > 64 or not text.isprintable() or text != text.strip() or set("#/") & set(text):
        raise ValueError("a name of 1 to 64 printable characters without '#', '/' and spaces at its ends")
    return text


def _folder(value: object) -> Folder | object:
    return value if isinstance(value, Folder) else text_rule(Folder.parse)(value)


def _must_be_folder(value: Any) -> Folder:
    if not isinstance(value, Folder):
        raise unexpected("text: s3://bucket/folder, bucket/folder or bucket")
    return value


MANAGED = "managed"
"""The value of ``event_queue_arn`` that lets the stack make queue and notification."""


def _quote(text: str) -> str:
    if text.lower() == NONE:
        return NONE
    try:
        return to_character(text)
    except ValueError:
        raise ValueError("one ASCII character, one of the names double, single and backslash, or none") from None


def compression_of_another_format(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what is wrong with the compression of an output's format; both are still as they were given."""
    output_format, compression = given.get("format", FileFormat.CSV), given.get("compression")
    if compression not in set(OutputCompression) or output_format not in OUTPUT_FORMATS:
        return
    is_table = output_format == TableFormat.ICEBERG
    accepted = output_compressions(FileFormat.PARQUET if is_table else FileFormat(output_format))
    if compression not in accepted:
        yield Contradiction("compression", f"expected {', '.join(accepted)}, which is what {output_format} may have")


def _readable(file_format: FileFormat) -> FileFormat:
    if file_format is FileFormat.JSON_DOC:
        raise unexpected(f"{', '.join(SOURCE_FORMATS)} (json also reads one top-level array)")
    return file_format


def _one_of(accepted: Sequence[FileFormat | TableFormat]) -> BeforeValidator:
    """Refuse all other values as if the enumeration had these alone."""
    *first, last = (f"'{name}'" for name in accepted)
    expected = f"{', '.join(first)} or {last}"

    def check(value: object) -> object:
        if value not in accepted:
            raise PydanticKnownError("enum", {"expected": expected})
        return value

    return BeforeValidator(check)


def _type_hint(text: str) -> str:
    TypeHint.parse(text)
    return text


def check_distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values; a validator that refuses one that comes twice."""
    if len(set(values)) < len(values):
        raise unexpected("each value once")
    return values


def _json_path(text: str) -> str:
    parse_json_path(text)
    return text


Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict()]
Name = Annotated[str, AfterValidator(text_rule(_name))]
Path = Annotated[str, AfterValidator(text_rule(parse_path))]
Glob = Annotated[str, AfterValidator(text_rule(parse_glob))]
Character = Annotated[str, AfterValidator(text_rule(to_character))]
Quote = Annotated[str, AfterValidator(text_rule(_quote))]
Encoding = Annotated[str, AfterValidator(text_rule(to_encoding))]
TypeHintField = Annotated[str, AfterValidator(text_rule(_type_hint))]
JsonPathField = Annotated[str, AfterValidator(text_rule(_json_path))]
FolderField = Annotated[
    Folder,
    BeforeValidator(_must_be_folder),
    BeforeValidator(_folder),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 3}),
]
_REGION = r"[a-z]{2,4}(-[a-z]+){1,2}-\d{1,2}"
# arn:aws:iam::123456789012:role/team/name. In China and in GovCloud ARNs begin otherwise: arn:aws-cn:, arn:aws-us-gov:.
_ROLE = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"
_QUEUE = rf"{MANAGED}|arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{{12}}:[A-Za-z0-9_-]{{1,80}}(\.fifo)?"
# The name of a secret, acme/partner, or its ARN, to whose name Secrets Manager has added six characters.
_CREDENTIALS = r"[A-Za-z0-9/_+=.@-]{1,512}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]+"

Region = Annotated[
    str,
    pattern_rule(_REGION, "an AWS region such as us-east-1 (a region, not an availability zone)"),
    pattern_schema(_REGION),
]
RoleArn = Annotated[
    str, pattern_rule(_ROLE, "a role's ARN: arn:aws:iam::123456789012:role/name"), pattern_schema(_ROLE)
]
QueueField = Annotated[
    str,
    pattern_rule(_QUEUE, "an SQS queue's ARN, arn:aws:sqs:us-east-1:123456789012:name, or 'managed'"),
    pattern_schema(_QUEUE),
]
SecretName = Annotated[
    str, pattern_rule(_CREDENTIALS, "the name or ARN of a Secrets Manager secret"), pattern_schema(_CREDENTIALS)
]
SourceFormat = Annotated[
    FileFormat, AfterValidator(_readable), WithJsonSchema({"type": "string", "enum": list(SOURCE_FORMATS)})
]
TargetFormat = Annotated[
    FileFormat | TableFormat, _one_of(OUTPUT_FORMATS), WithJsonSchema({"type": "string", "enum": list(OUTPUT_FORMATS)})
]
