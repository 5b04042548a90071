"""What 0.1.0 wrote into the ledger is read, and written back as it was.

``recorded/ledger-0.1.0.jsonl`` holds items that 0.1.0 put while its own tests and schedules ran: of every kind of entry
and every state that each can be in, a line each. Bytes are in base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from millrace.aws.ledger_items import entry_of, item_of
from millrace.ledger.entries import State, WorkEntry

RECORDED = Path(__file__).parent / "recorded" / "ledger-0.1.0.jsonl"


def read_items() -> Iterator[dict[str, Any]]:
    for line in RECORDED.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if "schema" in item:
            item["schema"] = {"B": base64.b64decode(item["schema"]["B"])}
        yield item


ITEMS = list(read_items())


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item['sync']['S']} {item['state']['S']}")
def test_an_item_is_written_back_as_it_was_read(item: dict[str, Any]) -> None:
    assert item_of(entry_of(item)) == item


def test_what_was_added_since_is_read_as_it_was_written() -> None:
    since: dict[str, Any] = {"deaths": 2, "dead_owners": ("m1", "m2"), "deployment": 3, "shape": "s", "open_run": "r"}
    recorded = [entry for entry in map(entry_of, ITEMS) if isinstance(entry, WorkEntry)]
    entries = [replace(entry, **since) for entry in recorded]

    assert [entry_of(item_of(entry)) for entry in entries] == entries


def test_every_kind_and_state_is_recorded() -> None:
    kinds = {(item["sync"]["S"].partition("#")[2], item["key"]["S"].endswith("/")) for item in ITEMS}
    states = {item["state"]["S"] for item in ITEMS}

    assert {("", False), ("", True), ("table", False), ("schema", False), ("format", False)} <= kinds
    assert states == set(State)
