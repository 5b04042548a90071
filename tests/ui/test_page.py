"""The page in a browser: what a person sees, with a mouse or a keyboard alone, on any window, without one error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from PIL import Image

from tests.page_plant import CONTROL_KEY, LONG_KEY, SCRIPT_KEY, plant_more
from tests.places import ROOT
from tests.ui.conftest import ServedPage, Visit, serve, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

PICTURES = ROOT / ("docs" if os.environ.get("PICTURES") else "build") / "pictures"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
_ALL_RULES = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
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
    size = {"width": 1080, "height": 720}
    context, opened = visit(browser, served, color_scheme=scheme, viewport=size, bypass_csp=True)
    found: list[str] = []
    for name, path in views.items():
        page = opened.go(path)
        if name in VIEWS:
            take_picture(page, f"{name}-{scheme}")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        result = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)
        found += [f"{name}: {fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in result["violations"]]
    context.close()

    assert found == []
    # The one view that is an error says so to the console, too.
    assert [text for text in opened.said if "400" not in text] == []


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
        planted = plant_more()
        for served in serve(planted, allow_actions=True):
            context, opened = visit(browser, served)
            yield opened
            assert opened.said == []
            context.close()

    def test_what_failed_is_converted_again(self, acting: Visit) -> None:
        answer = {"run_id": "r1", "selected": 7, "ignored": 0, "out_of_scope": 0, "examples": [], "complete": True}
        acting.served.plant.answers = [answer, answer]
        page = acting.go("/failures")
        page.get_by_role("link", name="Reprocess…").first.click()
        page.get_by_role("button", name="Dry run").click()
        page.get_by_text("7 objects of nightly").wait_for()
        page.get_by_role("button", name="Convert them again").click()
        page.get_by_role("heading", name="Put on the queue", exact=True).wait_for()

        assert [event["dry_run"] for _, event in acting.served.plant.invoked] == [True, False]

    def test_a_key_with_a_line_end_is_asked_for_as_it_is(self, acting: Visit) -> None:
        """A browser changes line ends of a form's fields."""
        answer = {"run_id": "r1", "selected": 1, "ignored": 0, "out_of_scope": 0, "examples": [], "complete": True}
        acting.served.plant.answers = [answer, answer]
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


def test_the_checker_is_installed() -> None:
    assert AXE.is_file(), f"{AXE.relative_to(Path(ROOT))} is missing: make install"
