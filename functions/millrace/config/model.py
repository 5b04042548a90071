"""A model: one table made of one file, of a set of files, or of an archive's members.

What others use of a Model: ``name``, ``connection`` (its name), ``model_from``, ``key``, ``subfolder``,
``file_format`` (None: by extension), ``skip_lines``, ``fields``, ``identifier``,
``duplicate_identifiers``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from millrace.config.base import AT_LEAST_ONE, Contradiction, NonEmpty, Section, doc, ours, unexpected, with_fields
from millrace.config.fields import Name, Path, SourceFormat, text_rule
from millrace.config.layout import parse_path
from millrace.config.object_filter_fields import OBJECT_FILTERS
from millrace.config.option_fields import OptionFields, check_formats, table_options
from millrace.engine.file_names import ARCHIVE_EXTENSIONS, is_archive
from millrace.engine.option_list import OPTION_OF_NAME, in_words
from millrace.engine.options import READ_EXTENSIONS, DuplicatePolicy, FileFormat, recognise


class ModelFrom(enum.StrEnum):
    """What a model's rows come from."""

    SINGLE_FILE = "single_file"
    MULTI_FILE_ARCHIVE = "multi_file_archive"


def _key(text: str) -> str:
    if text.startswith("/") or text.endswith("/"):
        raise ValueError("an object's whole key in the bucket, without a slash at either end")
    return parse_path(text)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise unexpected("each field once")
    return names


@with_fields(table_options(), OBJECT_FILTERS)
class ModelConfiguration(OptionFields):
    """Where a model's rows come from, under Polytomic's names; all blank means: every file of the connection."""

    place: ClassVar[str] = "models[].configuration"

    model_from: ModelFrom | None = Field(
        default=None,
        description="single_file reads key; multi_file_archive reads all files below subfolder, or the members of the"
        " archive that key names. Where it is not given: single_file where key names a file, multi_file_archive where"
        " key names an archive or is not given.",
        json_schema_extra=doc(),
    )
    key: Annotated[str, AfterValidator(text_rule(_key))] | None = Field(
        default=None,
        description="Key of the object in the bucket to read from, below the connection's folder.",
        examples=["dataset/customers.csv", "dataset/export.zip"],
        json_schema_extra=doc(),
    )
    file_format: SourceFormat | None = Field(
        default=None, description="Format of the file or files; default: by extension.", json_schema_extra=doc()
    )
    subfolder: Path = Field(
        default="",
        description="Subfolder of the connection's folder to read files from.",
        examples=["exports"],
        json_schema_extra=doc(when="model_from is multi_file_archive and key is not given"),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the conditions between the fields."""
        key = given.get("key")
        archive = isinstance(key, str) and is_archive(key)
        kind = given.get("model_from") or effective_model_from(key)
        if kind == ModelFrom.SINGLE_FILE:
            yield from _single_file(given, archive=archive)
        elif kind == ModelFrom.MULTI_FILE_ARCHIVE and isinstance(key, str):
            yield from _archive_file(given, archive=archive)
        yield from _other_formats(given)


def _other_formats(given: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield the options that do not touch the one format of the files."""
    if given.get("file_format") not in set(FileFormat):
        return
    for field, _ in check_formats(given, [given["file_format"]]):
        touched = in_words(OPTION_OF_NAME[field].formats)
        yield Contradiction(field, f"only for {touched}, and file_format is {given['file_format']}")


def _archive_file(given: Mapping[str, Any], *, archive: bool) -> Iterator[Contradiction]:
    if not archive:
        yield Contradiction(
            "key",
            f"with multi_file_archive it names an archive, {', '.join(ARCHIVE_EXTENSIONS)}; for one file use"
            " model_from single_file",
        )
    if "subfolder" in given:
        yield Contradiction("subfolder", "not used where key names an archive; remove one of the two")


def _single_file(given: Mapping[str, Any], *, archive: bool) -> Iterator[Contradiction]:
    key = given.get("key")
    if key is None:
        yield Contradiction("key", "required where model_from is single_file, but not given")
    if "subfolder" in given:
        yield Contradiction("subfolder", "not used where model_from is single_file: key is the object's whole key")
    if archive:
        yield Contradiction("key", "names an archive; use model_from multi_file_archive")
    elif isinstance(key, str) and "file_format" not in given and recognise(key) is None:
        extensions = ", ".join(READ_EXTENSIONS)
        problem = f"required, since the key's extension does not say it; known are {extensions}"
        yield Contradiction("file_format", problem)


def effective_model_from(key: object) -> ModelFrom:
    """Decide what a model is made from where the field is blank."""
    if isinstance(key, str) and not is_archive(key):
        return ModelFrom.SINGLE_FILE
    return ModelFrom.MULTI_FILE_ARCHIVE


class Model(Section):
    """One table, and which of its fields are used."""

    place: ClassVar[str] = "models[]"

    name: Name = Field(description="Unique name.", examples=["customers"], json_schema_extra=doc())
    connection: Name = Field(
        description="Name of the connection to read from.", examples=["landing"], json_schema_extra=doc()
    )
    configuration: ModelConfiguration = Field(
        default_factory=ModelConfiguration, description="Where the rows come from.", json_schema_extra=doc()
    )
    fields: Annotated[NonEmpty[str], AfterValidator(_distinct)] | None = Field(
        default=None,
        description="Fields to use, in this order; default: all.",
        examples=[["id", "email"]],
        json_schema_extra=doc() | AT_LEAST_ONE,
    )
    identifier: str | None = Field(
        default=None,
        description="Field whose value is different in every row.",
        examples=["id"],
        json_schema_extra=doc(),
    )
    duplicate_identifiers: DuplicatePolicy = Field(
        default=DuplicatePolicy.ERROR,
        description="What becomes of rows that share an identifier: error refuses the file or files, last_wins keeps"
        " the last of them (of several files, the last by name). Decided before filters; a missing identifier is like"
        " no other.",
        examples=["last_wins"],
        json_schema_extra=ours(when="identifier is given"),
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Hold the identifier to the chosen fields."""
        fields, identifier = given.get("fields"), given.get("identifier")
        if identifier is None and "duplicate_identifiers" in given:
            yield Contradiction("duplicate_identifiers", "only where identifier is given; name the field, or remove it")
        if isinstance(fields, list | tuple) and isinstance(identifier, str) and identifier not in fields:
            yield Contradiction("identifier", f"{identifier!r} is not among fields; add it there")

    @property
    def model_from(self) -> ModelFrom:
        """What the rows come from, the blank decided."""
        return self.configuration.model_from or effective_model_from(self.configuration.key)

    @property
    def key(self) -> str | None:
        """The key of the file or archive."""
        return self.configuration.key

    @property
    def subfolder(self) -> str:
        """The path below the connection's folder that files are read from."""
        return self.configuration.subfolder

    @property
    def file_format(self) -> FileFormat | None:
        """The format of the files; None: by extension."""
        return self.configuration.file_format

    @property
    def skip_lines(self) -> int:
        """The lines to drop from each CSV file, if the model says it; its connection may, too."""
        return int(self.configuration.options.get("skip_lines", 0))
