"""Failures by cause: a thousand files that fail for one reason are one line, not a thousand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from millrace.ledger.entries import Branch, Entry, Failure, State
from millrace.ledger.stores import LedgerPages
from millrace.objects.references import ObjectRef

MOST_FAILURES = 5000
"""Failures that are read to be grouped: two megabytes of an index."""
_KEPT_FOLDERS = 3
_EXAMPLES = 3
# Failures of one cause differ in what they name: s3://acme/in/a.csv, 'N/A', row 1,204.
_REFERENCE = re.compile(r"s3://\S+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_NUMBER = re.compile(r"\d[\d,._]*")


@dataclass(slots=True)
class FailureCause:
    """What failed for one reason under one sync; ``newest`` are a few examples, ``folders`` where they lie.

    ``shape`` is the message without what differs from file to file: ``row #: … is no integer``.
    """

    sync: str
    error: str
    branch: Branch
    shape: str
    count: int = 0
    newest: list[Entry] = field(default_factory=list)
    folders: Counter[str] = field(default_factory=Counter)

    @property
    def example(self) -> Entry:
        """The newest one."""
        return self.newest[0]

    @property
    def top_folders(self) -> list[tuple[str, int]]:
        """The folders with most of them."""
        return self.folders.most_common(_KEPT_FOLDERS)

    def add(self, entry: Entry) -> None:
        """Count one; they come the newest first."""
        self.count += 1
        self.folders[_folder_of(entry)] += 1
        if len(self.newest) < _EXAMPLES:
            self.newest.append(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSurvey:
    """Causes, the most frequent first; ``is_whole``: nothing was left out, ``read`` failures were looked at."""

    causes: tuple[FailureCause, ...]
    read: int
    is_whole: bool


def survey_failures(pages: LedgerPages, *, sync: str | None = None, most: int = MOST_FAILURES) -> FailureSurvey:
    """Group the newest failures, ``most`` of them."""
    failed = pages.newest_in_state(State.FAILED)
    newest = list(islice(failed, most))
    causes = group_failures(entry for entry in newest if sync in {None, entry.sync})
    return FailureSurvey(causes=causes, read=len(newest), is_whole=next(failed, None) is None)


def group_failures(entries: Iterable[Entry]) -> tuple[FailureCause, ...]:
    """Group by sync, error and the shape of the message; the most frequent cause first."""
    causes: dict[tuple[str, str, str], FailureCause] = {}
    for entry in entries:
        failure = entry.failure or _UNKNOWN
        shape = to_shape(failure.message, entry.source)
        key = (entry.sync, failure.error, shape)
        if key not in causes:
            causes[key] = FailureCause(entry.sync, failure.error, failure.branch, shape)
        causes[key].add(entry)
    return tuple(sorted(causes.values(), key=lambda cause: -cause.count))


_UNKNOWN = Failure(branch=Branch.TRANSIENT, error="unknown", message="the ledger does not say why")


def to_shape(message: str, source: ObjectRef) -> str:
    """A message without references, quoted values and numbers: ``row 7 has '1,5'`` gives ``row # has …``."""
    # The object's own address first: a blank in its key would end the pattern's match.
    without_references = _REFERENCE.sub("s3://…", message.replace(str(source), "s3://…"))
    return _NUMBER.sub("#", _QUOTED.sub("…", without_references))


def _folder_of(entry: Entry) -> str:
    """``s3://bucket/in/2026/`` of ``in/2026/a.csv``."""
    folder = entry.source.key.rpartition("/")[0]
    return f"s3://{entry.source.bucket}/{folder}/" if folder else f"s3://{entry.source.bucket}/"
