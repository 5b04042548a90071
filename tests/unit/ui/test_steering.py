"""Backfills and big runs on the page: what a dry run says, and that only what it said is done."""

from __future__ import annotations

from html import unescape

import pytest
from starlette.testclient import TestClient

from millrace.operations.backfills.board import BackfillState
from tests.page_plant import PagePlant, plant_work, put_backfill
from tests.unit.ui.conftest import open_page
from tests.unit.ui.test_actions import fields_of, open_form, post

BACKFILL = "/actions/backfill"
BIG_RUN = "/actions/run"


@pytest.fixture
def busy() -> PagePlant:
    """A deployment with a backfill that goes on, a run at work, and one that failed."""
    return plant_work()


@pytest.fixture
def steering(busy: PagePlant) -> TestClient:
    """A page that may change something."""
    return open_page(busy, allow_actions=True)


def test_the_list_leads_to_what_can_be_done_with_each(steering: TestClient) -> None:
    shown = unescape(steering.get("/runs/list").text)

    assert f'href="{BACKFILL}?sync=nightly">Pause…' in shown
    assert f'href="{BACKFILL}?sync=nightly&action=stop">Give up…' in shown
    assert f'href="{BIG_RUN}?run=orders-2f1e">Stop…' in shown
    assert f'href="{BIG_RUN}?run=orders-1a2b">Resume…' in shown


def test_who_came_to_give_a_backfill_up_need_not_choose_it(steering: TestClient) -> None:
    shown = steering.get(BACKFILL, params={"sync": "nightly", "action": "stop"}).text

    assert '<option value="stop" selected>Give it up</option>' in shown
    assert '<option value="pause">Pause</option>' in shown


def test_a_page_that_only_shows_leads_nowhere(busy: PagePlant) -> None:
    page = open_page(busy)

    assert "/actions/" not in page.get("/runs/list").text
    assert page.get(BACKFILL, params={"sync": "nightly"}).status_code == 404
    assert page.get(BIG_RUN, params={"run": "orders-2f1e"}).status_code == 404


class TestBackfillOnThePage:
    def test_it_is_paused_after_a_dry_run(self, busy: PagePlant, steering: TestClient) -> None:
        busy.answers = [{}]
        form = open_form(steering, BACKFILL, sync="nightly") | {"action": "pause"}
        shown = post(steering, BACKFILL, form)
        assert busy.invoked == []
        done = post(steering, BACKFILL, fields_of(shown))

        assert "Would be paused: backfill of nightly" in shown
        assert "nothing is lost" in shown
        assert "Paused: backfill of nightly" in done
        assert busy.invoked == [("millrace-backfill", {"sync": "nightly", "action": "pause"})]

    def test_a_paused_one_goes_on(self, busy: PagePlant, steering: TestClient) -> None:
        put_backfill(busy, BackfillState.PAUSED)
        busy.answers = [{}]
        form = open_form(steering, BACKFILL, sync="nightly") | {"action": "resume"}
        done = post(steering, BACKFILL, fields_of(post(steering, BACKFILL, form)))

        assert "Resumed: backfill of nightly" in done
        assert busy.invoked == [("millrace-backfill", {"sync": "nightly", "action": "resume"})]
        assert f'href="{BACKFILL}?sync=nightly">Resume…' in unescape(steering.get("/runs/list").text)

    def test_nothing_is_done_that_the_dry_run_did_not_say(self, busy: PagePlant, steering: TestClient) -> None:
        form = open_form(steering, BACKFILL, sync="nightly") | {"action": "pause"}
        fields = fields_of(post(steering, BACKFILL, form))
        put_backfill(busy, BackfillState.PAUSED)

        assert "is paused; look at it again" in unescape(post(steering, BACKFILL, fields, status=400))
        assert "begin with the dry run again" in post(steering, BACKFILL, fields | {"action": "resume"}, status=400)
        assert busy.invoked == []

    def test_what_is_not_there_or_no_action_is_refused(self, busy: PagePlant, steering: TestClient) -> None:
        form = open_form(steering, BACKFILL, sync="nightly")

        assert "action is 'drop'" in unescape(post(steering, BACKFILL, form | {"action": "drop"}, status=400))
        put_backfill(busy, BackfillState.STOPPED)
        assert "no backfill of" in unescape(steering.get(BACKFILL, params={"sync": "nightly"}).text)
        busy.backfill_function = None
        page = open_page(busy, allow_actions=True)
        assert "has no backfills" in page.get(BACKFILL, params={"sync": "nightly"}).text

    @pytest.mark.parametrize("state", [BackfillState.RUNNING, BackfillState.PAUSED])
    def test_one_that_goes_on_or_is_paused_is_given_up(
        self, busy: PagePlant, steering: TestClient, state: BackfillState
    ) -> None:
        put_backfill(busy, state)
        busy.answers = [{}]
        form = open_form(steering, BACKFILL, sync="nightly") | {"action": "stop"}
        shown = post(steering, BACKFILL, form)
        done = post(steering, BACKFILL, fields_of(shown))

        assert "Would be given up: backfill of nightly" in shown
        assert "what waits on the queue is passed over" in shown
        assert "Given up: backfill of nightly" in done
        assert busy.invoked == [("millrace-backfill", {"sync": "nightly", "action": "stop"})]


class TestBigRunOnThePage:
    def test_one_at_work_is_stopped_after_a_dry_run(self, busy: PagePlant, steering: TestClient) -> None:
        executions = busy.extra["stepfunctions"].executions
        form = open_form(steering, BIG_RUN, run="orders-2f1e") | {"action": "stop"}
        shown = post(steering, BIG_RUN, form)
        assert executions["orders-2f1e"]["status"] == "RUNNING"
        done = post(steering, BIG_RUN, fields_of(shown))

        assert "what is done is kept for a week" in shown
        assert "convert 17 of 48 parts" in shown
        assert "Stopped: orders-2f1e" in done
        assert (executions["orders-2f1e"]["status"], executions["orders-2f1e"]["cause"]) == (
            "ABORTED",
            "stopped on the page",
        )
        assert "is over" in post(steering, BIG_RUN, form, status=400)

    def test_one_that_failed_goes_on(self, busy: PagePlant, steering: TestClient) -> None:
        executions = busy.extra["stepfunctions"].executions
        before = set(executions)
        form = open_form(steering, BIG_RUN, run="orders-1a2b") | {"action": "resume"}
        shown = post(steering, BIG_RUN, form)
        assert set(executions) == before
        done = post(steering, BIG_RUN, fields_of(shown))

        (begun,) = set(executions) - before
        assert f"goes on as {begun}" in done

    def test_what_the_command_would_refuse_is_refused(self, busy: PagePlant, steering: TestClient) -> None:
        form = open_form(steering, BIG_RUN, run="orders-2f1e")
        gone = unescape(steering.get(BIG_RUN, params={"run": "gone"}).text)

        assert "is at work" in post(steering, BIG_RUN, form | {"action": "resume"}, status=400)
        assert "there is no big run 'gone'" in gone
        busy.big_run_machine = None
        page = open_page(busy, allow_actions=True)
        assert "no machine for big runs" in page.get(BIG_RUN, params={"run": "orders-2f1e"}).text
