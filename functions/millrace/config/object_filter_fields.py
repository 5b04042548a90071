"""Which objects are read at all, as fields of a connection and of a table."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, Field

from millrace.config.base import AT_LEAST_ONE, FieldGroup, NonEmpty, Section, ours
from millrace.config.fields import Glob

OBJECT_FILTERS: FieldGroup = {
    "include": (
        NonEmpty[Glob] | None,
        Field(
            default=None,
            description="Objects to read, as globs; default: all but hidden ones, which have a part of their path that"
            " begins with _ or a dot. A glob with a slash is compared with the path below the folder, one without with"
            " the name alone; _ or . at the beginning of a part shows what is hidden.",
            examples=[["*.csv", "_archive/**/*.csv"]],
            json_schema_extra=ours() | AT_LEAST_ONE,
        ),
    ),
    "exclude": (
        NonEmpty[Glob] | None,
        Field(
            default=None,
            description="Objects to leave out, as globs like those of include, and before them.",
            examples=[["*_old.csv", "drafts/**"]],
            json_schema_extra=ours() | AT_LEAST_ONE,
        ),
    ),
    "newer_than": (
        AwareDatetime | None,
        Field(
            default=None,
            description="Objects that were last modified then or earlier are left out; ISO 8601 with its offset.",
            examples=["2026-01-01T00:00:00Z"],
            json_schema_extra=ours(),
        ),
    ),
}
OBJECT_FILTER_FIELDS = frozenset(OBJECT_FILTERS)
"""They say which objects are read, and nothing of what becomes of one."""


def effective_filters(connection: Section, table: Section | None) -> dict[str, Any]:
    """Each of the fields: the table's, or its connection's if it gives none."""
    return {name: _first_given(name, table, connection) for name in OBJECT_FILTERS}


def _first_given(name: str, *sections: Section | None) -> Any:
    given = (getattr(section, name) for section in sections if section is not None)
    return next((value for value in given if value is not None), None)
