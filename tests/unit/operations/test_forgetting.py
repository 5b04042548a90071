"""Only what the configuration no longer has is forgotten, and nothing of it without being asked."""

from __future__ import annotations

import pytest

from millrace.errors import UsageError
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef
from millrace.operations.forgetting import Forgetter
from tests.fakes import InMemoryLedger


@pytest.fixture
def ledger() -> InMemoryLedger:
    memory = InMemoryLedger()
    for sync in ("old", "new"):
        for name in ("a", "b"):
            entry = Entry.unseen(sync, ObjectRef("b", name), fingerprint="f", engine="1")
            memory.entries[sync, entry.source] = entry
    return memory


@pytest.mark.parametrize(("dry_run", "left"), [(True, 4), (False, 2)])
def test_the_items_of_a_sync_are_named_and_deleted_unless_it_is_only_tried(
    ledger: InMemoryLedger, *, dry_run: bool, left: int
) -> None:
    keys = list(Forgetter(ledger, frozenset({"new"})).forget("old", dry_run=dry_run))

    assert len(keys) == 2
    assert len(ledger.entries) == left
    assert {sync for sync, _ in ledger.entries} == ({"old", "new"} if dry_run else {"new"})


def test_an_active_sync_is_never_forgotten(ledger: InMemoryLedger) -> None:
    with pytest.raises(UsageError, match="'new' is active"):
        list(Forgetter(ledger, frozenset({"new"})).forget("new", dry_run=True))

    assert len(ledger.entries) == 4
    assert {entry.state for entry in ledger.works()} == {State.WAITING}
