"""Verdicts are kept while they are true: until the function or the test that decided is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.mutation import Mutant, find_mutants
from tests.mutants.verdicts import VerdictFile

MUTANT = next(find_mutants("m", "def f(a):\n    return a > 1\n"))
TESTS = {"tests/test_a.py": "1", "tests/test_b.py": "1"}
SIMULATOR = {"tests/test_schedules.py": "1"}


def open_file(folder: Path, **changed: str) -> VerdictFile:
    """The file as a later run finds it, with other digests of the tests that are named."""
    tests = {**TESTS, **{f"tests/test_{name}.py": digest for name, digest in changed.items()}}
    return VerdictFile(folder / "verdicts.jsonl", tests, SIMULATOR)


def test_a_verdict_outlives_the_run(tmp_path: Path) -> None:
    open_file(tmp_path).add_verdict(MUTANT, "tests/test_a.py::test_one", 0.5, simulated=False)

    verdict = open_file(tmp_path).read_verdict(MUTANT)

    assert verdict is not None
    assert verdict.noticed_by == "tests/test_a.py::test_one"


@pytest.mark.parametrize(
    ("mutant", "digests", "is_known"),
    [
        (MUTANT, {}, True),
        (replace(MUTANT, line=70), {}, True),
        (MUTANT, {"b": "2"}, True),
        (MUTANT, {"a": "2"}, False),
        (replace(MUTANT, around="def f(a):\n    return a > 1 or a < 0\n"), {}, False),
    ],
)
def test_who_noticed_is_forgotten_if_the_function_or_that_test_changed(
    tmp_path: Path, mutant: Mutant, digests: dict[str, str], *, is_known: bool
) -> None:
    open_file(tmp_path).add_verdict(MUTANT, "tests/test_a.py::test_one", 0.5, simulated=False)
    later = open_file(tmp_path, **digests)

    assert (later.read_verdict(mutant) is not None) == is_known
    assert later.last_noticed_by(mutant) == "tests/test_a.py::test_one"


def test_a_survivor_meets_only_tests_that_changed_since(tmp_path: Path) -> None:
    open_file(tmp_path).add_verdict(MUTANT, None, 0.5, simulated=False)
    later = open_file(tmp_path, b="2", c="1")
    verdict = later.read_verdict(MUTANT)

    tests = [f"tests/test_{name}.py::test_one" for name in ("a", "b", "c", "schedules")]
    assert [later.is_new_to(verdict, test) for test in tests] == [False, True, True, True]


def test_what_the_simulator_did_not_notice_stays_known_when_other_tests_are_added(tmp_path: Path) -> None:
    open_file(tmp_path).add_verdict(MUTANT, None, 0.5, simulated=True)
    open_file(tmp_path, c="1").add_verdict(MUTANT, None, 0.1, simulated=False)
    later = open_file(tmp_path, c="1")
    verdict = later.read_verdict(MUTANT)

    assert not later.is_new_to(verdict, "tests/test_schedules.py")
    assert not later.is_new_to(verdict, "tests/test_c.py::test_one")
