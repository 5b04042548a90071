"""What the page may change: only where it is allowed, only by its own forms, and only what a dry run showed."""

from __future__ import annotations

import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from tests.page_plant import CONTROL_KEY, PagePlant, plant_commits
from tests.unit.ui.conftest import ADDRESS, open_page

ANSWER = {
    "run_id": "20261128T213000",
    "selected": 7,
    "ignored": 1,
    "out_of_scope": 0,
    "examples": ["s3://acme-in/in/2026/q0.csv"],
    "complete": True,
}


@pytest.fixture
def acting(planted: PagePlant) -> TestClient:
    """A page that may change something."""
    return open_page(planted, allow_actions=True)


def fields_of(markup: str) -> dict[str, str]:
    """The hidden fields of the last form of a page: the first one is the search."""
    form = re.findall(r'<form[^>]*method="post".*?</form>', markup, re.DOTALL)[-1]
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in pairs}


def post(page: TestClient, path: str, fields: dict[str, str], *, status: int = 200) -> str:
    answer = page.post(path, data=fields, headers={"origin": ADDRESS})
    assert answer.status_code == status, answer.text
    return answer.text


def open_form(page: TestClient, path: str, **query: str) -> dict[str, str]:
    return fields_of(page.get(path, params=query).text)


class TestReprocessForm:
    def test_a_dry_run_counts_and_the_next_step_does_just_that(self, planted: PagePlant, acting: TestClient) -> None:
        planted.answers = [ANSWER, ANSWER]
        asked = {"sync": "nightly", "state": "failed", "key": "", "prefix": ""}

        shown = post(acting, "/actions/reprocess", open_form(acting, "/actions/reprocess") | asked)
        done = post(acting, "/actions/reprocess", fields_of(shown))

        assert "Would be put on the queue" in shown
        assert "7 objects of nightly" in shown
        assert "s3://acme-in/in/2026/q0.csv" in shown
        assert "<h1>Put on the queue</h1>" in done
        event = {"sync": "nightly", "state": "failed"}
        assert planted.invoked == [
            ("millrace-reprocess", event | {"dry_run": True}),
            ("millrace-reprocess", event | {"dry_run": False}),
        ]
        assert 'method="post"' not in done

    def test_what_one_invocation_cannot_do_goes_on_with_the_same_run(
        self, planted: PagePlant, acting: TestClient
    ) -> None:
        partly = ANSWER | {"complete": False, "start_after": "in/2026/q3.csv"}
        planted.answers = [ANSWER, partly, ANSWER | {"untold": "no bus"}]

        shown = post(acting, "/actions/reprocess", open_form(acting, "/actions/reprocess") | {"sync": "nightly"})
        so_far = post(acting, "/actions/reprocess", fields_of(shown))
        done = post(acting, "/actions/reprocess", fields_of(so_far))

        assert "Put on the queue so far" in so_far
        assert "Go on with the rest" in so_far
        assert "told of it" not in so_far
        assert "others are told of it later, or not at all: no bus" in done
        assert "<h1>Put on the queue</h1>" in done
        assert planted.invoked[-1][1] == {
            "sync": "nightly",
            "dry_run": False,
            "run_id": "20261128T213000",
            "start_after": "in/2026/q3.csv",
        }

    def test_nothing_is_done_that_no_dry_run_showed(self, planted: PagePlant, acting: TestClient) -> None:
        planted.answers = [ANSWER, ANSWER]
        form = open_form(acting, "/actions/reprocess")
        shown = post(acting, "/actions/reprocess", form | {"sync": "nightly", "state": "failed"})

        without = post(acting, "/actions/reprocess", form | {"sync": "nightly", "step": "do"}, status=400)
        other = post(acting, "/actions/reprocess", fields_of(shown) | {"state": ""}, status=400)

        assert "begin with the dry run again" in without
        assert "begin with the dry run again" in other
        assert len(planted.invoked) == 1

    def test_a_form_of_an_earlier_start_is_refused(self, planted: PagePlant, acting: TestClient) -> None:
        text = post(acting, "/actions/reprocess", {"form_key": "old", "sync": "nightly"}, status=400)

        assert "earlier start of the page" in text
        assert planted.invoked == []

    def test_what_the_command_would_refuse_is_refused_before_anything_is_asked(
        self, planted: PagePlant, acting: TestClient
    ) -> None:
        form = open_form(acting, "/actions/reprocess") | {"sync": "nightly", "key": "a", "prefix": "b"}

        assert "keys and prefix were given together" in post(acting, "/actions/reprocess", form, status=400)
        assert planted.invoked == []

    @pytest.mark.parametrize("key", [CONTROL_KEY, 'in/it\'s "quoted" & <b>.csv', " in/blanks .csv "])
    def test_a_key_stays_what_it_is(self, planted: PagePlant, acting: TestClient, key: str) -> None:
        planted.answers = [ANSWER, ANSWER]
        page = acting.get("/actions/reprocess", params={"sync": "nightly", "key": key}).text
        form = fields_of(page) | {"sync": "nightly"}
        if "exact_key" not in form:
            form["key"] = unescape(re.findall(r'name="key" value="([^"]*)"', page)[0])

        shown = post(acting, "/actions/reprocess", form)
        post(acting, "/actions/reprocess", fields_of(shown))

        assert [event["keys"] for _, event in planted.invoked] == [[key], [key]]

    def test_failures_and_stories_lead_to_the_form(self, acting: TestClient) -> None:
        failures = unescape(acting.get("/failures").text)
        story = unescape(acting.get("/object?sync=nightly&source=s3://acme-in/in/orders.csv").text)

        assert "/actions/reprocess?sync=nightly&state=failed" in failures
        assert "/actions/reprocess?sync=hourly&key=in%2Fdenied.csv" in failures
        assert "/actions/reprocess?sync=nightly&key=in%2Forders.csv" in story


class TestRedriveForm:
    def test_letters_are_counted_and_then_moved(self, planted: PagePlant, acting: TestClient) -> None:
        shown = post(acting, "/actions/redrive", open_form(acting, "/actions/redrive"))
        assert planted.sqs.sent == []
        done = post(acting, "/actions/redrive", fields_of(shown))

        assert "1 message: 1 configuration" in shown
        assert "<h1>Moved</h1>" in done
        assert [queue for queue, _ in planted.sqs.sent] == ["https://sqs/1/millrace-landing"]
        assert list(planted.sqs.letters) == ["m-2"]

    def test_what_the_committer_gave_up_goes_back_to_its_queue(self, planted: PagePlant, acting: TestClient) -> None:
        plant_commits(planted)
        form = open_form(acting, "/actions/redrive") | {"class": "commit"}

        shown = post(acting, "/actions/redrive", form)
        post(acting, "/actions/redrive", fields_of(shown))

        assert "1 message: 1 commit" in shown
        assert [queue for queue, _ in planted.sqs.sent] == ["https://sqs/1/millrace-commit.fifo"]
        assert planted.sqs.commit_letters == {}

    def test_a_class_can_be_chosen_and_must_be_one(self, planted: PagePlant, acting: TestClient) -> None:
        form = open_form(acting, "/actions/redrive")

        assert "1 message: 1 unreadable" in post(acting, "/actions/redrive", form | {"class": "unreadable"})
        assert "expected" in post(acting, "/actions/redrive", form | {"class": "lost"}, status=400)


class TestResumeForm:
    def test_the_reason_is_shown_and_then_the_queue_is_received_from_again(
        self, planted: PagePlant, acting: TestClient
    ) -> None:
        form = open_form(acting, "/actions/resume") | {"queue": "millrace-landing"}
        shown = post(acting, "/actions/resume", form)
        assert planted.functions.states == {"millrace-landing": "Disabled"}
        done = post(acting, "/actions/resume", fields_of(shown))

        assert "Would be resumed: millrace-landing" in shown
        assert "was denied; grant it" in shown
        assert "Resumed: millrace-landing" in done
        assert planted.functions.states == {"millrace-landing": "Enabled"}
        assert planted.cloudwatch.put[0]["MetricData"][0]["MetricName"] == "CircuitOpen"

    def test_what_is_not_paused_is_not_resumed(self, acting: TestClient) -> None:
        form = open_form(acting, "/actions/resume") | {"queue": "another"}

        assert "is not paused, or no longer" in unescape(post(acting, "/actions/resume", form, status=400))


def test_without_being_allowed_there_are_no_forms_and_no_way_to_them(page: TestClient) -> None:
    for path in ("/", "/failures", "/dead-letters", "/object?sync=nightly&source=s3://acme-in/in/orders.csv"):
        assert "/actions/" not in page.get(path).text
    for path in ("/actions/reprocess", "/actions/redrive", "/actions/resume"):
        assert page.get(path).status_code == 404
        assert page.post(path, headers={"origin": ADDRESS}).status_code == 403
