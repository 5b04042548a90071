"""`millrace ui`: what is looked at, where it is served, and what is said if that cannot be."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.demo.emulator import Emulator, Mode
from millrace.errors import UsageError
from millrace.ui import server
from millrace.ui.world import PageWorld
from tests.page_plant import PagePlant, plant

ENDPOINT = "http://127.0.0.1:4566"


class Served(Exception):
    """The page would be served by now: a test ends here."""


@pytest.fixture
def planted() -> PagePlant:
    made = plant()
    made.extra["cloudformation"] = SimpleNamespace(meta=SimpleNamespace(region_name="eu-central-1"))
    return made


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[PageWorld]:
    """The worlds that would have been served, from an empty folder and without a demonstration."""
    worlds: list[PageWorld] = []

    def keep(world: PageWorld, _port: int | None, on_start: Callable[[str], None]) -> None:
        worlds.append(world)
        on_start(f"http://127.0.0.1:8765/?token={world.secret.token}")

    monkeypatch.setattr(server, "serve", keep)
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ENDPOINT_URL", "MILLRACE_CONFIG", "MILLRACE_NAME", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return worlds


def test_the_address_with_the_token_is_printed(run: Any, served: list[PageWorld], planted: PagePlant) -> None:
    ran = run("ui", deployments=planted)

    (world,) = served
    assert ran.code == 0
    assert f"open http://127.0.0.1:8765/?token={world.secret.token}" in ran.out
    assert (world.name, world.place, world.planner) == ("millrace", "eu-central-1", None)
    assert not world.allow_actions


def test_each_start_has_a_token_of_its_own(run: Any, served: list[PageWorld], planted: PagePlant) -> None:
    run("ui", deployments=planted)
    run("ui", deployments=planted)

    first, second = (world.secret for world in served)
    assert first.token != second.token
    assert len(first.token) >= 32
    assert first.token not in repr(served[0])


def test_options_reach_the_page(run: Any, served: list[PageWorld], planted: PagePlant) -> None:
    run("ui", "--name", "other", "--allow-actions", deployments=planted)

    assert (served[0].name, served[0].allow_actions) == ("other", True)


def test_the_configuration_here_is_taken_and_a_named_one_must_be_there(
    run: Any, served: list[PageWorld], planted: PagePlant
) -> None:
    starter = Path(__file__).parents[3] / "examples" / "millrace.yaml"
    Path("millrace.yaml").write_text(starter.read_text(encoding="utf-8"), encoding="utf-8")

    assert run("ui", deployments=planted).code == 0
    missing = run("ui", "--config", "other.yaml", deployments=planted)

    assert served[0].planner is not None
    assert missing.code == 2
    assert "there is no configuration other.yaml" in missing.err


def test_without_its_packages_it_says_which_extra_to_install(
    run: Any, served: list[PageWorld], planted: PagePlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    ran = run("ui", deployments=planted)

    assert ran.code == 2
    assert 'pip install "millrace[ui]"' in ran.err


def emulator_at(folder: Path) -> Emulator:
    return Emulator(mode=Mode.OPEN, pid=1, url=ENDPOINT, plain_url=ENDPOINT, folder=folder, authority=None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoint", "arguments", "is_demo"),
    [
        (None, (), True),
        (ENDPOINT, (), True),
        ("http://127.0.0.1:1", (), False),
        (None, ("--no-demo",), False),
    ],
)
def test_a_demonstration_that_was_left_running_is_shown_unless_something_else_is_named(
    run: Any,
    served: list[PageWorld],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    endpoint: str | None,
    arguments: tuple[str, ...],
    is_demo: bool,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "mine")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    if endpoint is not None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    # What the command sets for its own process is undone behind the test.
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr("millrace.demo.kept.recall", lambda: emulator_at(tmp_path))

    ran = run("ui", *arguments)

    (world,) = served
    assert world.is_demo is is_demo
    assert ("showing the demonstration on http://127.0.0.1:4566" in ran.out) is is_demo
    assert (world.planner is not None) is is_demo
    assert (os.environ.get("AWS_SESSION_TOKEN") is None) is is_demo


class TestServer:
    def stop(self, address: str) -> None:
        raise Served(address)

    def test_it_listens_on_this_machine_alone(self, planted: PagePlant) -> None:
        with pytest.raises(Served, match=r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}"):
            server.serve(planted.world(), 0, self.stop)

    def test_a_port_that_is_taken_is_refused_if_it_was_asked_for(self, planted: PagePlant) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be had"):
                server.serve(planted.world(), port, self.stop)

    def test_the_usual_port_gives_way_to_any_other(self, planted: PagePlant) -> None:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                other.bind(("127.0.0.1", server.PORT))
                other.listen()
            except OSError:
                pass  # Somebody has it already, which is as good.
            with pytest.raises(Served) as stopped:
                server.serve(planted.world(), None, self.stop)

        assert f":{server.PORT}/" not in str(stopped.value)
