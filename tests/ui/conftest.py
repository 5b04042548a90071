"""The page in a real browser: Debian's chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from millrace.ui.app import create_app
from millrace.ui.world import PageWorld
from tests.page_plant import NOW, PagePlant, plant_more

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1280, "height": 900}


@dataclass
class ServedPage:
    """A page that is served, and the deployment behind it."""

    address: str
    plant: PagePlant
    world: PageWorld


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("no browser is here: apt-get install chromium, or put chromium on the PATH")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it starts a driver

    # Root has no sandbox in a container; the pages are our own.
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served() -> Iterator[ServedPage]:
    """A page that may only be looked at."""
    yield from serve(plant_more())


def serve(planted: PagePlant, **options: Any) -> Iterator[ServedPage]:
    """Serve a planted deployment on a free port until the test is over."""
    world = planted.world(**options)
    config = uvicorn.Config(create_app(world), port=0, log_level="error", access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield ServedPage(f"http://127.0.0.1:{port}", planted, world)
    server.should_exit = True
    thread.join(10)


@dataclass
class Visit:
    """A tab of the browser that has the token, and what its console said."""

    page: Page
    served: ServedPage
    said: list[str]

    def go(self, path: str) -> Page:
        """Open a view, and wait until its parts are there."""
        self.page.goto(self.served.address + path)
        self.page.wait_for_load_state("networkidle")
        return self.page


def visit(browser: Browser, served: ServedPage, **options: Any) -> tuple[BrowserContext, Visit]:
    """A new tab that was given the token; times are those of Zürich."""
    given: dict[str, Any] = {"viewport": WIDE, "timezone_id": "Europe/Zurich", "locale": "en-GB"}
    context = browser.new_context(**(given | options))
    page = context.new_page()
    # A clock that stands still: pictures of a second run are the same.
    page.clock.set_fixed_time(NOW)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served.address}/?token={served.world.secret.token}")
    return context, Visit(page, served, said)


@pytest.fixture
def tab(browser: Browser, served: ServedPage) -> Iterator[Visit]:
    """A wide, light tab."""
    context, opened = visit(browser, served)
    yield opened
    context.close()
