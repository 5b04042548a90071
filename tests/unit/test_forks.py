"""Tests in copies of one process: each runs once, and one that ends its process is a failure of it alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.forks import deal_tests

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the tests run in one process")

_CONFTEST = """
from tests.forks import add_option as pytest_addoption, register_forks as pytest_configure
"""
_TESTS = """
import os
import sys
import warnings
import pytest

kept = sys.stdout

@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("place")
    yield place
    print("tidied up")

@pytest.mark.parametrize("number", range(40))
def test_passes(number, place, tmp_path):
    assert not list(tmp_path.iterdir())
    (place / str(number)).write_text("")

def test_fails(place):
    print("said" + " before")
    assert place is None

def test_prints_to_what_it_kept():
    kept.write("kept and said")
    assert not "told"

def test_ends_its_process():
    os._exit(7)

def test_skips():
    pytest.skip("not today")

def test_warns():
    warnings.warn("old", UserWarning)

@pytest.mark.parametrize("number", range(40))
def test_passes_after(number):
    with open(os.environ["RAN"], "a") as ran:
        ran.write(f"{number}\\n")
"""


def _run_tests(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "test_all.py").write_text(_TESTS)
    environment = {"PYTHONPATH": f"{Path.cwd()}:{Path.cwd()}/functions", "RAN": str(folder / "ran"), "PATH": "/usr/bin"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        *options,
    ]
    return subprocess.run(  # noqa: S603 - a command of ours
        [*command, str(folder)], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.slow
def test_every_test_runs_once_and_says_what_came_of_it(tmp_path: Path) -> None:
    ran = _run_tests(tmp_path, "--forks", "2")
    assert "3 failed, 81 passed, 1 skipped, 1 warning" in ran.stdout
    assert "the process that ran this test ended with 7" in ran.stdout
    assert ran.stdout.count("said before") == 1
    assert ran.stdout.count("kept and said") == 2, "the source, and what was captured"
    assert "UserWarning: old" in ran.stdout
    assert "not today" in ran.stdout
    assert ran.returncode == 1
    assert sorted(map(int, (tmp_path / "ran").read_text().split())) == list(range(40))


@pytest.mark.slow
def test_after_a_failure_no_more_are_taken_if_that_is_asked_for(tmp_path: Path) -> None:
    ran = _run_tests(tmp_path, "--forks", "1", "-x")
    assert "stopping after 1 failures" in ran.stdout
    assert "1 failed, 40 passed" in ran.stdout
    assert not (tmp_path / "ran").exists()


class TestDealing:
    """What a copy takes at once."""

    def test_all_tests_are_dealt_in_order(self, request: pytest.FixtureRequest) -> None:
        items = request.session.items
        hands = deal_tests(items)
        assert [place for hand in hands for place in hand] == list(range(len(items)))

    def test_a_hand_is_of_one_file_and_a_slow_test_is_alone(self, request: pytest.FixtureRequest) -> None:
        items = request.session.items
        for hand in deal_tests(items):
            tests = [items[place] for place in hand]
            assert len({test.path for test in tests}) == 1
            assert len(tests) == 1 or not any(test.get_closest_marker("slow") for test in tests)
