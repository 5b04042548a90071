"""The page's application, asked without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from millrace.ui.app import create_app
from tests.page_plant import PagePlant, plant

ADDRESS = "http://127.0.0.1:8765"


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
