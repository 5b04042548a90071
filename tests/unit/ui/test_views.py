"""Each view as its reader gets it, of a deployment with something of everything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from starlette.testclient import TestClient

from millrace.aws.faults import explain
from millrace.errors import ConfigurationError
from millrace.operations.day_loads import DayLoad, read_day_load
from millrace.operations.history.reading import CostSum
from millrace.remote.history import open_history
from millrace.ui.views.history import draw_plot
from tests.page_plant import BIDI_KEY, CONTROL_KEY, LONG_KEY, SCRIPT_KEY, PagePlant, plant_commits, plant_more
from tests.unit.ui.conftest import open_page


class PageText(HTMLParser):
    """The text of a page, without its marks, and the addresses of its links; blanks are made one."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(markup)
        self.text = re.sub(r"\s+", " ", " ".join(self.pieces))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]


def read(page: TestClient, path: str, query: Mapping[str, str] | None = None, *, status: int = 200) -> PageText:
    answer = page.get(f"{path}?{urlencode(query)}" if query else path)
    assert answer.status_code == status, answer.text
    return PageText(answer.text)


def story(page: TestClient, key: str, path: str = "/object", **query: str) -> PageText:
    return read(page, path, {"sync": "nightly", "source": f"s3://acme-in/{key}", **query})


class TestOverviewView:
    def test_lag_comes_first(self, page: TestClient) -> None:
        text = read(page, "/").text

        assert "Oldest waiting 12 min Waiting 1,204 In flight 3 longest: 90 min" in text
        assert "Done last hour 15" in text
        assert "Failed 9 Dead letters 2 Unaccounted 3" in text

    def test_each_sync_has_its_queue_its_work_and_its_last_comparison(self, page: TestClient) -> None:
        text = read(page, "/").text

        assert "nightly 12 min 1,204 1 put off 2 for 90 min 1 abandoned 14 8 3 compared 4 h ago" in text
        assert "hourly 12 min 1,204 1 for 30 s 1 1 not compared yet" in text

    def test_a_paused_queue_says_why_and_what_to_run(self, page: TestClient) -> None:
        text = read(page, "/").text

        assert "Paused: millrace-landing" in text
        assert "because of sync hourly : s3:GetObject on s3://acme-in/in/denied.csv was denied" in text
        assert "millrace resume millrace-landing" in text

    def test_what_aws_does_not_say_is_named_and_leaves_nothing_else_out(
        self, planted: PagePlant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def deny(**_: Any) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetQueueAttributes")

        monkeypatch.setattr(planted.sqs, "get_queue_attributes", deny)
        text = read(open_page(planted), "/").text

        assert "Not known" in text
        assert "sqs:GetQueueAttributes" in text
        assert "2 for 90 min" in text

    def test_without_a_configuration_the_only_queue_is_every_syncs(self, planted: PagePlant) -> None:
        assert "nightly 12 min 1,204" in read(open_page(planted, planner=None), "/").text


class TestFailuresView:
    def test_what_fails_for_one_reason_is_one_line(self, page: TestClient) -> None:
        text = read(page, "/failures").text

        assert "7 RaggedRow data nightly" in text
        assert "s3://acme-in/in/2026/q0.csv row 3, byte 17" in text
        assert "millrace reprocess nightly --state failed" in text

    def test_a_cause_of_one_object_has_the_command_for_that_object(self, page: TestClient) -> None:
        text = read(page, "/failures").text

        assert "1 AccessDenied configuration hourly" in text
        assert "millrace reprocess hourly --key in/denied.csv" in text

    def test_one_sync_can_be_chosen(self, page: TestClient) -> None:
        text = read(page, "/failures", {"sync": "hourly"}).text

        assert "AccessDenied" in text
        assert "RaggedRow" not in text


class TestObjectsView:
    @pytest.mark.parametrize(
        ("query", "keys"),
        [
            ({"state": "in flight"}, {"in/quick.csv", "in/slow.csv", "in/dead.csv"}),
            ({"state": "in flight", "sync": "hourly"}, {"in/quick.csv"}),
            ({"state": "waiting"}, {"in/archived.csv"}),
            ({"state": "quarantined", "sync": "nightly"}, {"in/bad.csv"}),
            ({"state": "quarantined"}, {"in/bad.csv"}),
            ({"day": "2026-11-25"}, {"in/old.csv"}),
            ({"day": "2026-11-25", "state": "failed"}, set()),
            ({"sync": "hourly"}, {"in/denied.csv", "in/quick.csv"}),
            ({"sync": "nightly", "prefix": "in/o"}, {"in/orders.csv", "in/old.csv"}),
            ({"prefix": "s3://acme-in/in/ord"}, {"in/orders.csv"}),
            ({"prefix": "s3://another/in/ord"}, set()),
            ({"state": "failed", "prefix": "in/2026/q1"}, {"in/2026/q1.csv"}),
        ],
    )
    def test_filters_are_in_the_address(self, page: TestClient, query: dict[str, str], keys: set[str]) -> None:
        links = [link for link in read(page, "/objects", query).links if link.startswith("/object?")]

        assert {link.partition("acme-in%2F")[2] for link in links} == {quote(key, safe="") for key in keys}

    def test_the_form_keeps_what_was_chosen(self, page: TestClient) -> None:
        markup = page.get("/objects?state=failed&sync=hourly&day=2026-11-28&prefix=in/").text

        assert "<option selected>failed</option>" in markup
        assert "<option selected>hourly</option>" in markup
        assert 'value="2026-11-28"' in markup
        assert 'name="prefix" value="in/"' in markup

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"state": "lost"}, "state is &#39;lost&#39;; expected &#39;in flight&#39;"),
            ({"day": "yesterday"}, "expected a UTC day such as 2026-11-28"),
            ({"after": "x"}, "was it cut?"),
        ],
    )
    def test_a_filter_that_is_none_says_what_is_expected(
        self, page: TestClient, query: dict[str, str], words: str
    ) -> None:
        answer = page.get("/objects", params=query)

        assert answer.status_code == 400
        assert words in answer.text


class TestStoryView:
    def test_every_field_of_the_entry_is_there(self, page: TestClient) -> None:
        text = story(page, "in/orders.csv").text

        for words in (
            "rows read 3 rows written 3",
            "source bytes 49 source etag 9e107d9d fence 2 attempts 1",
            "fingerprint 8c1f0e engine 0.2.0 schema version 2",
            "started 2026-11-28 20:59:59 UTC finished 2026-11-28 21:00:00 UTC milliseconds 420",
        ):
            assert words in text

    def test_lineage_leads_to_the_outputs(self, page: TestClient) -> None:
        text = story(page, "in/bad.csv").text

        assert "output s3://acme-out/lake/bad.jsonl 2 rows, 46 bytes · ETag a2" in text
        assert "rows put aside s3://acme-out/lake/_quarantine/in/bad.jsonl 1 row" in text

    def test_a_failure_has_its_place_and_its_command(self, page: TestClient) -> None:
        text = story(page, "in/2026/q3.csv").text

        assert "RaggedRow data row 6, byte 377" in text
        assert "millrace reprocess nightly --key in/2026/q3.csv" in text

    def test_work_of_a_dead_worker_is_called_that(self, page: TestClient) -> None:
        assert "its worker's lease ran out" in story(page, "in/dead.csv").text
        assert "lease ran out" not in story(page, "in/slow.csv").text

    def test_first_rows_of_the_source_have_their_types(self, page: TestClient) -> None:
        text = story(page, "in/orders.csv", "/object/preview").text

        assert "id int64 zip text note text 1 00501 first 2 90210 missing 3 10001 third" in text

    def test_first_rows_of_an_output(self, page: TestClient) -> None:
        text = story(page, "in/orders.csv", "/object/preview", of="s3://acme-out/lake/orders.jsonl").text

        assert "1 00501 2 90210" in text

    @pytest.mark.parametrize("path", ["/object/preview", "/object/quarantined"])
    def test_only_what_the_entry_names_is_read(self, page: TestClient, path: str) -> None:
        query = {"sync": "nightly", "source": "s3://acme-in/in/orders.csv", "of": "s3://acme-out/secret.csv"}

        text = read(page, path, query, status=400).text

        assert "is no output of s3://acme-in/in/orders.csv" in text

    def test_a_source_that_is_gone_says_so_in_its_place(self, page: TestClient) -> None:
        assert "s3://acme-in/in/old.csv is gone" in story(page, "in/old.csv", "/object/preview").text

    def test_rows_that_were_put_aside_have_their_text(self, page: TestClient) -> None:
        place = "s3://acme-out/lake/_quarantine/in/bad.jsonl"
        text = story(page, "in/bad.csv", "/object/quarantined", of=place).text

        assert "2 3 24 the row has 4 fields; expected 3 2,90210,,<b>x" in text

    def test_each_column_is_explained(self, page: TestClient) -> None:
        text = story(page, "in/orders.csv", "/object/explained").text

        assert "csv, 49 bytes, 3 rows, 3 columns" in text
        assert "not integer: row 1 has 00501" in text

    def test_an_object_that_nobody_knows_is_an_error_with_a_reason(self, page: TestClient) -> None:
        text = read(page, "/object", {"sync": "nightly", "source": "s3://acme-in/in/never.csv"}, status=400).text

        assert "the ledger has no entry for s3://acme-in/in/never.csv under 'nightly'" in text


class TestFindView:
    def test_an_objects_address_leads_to_its_story(self, page: TestClient) -> None:
        answer = page.get("/find", params={"address": " s3://acme-in/in/orders.csv "}, follow_redirects=False)

        assert answer.headers["location"] == "/object?sync=nightly&source=s3%3A%2F%2Facme-in%2Fin%2Forders.csv"

    def test_a_tables_address_leads_to_its_schema(self, page: TestClient) -> None:
        assert (
            "Table of nightly : s3://acme-in/in/orders , version 2"
            in read(page, "/find", {"address": "s3://acme-in/in/orders"}).text
        )

    def test_what_is_no_address_is_a_prefix(self, page: TestClient) -> None:
        answer = page.get("/find", params={"address": "in/2026"}, follow_redirects=False)

        assert answer.headers["location"] == "/objects?prefix=in%2F2026"

    def test_what_nobody_knows_says_why_that_may_be(self, page: TestClient) -> None:
        assert "its event is still on its way" in read(page, "/find", {"address": "s3://acme-in/in/never.csv"}).text


PATHS = (
    "/",
    "/failures",
    "/objects",
    "/objects?sync=nightly",
    "/objects?state=failed",
    "/tables",
    "/table?sync=nightly&table=s3://acme-in/in/orders",
    "/dead-letters/list",
    "/history/days",
)


class TestKeysOfTheWorld:
    @pytest.mark.parametrize("path", PATHS)
    def test_no_key_or_message_becomes_markup(self, page: TestClient, path: str) -> None:
        markup = page.get(path).text

        assert "<script>alert" not in markup
        assert PageText(markup).tags.count("script") == 1

    @pytest.mark.parametrize("path", ["/object", "/object/preview", "/object/explained"])
    def test_nor_in_an_objects_story(self, page: TestClient, path: str) -> None:
        markup = page.get(path, params={"sync": "nightly", "source": f"s3://acme-in/{SCRIPT_KEY}"}).text

        assert "alert(1)" in markup
        assert PageText(markup).tags.count("script") == 1
        assert "img src=x" not in markup.replace("&lt;img src=x", "")

    @pytest.mark.parametrize("path", PATHS)
    def test_no_control_or_direction_sign_reaches_the_reader(self, page: TestClient, path: str) -> None:
        text = page.get(path).text

        assert not set(text) & {"\u202e", "\x1b"}

    @pytest.mark.parametrize("key", [BIDI_KEY, CONTROL_KEY, LONG_KEY])
    def test_they_lead_to_their_stories_all_the_same(self, page: TestClient, key: str) -> None:
        (link,) = [
            link for link in read(page, "/objects").links if link.endswith(quote(key, safe="").replace("%20", "+"))
        ]

        assert read(page, link).links


class TestErrorPages:
    def test_missing_credentials_say_how_to_sign_in(self, planted: PagePlant, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_name: str) -> Any:
            raise explain(NoCredentialsError(), "cloudformation:DescribeStacks of", "MillraceStorage")

        monkeypatch.setattr(planted, "find", refuse)
        text = read(open_page(planted), "/", status=502).text

        assert "AWS does not know who asks" in text
        assert "no AWS credentials were found" in text
        assert "AWS_PROFILE" in text

    def test_an_unknown_deployment_says_how_to_name_one(
        self, planted: PagePlant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_name: str) -> Any:
            raise ConfigurationError("there is no stack OtherStorage in us-east-1")

        monkeypatch.setattr(planted, "find", refuse)
        text = read(open_page(planted), "/objects", status=404).text

        assert "The deployment was not found there is no stack OtherStorage in us-east-1" in text
        assert "--name" in text

    def test_a_page_that_there_is_not(self, page: TestClient) -> None:
        assert "There is no such page" in read(page, "/nowhere", status=404).text


def test_a_part_is_the_middle_of_the_page_alone(page: TestClient) -> None:
    markup = page.get("/", headers={"millrace-part": "1"}).text

    assert "<html" not in markup
    assert "Oldest waiting" in markup


class TestTablesView:
    def test_each_sync_has_its_tables(self, page: TestClient) -> None:
        text = read(page, "/tables").text

        assert "hourly No schema is remembered" in text
        assert "nightly s3://acme-in/in/customers s3://acme-in/in/orders" in text

    def test_one_sync_can_be_chosen(self, page: TestClient) -> None:
        assert "No schema is remembered" not in read(page, "/tables", {"sync": "nightly"}).text

    def test_versions_come_the_newest_first_with_what_changed_and_by_which_file(self, page: TestClient) -> None:
        shown = read(page, "/table", {"sync": "nightly", "table": "s3://acme-in/in/orders"})

        assert (
            "Version 2 2026-11-28 21:30:00 UTC <i>note</i>: new, text s3://acme-in/in/orders2.csv Version 1"
            in shown.text
        )
        assert "3 fields Field Type id int64 zip text <i>note</i> text" in shown.text
        assert "/object?sync=nightly&source=s3%3A%2F%2Facme-in%2Fin%2Forders2.csv" in shown.links
        assert "i" not in shown.tags

    def test_a_table_that_nobody_remembers(self, page: TestClient) -> None:
        query = {"sync": "hourly", "table": "s3://acme-in/in/orders"}

        assert "no schema of s3://acme-in/in/orders" in read(page, "/table", query, status=400).text


class TestDeadLettersView:
    def test_each_letter_says_what_it_names_and_why_it_is_there(self, page: TestClient) -> None:
        shown = read(page, "/dead-letters/list")

        assert "s3://acme-in/in/denied.csv configuration AccessDenied: was denied hourly: AccessDenied" in shown.text
        assert "<b>not a message</b> unreadable by SQS, after 5 receipts" in shown.text
        assert "/find?address=s3%3A%2F%2Facme-in%2Fin%2Fdenied.csv" in shown.links
        assert "b" not in PageText(page.get("/dead-letters/list", headers={"millrace-part": "1"}).text).tags

    def test_letters_are_let_go_again(self, planted: PagePlant, page: TestClient) -> None:
        read(page, "/dead-letters/list")

        assert set(planted.sqs.letters) == {"m-1", "m-2"}
        assert "s3://acme-in/in/denied.csv" in read(page, "/dead-letters/list").text

    def test_a_class_can_be_chosen(self, page: TestClient) -> None:
        text = read(page, "/dead-letters/list", {"class": "unreadable"}).text

        assert "not a message" in text
        assert "denied.csv" not in text
        assert "millrace redrive --class unreadable" in read(page, "/dead-letters", {"class": "unreadable"}).text

    def test_what_the_committer_gave_up_is_there(self, planted: PagePlant, page: TestClient) -> None:
        plant_commits(planted)

        text = read(page, "/dead-letters/list", {"class": "commit"}).text
        overview = read(page, "/").text

        assert "s3://acme-in/in/orders.csv commit CommitRefused: the file's column price is text" in text
        assert "nightly: converted" in text
        assert "millrace-commit.fifo Iceberg tables – 3 2" in overview
        assert "millrace-commit-dead-letters.fifo dead letters – 1" in overview

    def test_a_class_that_is_none_says_which_there_are(self, page: TestClient) -> None:
        assert "expected 'unreadable', 'transient'" in read(page, "/dead-letters", {"class": "x"}, status=400).text


class TestRunsView:
    def test_backfills_and_big_runs_have_their_progress(self) -> None:
        text = read(open_page(plant_more()), "/runs/list").text

        assert "nightly stopped nightly-20261128" in text
        assert "36,000, 91.0 GB; 21,400 done, 3 failed, 0 wait, 14,597 open" in text
        assert "Left open 14,597: begin it again" in text
        assert "Ends about" not in text
        assert "17 of 48 parts in 3 min, 10 at work, about 5 min are left" in text
        assert "millrace runs resume orders-1a2b" in text

    def test_the_overview_has_those_at_work(self) -> None:
        text = read(open_page(plant_more()), "/").text

        assert "convert 17 of 48 parts: s3://acme-in/in/huge.csv (orders)" in text

    def test_where_there_is_none_the_command_is_named(self, page: TestClient) -> None:
        text = read(page, "/runs/list").text

        assert "There was no backfill. millrace backfill SYNC --dry-run" in text
        assert "There was no big run" in text

    def test_one_that_cannot_be_asked_leaves_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        planted = plant_more()

        def deny(_operation: str) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListExecutions")

        monkeypatch.setattr(planted.extra["stepfunctions"], "get_paginator", deny)
        text = read(open_page(planted), "/runs/list").text

        assert "Not known: states:ListExecutions" in text
        assert "nightly-20261128" in text


class TestHistoryView:
    def test_each_day_has_its_figures_and_leads_to_its_objects(self, page: TestClient) -> None:
        shown = read(page, "/history/days")

        assert "2026-11-28 14 9 5 686 bytes" in shown.text
        assert "2026-11-25 1 0 9 49 bytes" in shown.text
        assert "/objects?day=2026-11-28&state=failed" in shown.links
        assert shown.tags.count("svg") == 5

    def test_one_sync_and_another_fortnight_can_be_chosen(self, page: TestClient) -> None:
        text = read(page, "/history/days", {"sync": "hourly", "until": "2026-11-24"}).text
        frame = read(page, "/history", {"sync": "hourly", "until": "2026-11-14"})

        assert "2026-11-24 0 0 0" in text
        assert "2026-11-25" not in text
        assert "/history?sync=hourly&until=2026-10-31" in frame.links
        assert "/history?sync=hourly&until=2026-11-28" in frame.links

    def test_days_after_today_are_not_offered(self, page: TestClient) -> None:
        assert "Two weeks later" not in read(page, "/history").text

    def test_a_bar_is_its_share_of_the_largest(self) -> None:
        loads = [
            DayLoad(day=date(2026, 11, day), cost=CostSum(group="", works=works), states=Counter())
            for day, works in ((1, 5), (2, 20))
        ]

        plot = draw_plot("t", loads, lambda load: load.cost.works, lambda value: f"{value:.0f}")

        low, high = plot.bars
        assert (high.height, high.y) == (plot.floor, 0)
        assert (low.height * 4, low.y) == (plot.floor, plot.floor - low.height)
        assert (low.text, plot.largest) == ("2026-11-01: 5", "20")

    def test_a_day_of_more_works_than_are_read_says_so(self, planted: PagePlant) -> None:
        reader, _ = open_history(planted, *planted.find("millrace"))

        load = read_day_load(reader, date(2026, 11, 28), most=3)

        assert (load.cost.works, load.is_whole) == (3, False)
