"""What a conversion is asked to do: a value of the words of options and transforms, made without pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

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

    def with_lineage(self, lineage: Mapping[str, str]) -> Self:
        """The recipe, with what its outputs say inside of where they come from."""
        return replace(self, write=replace(self.write, lineage=lineage))
