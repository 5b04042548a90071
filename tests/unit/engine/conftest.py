"""The engine's tests run with the native kernel, and without it if they ever ask for it; see ``kernel_questions``."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.kernel_questions import IS_FIRST_RUN, QUESTIONS, note_test, read_notes


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Remember modules that ask while they are imported: their tests may keep the answer."""
    before = QUESTIONS.count
    report = yield
    if QUESTIONS.count > before:
        QUESTIONS.modules.add(collector.path)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note a test that neither asks nor starts a process, fixtures included."""
    before = QUESTIONS.count
    result = yield
    if IS_FIRST_RUN:
        note_test(item, asked=QUESTIONS.count > before)
    return result


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was noted, if this is the run without the kernel."""
    if IS_FIRST_RUN:
        return
    notes = read_notes()
    needless = [item for item in items if item.nodeid in notes]
    items[:] = [item for item in items if item.nodeid not in notes]
    config.hook.pytest_deselected(items=needless)
