"""The page of a large ledger: 100,000 entries cost no more than a thousand."""

from __future__ import annotations

import time
import zlib
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from millrace.aws.ledger_items import SHARDS, item_of
from millrace.ledger.entries import State
from tests.fake_table import FakeTableClient
from tests.page_plant import NOW, PagePlant, entry, failure, plant
from tests.unit.ui.conftest import open_page

ENTRIES = 100_000
MOST_SECONDS = 3.0
"""Of processor time of one view, on one thread: what AWS takes to answer is not in it.

Without other work on the machine it is half a second at most; suites that share its processors make that more.
"""


def fill(table: FakeTableClient, count: int) -> None:
    """Put entries of the last two days, a tenth of them failed, each as the ledger writes it."""
    models = {
        State.CONVERTED: item_of(entry("k")),
        State.FAILED: item_of(entry("k", State.FAILED, failure=failure("row 7: 4 fields, expected 3", row=7))),
    }
    for number in range(count):
        state = State.CONVERTED if number % 10 else State.FAILED
        moment = NOW - timedelta(seconds=number * 1.5)
        _place(table, models[state], f"in/{number % 100:02}/{number:06}.csv", moment.isoformat())
    for entries in table.indexes.values():
        entries.sort()


def _place(table: FakeTableClient, model: dict[str, Any], key: str, moment: str) -> None:
    """An entry with another key and another time; the client would sort 100,000 times, so it is put by its parts."""
    pk = f"nightly\x1facme-in\x1f{key}"
    shard = zlib.crc32(pk.encode()) % SHARDS
    item = model | {"pk": {"S": pk}, "key": {"S": key}, "sources_sk": {"S": key}, "finished": {"S": moment}}
    for index in ("sources", "finished", "attention"):
        if f"{index}_pk" in model:
            partition = model[f"{index}_pk"]["S"].rpartition("#")[0]
            if index == "finished":
                partition = moment[:10]
            item[f"{index}_pk"] = {"S": f"{partition}#{shard:02}"}
            if index != "sources":
                item[f"{index}_sk"] = {"S": moment}
            place = item[f"{index}_sk"]["S"].encode()
            table.indexes.setdefault((index, item[f"{index}_pk"]["S"]), []).append((place, pk))
    table.items[pk] = item


@pytest.fixture(scope="module")
def large() -> PagePlant:
    planted = plant()
    fill(planted.table, ENTRIES)
    return planted


@pytest.fixture(scope="module")
def page(large: PagePlant) -> TestClient:
    return open_page(large)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "2,000 or more"),
        ("/failures", "The newest 5,000 failures; there are more"),
        ("/objects", "Next page"),
        ("/objects?sync=nightly&prefix=in/42/", "in/42/000042.csv"),
        ("/objects?sync=nightly&state=superseded", "Look further"),
        ("/objects?day=2026-11-28&state=failed", "Next page"),
    ],
)
def test_a_view_takes_no_longer_than_one_of_a_small_ledger(page: TestClient, path: str, words: str) -> None:
    page.get("/static/page.css")
    begin = time.process_time()
    answer = page.get(path)
    seconds = time.process_time() - begin

    assert words in answer.text
    assert seconds < MOST_SECONDS, f"{path}: {seconds:.2f} s"


@pytest.mark.slow
def test_a_list_is_read_from_an_index_a_page_at_a_time(large: PagePlant, page: TestClient) -> None:
    large.table.calls.clear()
    page.get("/objects?sync=nightly&prefix=in/42/")

    assert large.table.calls == ["query"] * SHARDS
