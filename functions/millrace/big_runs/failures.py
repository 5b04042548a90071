"""Failures as documents, and as the machine tells them: by the names of errors.

Of a map the machine says only that too many of its children failed, so a child that raises leaves a note of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from millrace import errors
from millrace.big_runs.documents import TROUBLE, RunDocuments
from millrace.engine.parts.documents import get_document
from millrace.ledger.entries import Branch, Failure
from millrace.mappings import leave_out_none

_DEATHS = frozenset({"ExitError", "Timedout", "OutOfMemory", "Timeout"})
"""Ends of a function's process, by the last part of their names: ``Runtime.ExitError``, ``Sandbox.Timedout``,
``Runtime.OutOfMemory`` and ``States.Timeout`` (AWS Step Functions Developer Guide, "Handling errors")."""

_MAP_FAILED = "ExceedToleratedFailureThreshold"
"""A child failed at each of its tries (AWS Step Functions Developer Guide, "Setting failure thresholds for Distributed
Map states in Step Functions")."""


def failure_to_document(failure: Failure) -> dict[str, Any]:
    """A failure, for ``failure_from_document``."""
    return leave_out_none({**asdict(failure), "branch": str(failure.branch)})


def failure_from_document(document: Any) -> Failure:
    """The failure that gave the document."""
    return Failure(**{**document, "branch": Branch(document["branch"])})


def note_trouble(documents: RunDocuments, error: Exception, find_result: Callable[[], str]) -> None:
    """Leave a note of what a child raised, if anything can be written.

    ``find_result`` gives the path of what the child is to leave. The note counts as long as that is missing: a child
    that comes through when it is tried again was in no trouble.
    """
    with suppress(errors.MillraceError):
        note = {"failure": failure_to_document(Failure.of(error)), "result": find_result()}
        documents.replace(TROUBLE, note)


def find_failure(documents: RunDocuments, error: Mapping[str, Any] | None) -> Failure:
    """What a run failed of: as the machine says, or, of a map, as the last child did that raised."""
    failure = failure_of_machine(error)
    if failure.error != _MAP_FAILED:
        return failure
    trouble = documents.find(TROUBLE)
    if trouble is not None and documents.find(str(trouble["result"])) is None:
        return failure_from_document(get_document(trouble, "failure"))
    reason = "a part failed at each of its tries and left no word: was it out of memory, or was no function to be had?"
    return replace(failure, message=f"{reason} See the log of the function of big runs. {failure.message}")


def failure_of_machine(error: Mapping[str, Any] | None) -> Failure:
    """What a phase raised, as Step Functions has it: ``{"Error": name, "Cause": text}``.

    The cause of a Lambda function's error is a text of JSON: ``{"errorType": ..., "errorMessage": ...}``. A child that
    died at each of its tries, for its memory or its time, would die again: that is an error of the data, as of any
    worker (``errors.Crashed``). What else is not ours counts as transient.
    """
    given = error or {}
    name, message = str(given.get("Error", "Unknown")), str(given.get("Cause", ""))
    try:
        cause = json.loads(message)
        name, message = str(cause["errorType"]), str(cause["errorMessage"])
    except (ValueError, LookupError, TypeError):
        pass
    name = name.rpartition(".")[2]
    if name in _DEATHS:
        reason = f"all workers over one of its parts died ({name}: {message}); give the functions more memory"
        return Failure(branch=Branch.DATA, error=errors.Crashed.__name__, message=f"{reason}, or make parts smaller")
    return Failure(branch=_branch_of(name), error=name, message=message)


def _branch_of(name: str) -> Branch:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.DataError):
        return Branch.DATA
    if isinstance(kind, type) and issubclass(kind, errors.ConfigurationError):
        return Branch.CONFIGURATION
    return Branch.TRANSIENT
