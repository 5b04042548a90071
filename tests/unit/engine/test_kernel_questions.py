"""Tests that run once are those whose outcome cannot depend on the kernel."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest

from millrace.engine.native.library import find_kernel
from tests import kernel_questions
from tests.kernel_questions import QUESTIONS, shares_results
from tests.unit.engine.formats.builders import converted


@functools.cache
def _keep_answer() -> str:
    return str(find_kernel())


def test_a_conversion_that_may_use_the_kernel_asks() -> None:
    before = QUESTIONS.count

    converted(b"a\n" + b"1\n" * 1000, "csv", "json")

    assert QUESTIONS.count > before


@pytest.mark.skipif(
    not (kernel_questions.FOLDER and kernel_questions.IS_FIRST_RUN),
    reason="only the run of `make test` that notes who asks listens for processes",
)
def test_a_process_may_ask() -> None:
    before = QUESTIONS.count

    subprocess.run([sys.executable, "-c", ""], check=True)

    assert QUESTIONS.count > before


def test_a_test_that_may_share_what_another_made_is_run_again(request: pytest.FixtureRequest) -> None:
    assert shares_results(request.node), "this module keeps an answer"


def test_what_was_not_noted_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_questions, "FOLDER", None)

    assert kernel_questions.read_notes() == frozenset()
