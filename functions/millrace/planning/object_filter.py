"""Which objects a table is read from, by their paths: hidden ones are not, unless a configuration names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millrace.config.base import Section
from millrace.config.object_filter_fields import effective_filters
from millrace.engine.file_names import is_hidden_segment
from millrace.planning import globs


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFilter:
    """What ``include``, ``exclude`` and ``newer_than`` say; paths are below the connection's folder."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    newer_than: datetime | None = None

    @classmethod
    def of(cls, connection: Section, table: Section | None) -> ObjectFilter:
        """What holds for a table's objects."""
        return cls(**effective_filters(connection, table))

    def why_left_out(self, path: str) -> str:
        """Why an object is not read, to stand behind its name; empty if it is."""
        # What must not be read is not read, however else it is chosen.
        if self.exclude and (glob := _find_match(self.exclude, path)):
            return f"is left out by exclude: {glob!r}"
        if self.include and _find_shown(self.include, path) is None:
            if _find_match(self.include, path) is None:
                return f"matches no glob of include: {', '.join(map(repr, self.include))}"
            return _why_hidden(path)
        if not self.include:
            return _why_hidden(path)
        return ""


def _why_hidden(path: str) -> str:
    hidden = next(filter(is_hidden_segment, path.split("/")), None)
    if hidden is None:
        return ""
    return f"is hidden: {hidden!r} begins with {hidden[0]!r}; name it in include to have it read"


def _find_match(patterns: Sequence[str], path: str) -> str | None:
    """The first glob that matches: its path, or without a slash in the glob its name."""
    return next((glob for glob in patterns if globs.matches(glob, _compared(glob, path))), None)


def _find_shown(patterns: Sequence[str], path: str) -> str | None:
    """The first glob that matches, and names what is hidden."""
    for glob in patterns:
        folder = path.rpartition("/")[0]
        is_folder_shown = "/" in glob or not any(map(is_hidden_segment, folder.split("/")))
        if is_folder_shown and globs.matches_shown(glob, _compared(glob, path)):
            return glob
    return None


def _compared(glob: str, path: str) -> str:
    if "/" in glob:
        return path
    return path.rpartition("/")[2]
