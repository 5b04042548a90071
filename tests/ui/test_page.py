"""The page in a browser: what a person sees, with a mouse or a keyboard alone, on any window, without one error."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from PIL import Image

from millrace.operations.backfills.board import BackfillState
from tests.page_plant import CONTROL_KEY, LONG_KEY, SCRIPT_KEY, plant_commits, plant_work, put_backfill
from tests.places import ROOT
from tests.ui.conftest import ServedPage, Visit, serve, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

PICTURES = ROOT / ("docs" if os.environ.get("PICTURES") else "build") / "pictures"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_ALL_RULES = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
_PICTURE_SIZE = {"width": 1080, "height": 720}
_ANSWER = {"run_id": "r1", "selected": 7, "ignored": 0, "out_of_scope": 0, "examples": [], "complete": True}
MOST_BYTES = 150_000
"""Of a picture in the documents."""


def story_of(key: str, sync: str = "nightly") -> str:
    return "/object?" + urlencode({"sync": sync, "source": f"s3://acme-in/{key}"})


VIEWS = {
    "overview": "/",
    "failures": "/failures",
    "objects": "/objects",
    "object": story_of("in/bad.csv"),
    "table": "/table?sync=nightly&table=s3://acme-in/in/orders",
    "dead-letters": "/dead-letters",
    "runs": "/runs",
    "history": "/history",
}
ALL = {
    **VIEWS,
    "tables": "/tables",
    "failed": story_of("in/2026/q3.csv"),
    "long": story_of(LONG_KEY),
    "error": "/objects?state=lost",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "views", "rules"),
    [("light", ALL, _ALL_RULES), ("dark", VIEWS, ["color-contrast"])],
    ids=["light", "dark"],
)
def test_every_view_is_accessible_and_silent(
    browser: Browser, served: ServedPage, scheme: str, views: dict[str, str], rules: list[str]
) -> None:
    """Its pictures: `make pictures` puts them into the documents; otherwise they are in `build/pictures`."""
    # The page's own policy lets no script of others in: the checker comes by another way than a tag.
    context, opened = visit(browser, served, color_scheme=scheme, viewport=_PICTURE_SIZE, bypass_csp=True)
    found: list[str] = []
    for name, path in views.items():
        page = opened.go(path)
        if name in VIEWS:
            take_picture(page, f"{name}-{scheme}")
        found += check_page(page, name, rules)
    context.close()

    assert found == []
    # The one view that is an error says so to the console, too.
    assert [text for text in opened.said if "400" not in text] == []


ACTIONS = {
    "runs": "/runs",
    "reprocess": "/actions/reprocess?sync=nightly&state=failed",
    "redrive": "/actions/redrive",
    "resume": "/actions/resume",
    "backfill": "/actions/backfill?sync=nightly",
    "give-up": "/actions/backfill?sync=nightly&action=stop",
    "stop-run": "/actions/run?run=orders-2f1e",
    "resume-run": "/actions/run?run=orders-1a2b",
}
"""What leads to a change, and the form of each; behind each form is a dry run, but of the first."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "rules"), [("light", _ALL_RULES), ("dark", ["color-contrast"])], ids=["light", "dark"]
)
def test_every_action_is_accessible_and_silent(browser: Browser, scheme: str, rules: list[str]) -> None:
    """Its pictures are in `build/pictures`; each form is looked at, and what its dry run says."""
    planted = plant_work()
    plant_commits(planted)
    planted.answers = [{**_ANSWER, "examples": ["s3://acme-in/in/2026/q0.csv"]}]
    found: list[str] = []
    for served in serve(planted, allow_actions=True):
        context, opened = visit(browser, served, color_scheme=scheme, viewport=_PICTURE_SIZE, bypass_csp=True)
        for name, path in ACTIONS.items():
            page = opened.go(path)
            found += check_action(page, f"action-{name}-{scheme}", rules)
            dry_run = page.get_by_role("button", name=re.compile("^Dry run"))
            if dry_run.count():
                dry_run.click()
                page.wait_for_load_state("networkidle")
                found += check_action(page, f"action-{name}-dry-{scheme}", rules)
        context.close()

        assert found == []
        assert opened.said == []


def check_action(page: Page, name: str, rules: list[str]) -> list[str]:
    """What the checker says of the page as it is now; its picture is taken, too."""
    folder = ROOT / "build" / "pictures"
    folder.mkdir(exist_ok=True, parents=True)
    page.screenshot(path=folder / f"{name}.png")
    return check_page(page, name, rules)


def check_page(page: Page, name: str, rules: list[str]) -> list[str]:
    """The faults that the accessibility checker finds, each with its rule and the markup."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
    return [f"{name}: {fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in result["violations"]]


def take_picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True, parents=True)
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture)
    if os.environ.get("PICTURES"):
        # A third of the bytes: a page of text has few colours.
        with Image.open(picture) as opened:
            opened.quantize(48, dither=Image.Dither.NONE).save(picture, optimize=True)
    assert picture.stat().st_size < MOST_BYTES, picture


@pytest.mark.slow
def test_nothing_scrolls_sideways_in_a_narrow_window_or_at_twice_the_size(browser: Browser, served: ServedPage) -> None:
    context, opened = visit(browser, served, viewport={"width": 340, "height": 740})
    wide: list[str] = []
    for name, path in ALL.items():
        page = opened.go(path)
        for width, size in ((340, "100%"), (680, "200%")):
            page.set_viewport_size({"width": width, "height": 740})
            page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(f"{name} at {size}")
    context.close()

    assert wide == []


@pytest.mark.slow
class TestByHand:
    def test_no_key_runs_as_a_script(self, tab: Visit) -> None:
        alerts: list[str] = []

        def note_alert(dialog: Dialog) -> None:
            alerts.append(dialog.message)
            dialog.dismiss()

        tab.page.on("dialog", note_alert)
        for path in ("/objects", "/failures", story_of(SCRIPT_KEY)):
            tab.go(path)
        tab.page.get_by_role("link", name="Explain it").click()
        tab.page.wait_for_load_state("networkidle")

        assert alerts == []
        assert tab.said == []
        assert "<script>alert(3)</script>" in tab.page.get_by_role("main").inner_text()

    def test_times_are_the_readers_and_utc_is_in_the_title(self, tab: Visit) -> None:
        time = tab.go(story_of("in/orders.csv")).locator("time").first

        assert time.inner_text() == "28 Nov 2026, 22:00:00"
        assert time.get_attribute("title") == "2026-11-28 21:00:00 UTC"

    def test_from_a_failure_to_its_story_by_keyboard_alone(self, tab: Visit) -> None:
        page = tab.go("/failures")
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Skip to the content"
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "s3://acme-in/in/2026/q0.csv"
        page.keyboard.press("Enter")
        page.wait_for_load_state("networkidle")

        assert page.get_by_role("heading", level=1).inner_text() == "s3://acme-in/in/2026/q0.csv"

    def test_filters_are_chosen_and_stay_in_the_address(self, tab: Visit) -> None:
        page = tab.go("/objects")
        page.get_by_label("Sync").select_option("nightly")
        page.get_by_label("State").select_option("failed")
        page.get_by_label("Key begins with").fill("in/2026/q1")
        page.get_by_role("button", name="Show").click()
        page.wait_for_load_state("networkidle")

        assert page.url.endswith("/objects?sync=nightly&state=failed&day=&prefix=in%2F2026%2Fq1")
        assert page.get_by_role("row").count() == 2

    def test_an_output_leads_to_its_source_by_the_search(self, tab: Visit) -> None:
        page = tab.go("/")
        page.get_by_label("Find an object or an output").fill("s3://acme-in/in/orders.csv")
        page.keyboard.press("Enter")
        page.wait_for_url("**/object?**")

        assert quote("s3://acme-in/in/orders.csv", safe="") in page.url

    def test_first_rows_come_by_themselves_and_an_explanation_when_asked(self, tab: Visit) -> None:
        page = tab.go(story_of("in/orders.csv"))
        assert "00501" in page.get_by_role("main").inner_text()
        page.get_by_role("link", name="Explain it").click()
        page.get_by_text("not integer: row 1 has 00501").wait_for()

        assert page.url.endswith(story_of("in/orders.csv"))

    def test_the_overview_shows_what_has_changed_by_itself(self, browser: Browser, served: ServedPage) -> None:
        context, opened = visit(browser, served)
        page = opened.page
        page.clock.install()
        opened.go("/")
        served.plant.sqs.waiting["millrace-landing"] = 77
        page.clock.run_for(16_000)
        page.get_by_text("77", exact=True).first.wait_for()
        context.close()
        served.plant.sqs.waiting["millrace-landing"] = 1204

        assert opened.said == []

    def test_the_pages_weight(self, tab: Visit) -> None:
        """Four requests; what they weigh is in the documents."""
        sizes: list[int] = []
        tab.page.on("response", lambda response: sizes.append(len(response.body())))
        tab.go("/")

        assert len(sizes) <= 5
        assert sum(sizes) < 60_000


@pytest.mark.slow
class TestActionsByHand:
    """With a mouse, as a person does it: the dry run first, then what it showed."""

    @pytest.fixture
    def acting(self, browser: Browser) -> Iterator[Visit]:
        planted = plant_work()
        for served in serve(planted, allow_actions=True):
            context, opened = visit(browser, served)
            yield opened
            assert opened.said == []
            context.close()

    def test_what_failed_is_converted_again(self, acting: Visit) -> None:
        acting.served.plant.answers = [_ANSWER, _ANSWER]
        page = acting.go("/failures")
        page.get_by_role("link", name="Reprocess…").first.click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_text("7 objects of nightly").wait_for()
        page.get_by_role("button", name="Convert them again").click()
        page.get_by_role("heading", name="Put on the queue", exact=True).wait_for()

        assert [event["dry_run"] for _, event in acting.served.plant.invoked] == [True, False]

    def test_a_key_with_a_line_end_is_asked_for_as_it_is(self, acting: Visit) -> None:
        """A browser changes line ends of a form's fields."""
        acting.served.plant.answers = [{**_ANSWER, "selected": 1}] * 2
        page = acting.go(story_of(CONTROL_KEY))
        page.get_by_role("link", name="Reprocess…").click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("button", name="Convert them again").click()
        page.get_by_role("heading", name="Put on the queue", exact=True).wait_for()

        assert [event["keys"] for _, event in acting.served.plant.invoked] == [[CONTROL_KEY], [CONTROL_KEY]]

    def test_dead_letters_go_back(self, acting: Visit) -> None:
        page = acting.go("/dead-letters?class=configuration")
        page.get_by_role("link", name="Redrive…").click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("button", name="Move them back").click()
        page.get_by_role("heading", name="Moved", exact=True).wait_for()

        assert list(acting.served.plant.sqs.letters) == ["m-2"]

    def test_a_paused_queue_is_received_from_again(self, acting: Visit) -> None:
        page = acting.go("/")
        page.get_by_role("link", name="Resume…").click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("button", name="Receive again").click()
        page.get_by_role("heading", name="Resumed: millrace-landing").wait_for()

        assert acting.served.plant.functions.states == {"millrace-landing": "Enabled"}

    def test_a_backfill_is_paused(self, acting: Visit) -> None:
        acting.served.plant.answers = [{}]
        page = acting.go("/runs")
        page.get_by_role("link", name="Pause…").click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("heading", name="Would be paused: backfill of nightly").wait_for()
        assert acting.served.plant.invoked == []
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("heading", name="Paused: backfill of nightly", exact=True).wait_for()

        assert acting.served.plant.invoked == [("millrace-backfill", {"sync": "nightly", "action": "pause"})]

    def test_a_paused_backfill_goes_on_or_is_given_up(self, acting: Visit) -> None:
        put_backfill(acting.served.plant, BackfillState.PAUSED)
        acting.served.plant.answers = [{}, {}]
        for link, button, heading in (
            ("Resume…", "Go on", "Resumed: backfill of nightly"),
            ("Give up…", "Give it up", "Given up: backfill of nightly"),
        ):
            page = acting.go("/runs")
            page.get_by_role("article").first.get_by_role("link", name=link).click()
            page.get_by_role("button", name="Dry run").click()
            page.get_by_role("button", name=button).click()
            page.get_by_role("heading", name=heading, exact=True).wait_for()

        assert [event["action"] for _, event in acting.served.plant.invoked] == ["resume", "stop"]

    def test_a_big_run_is_stopped_and_another_goes_on(self, acting: Visit) -> None:
        executions = acting.served.plant.extra["stepfunctions"].executions
        page = acting.go("/runs")
        page.get_by_role("link", name="Stop…").click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("heading", name="Would be stopped: orders-2f1e").wait_for()
        assert executions["orders-2f1e"]["status"] == "RUNNING"
        page.get_by_role("button", name="Stop it").click()
        page.get_by_role("heading", name="Stopped: orders-2f1e").wait_for()
        page.get_by_role("link", name="Backfills and big runs").last.click()
        page.locator('a[href="/actions/run?run=orders-1a2b"]').click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("heading", name="Goes on: orders-1a2b").wait_for()

        assert executions["orders-2f1e"]["status"] == "ABORTED"
        assert len(executions) == 3


def test_the_checker_is_installed() -> None:
    assert AXE.is_file(), f"{AXE.relative_to(Path(ROOT))} is missing: make install"
