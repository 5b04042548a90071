"""What people send to the functions that do what they ask: an event is understood, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import UsageError
from millrace.operations.backfills.steering import BackfillOrder
from millrace.operations.reconcile import Call
from millrace.operations.reprocess import Reprocess

SELECTION = ("keys", "prefix", "state", "stale", "reset_schema", "dry_run", "run_id", "start_after", "order")
BACKFILL = ("action", "prefix", "inventory", "concurrency", "most_waiting", "keys")
WORDS = st.sampled_from(("nightly", "failed", "in flight", "schema", "in/", ""))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("parse", "fields"),
    [(Reprocess.parse, SELECTION), (Call.parse, ("calls_left", "keys")), (BackfillOrder.parse, BACKFILL)],
    ids=["reprocess", "reconcile", "backfill"],
)
@given(sync=st.just("nightly") | VALUES, data=st.data())
def test_whatever_an_event_holds_it_is_understood_or_refused_with_a_reason(
    parse: Callable[[Mapping[str, Any]], object], fields: tuple[str, ...], sync: object, data: st.DataObject
) -> None:
    event = data.draw(st.dictionaries(st.sampled_from(fields), VALUES, max_size=3))
    with suppress(UsageError):
        parse({"sync": sync} | event)


@pytest.mark.parametrize("state", ["converted", ["failed"], {"failed": True}, 1])
def test_a_state_is_one_of_those_that_need_attention(state: object) -> None:
    with pytest.raises(UsageError, match="expected 'failed', 'in flight' or 'waiting'"):
        Reprocess.parse({"sync": "nightly", "state": state})
