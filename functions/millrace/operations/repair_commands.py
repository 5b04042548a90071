"""The command that repairs what failed: one rule for all that names it, whatever shows it."""

from __future__ import annotations

from dataclasses import dataclass

from millrace.ledger.entries import Branch, Entry
from millrace.texts import quote_for_shell


@dataclass(frozen=True, slots=True)
class RepairAdvice:
    """What a person does first, and the command that goes on from there."""

    first: str
    command: str


def advise_repair(entry: Entry, *, of_all_failed: bool = False) -> RepairAdvice:
    """How the failure of an entry is repaired; ``of_all_failed``: with all that failed of its sync."""
    if entry.big_run is not None and entry.failure is not None and entry.failure.branch is not Branch.DATA:
        return RepairAdvice(
            "See what ended the run; what it has done so far is kept for a week",
            f"millrace runs resume {quote_for_shell(entry.big_run.execution)}",
        )
    again = _to_reprocess(entry, of_all_failed=of_all_failed)
    match entry.failure.branch if entry.failure else None:
        case Branch.DATA:
            return RepairAdvice(
                "Mend the file and upload it: that is enough. Or change how the sync reads it, deploy, and convert "
                "it again",
                again,
            )
        case Branch.CONFIGURATION:
            return RepairAdvice(
                "Mend what the message names (a grant, a bucket, an option). If its queue is paused, resume that; "
                "else convert it again",
                again,
            )
        case _:
            return RepairAdvice(
                "It is tried again by itself, until its message is a dead letter: redrive that, or convert it again",
                again,
            )


def _to_reprocess(entry: Entry, *, of_all_failed: bool) -> str:
    sync = quote_for_shell(entry.sync)
    if of_all_failed:
        return f"millrace reprocess {sync} --state failed"
    return f"millrace reprocess {sync} --key {quote_for_shell(entry.source.key)}"
