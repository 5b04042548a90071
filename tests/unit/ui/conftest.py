"""The page's application, asked without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from starlette.testclient import TestClient

from millrace.ui.app import create_app
from tests.page_plant import PagePlant, plant

ADDRESS = "http://127.0.0.1:8765"


@pytest.fixture(scope="session", autouse=True)
def one_loop_answers_all_requests() -> Iterator[None]:
    """Have all clients share a thread with an event loop: each request would start and end its own."""
    with start_blocking_portal() as portal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestClient, "portal", portal)
        yield


@pytest.fixture
def planted() -> PagePlant:
    """A deployment with something of everything."""
    return plant()


def open_page(planted: PagePlant, **options: Any) -> TestClient:
    """A client that has exchanged the token for a cookie."""
    world = planted.world(**options)
    client = TestClient(create_app(world), base_url=ADDRESS)
    client.get("/static/page.css", params={"token": world.secret.token})
    client.cookies.set(world.secret.cookie, world.secret.token)
    return client


@pytest.fixture
def page(planted: PagePlant) -> TestClient:
    """The page, to be looked at alone."""
    return open_page(planted)
