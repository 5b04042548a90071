"""What a conversion is asked to do: a value of the words of options and transforms, made without pyarrow."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.engine.options import DuplicatePolicy, FileFormat, ReadOptions, WriteOptions
from millrace.engine.transform.spec import TableTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes what, and how."""

    source_format: FileFormat
    target_format: FileFormat
    read: ReadOptions
    write: WriteOptions
    transform: TableTransform = TableTransform()  # noqa: RUF009 - frozen
    duplicates: DuplicatePolicy = DuplicatePolicy.ERROR
