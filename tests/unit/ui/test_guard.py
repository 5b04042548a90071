"""Who may ask the page, and what every answer carries."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from millrace.ui.app import create_app
from tests.page_plant import PagePlant
from tests.unit.ui.conftest import ADDRESS, open_page


@pytest.fixture
def stranger(planted: PagePlant) -> TestClient:
    """Somebody without the token."""
    return TestClient(create_app(planted.world()), base_url=ADDRESS)


@pytest.mark.parametrize("path", ["/", "/objects", "/object?sync=a&source=b", "/no-such-page"])
def test_nothing_is_shown_without_the_token(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)

    assert answer.status_code == 403
    assert "Open the address that `millrace ui` printed" in answer.text
    assert "nightly" not in answer.text


def test_a_wrong_token_is_none(stranger: TestClient) -> None:
    assert stranger.get("/", params={"token": "guess"}).status_code == 403
    stranger.cookies.set("millrace-00000000", "guess")
    assert stranger.get("/").status_code == 403


def test_the_token_becomes_a_cookie_and_leaves_the_address(planted: PagePlant) -> None:
    world = planted.world()
    client = TestClient(create_app(world), base_url=ADDRESS)

    answer = client.get(f"/objects?token={world.secret.token}&sync=nightly", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/objects?sync=nightly")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert client.get("/objects?sync=nightly").status_code == 200


def test_the_redirect_never_leads_to_another_host(planted: PagePlant) -> None:
    world = planted.world()
    client = TestClient(create_app(world), base_url=ADDRESS)

    answer = client.get(f"{ADDRESS}//evil.example/?token={world.secret.token}", follow_redirects=False)

    assert answer.headers["location"].startswith("/evil.example")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "", "0.0.0.0:8765", "[::2]:8765"])
def test_another_hosts_name_is_refused_with_the_token_too(page: TestClient, host: str) -> None:
    assert page.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:9000", "LOCALHOST", "[::1]:8765"])
def test_names_of_this_machine_are_taken_at_any_port(page: TestClient, host: str) -> None:
    """A tunnel has another port."""
    assert page.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/page.css", "/no-such-page"])
def test_every_answer_forbids_scripts_of_others_and_frames(page: TestClient, path: str) -> None:
    headers = page.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_without_being_allowed(page: TestClient, method: str) -> None:
    answer = page.request(method, "/", headers={"origin": ADDRESS})

    assert answer.status_code == 403
    assert "--allow-actions" in answer.text


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://localhost:8765"])
def test_another_sites_form_is_refused_where_actions_are_allowed(planted: PagePlant, origin: str | None) -> None:
    client = open_page(planted, allow_actions=True)

    answer = client.post("/actions/resume", headers={"origin": origin} if origin else {})

    assert answer.status_code == 403
    assert planted.functions.states == {"millrace-landing": "Disabled"}
