"""Tests run by copies of the process that collected them: ``pytest --forks 2``.

The processes of pytest-xdist collect all tests each, and exchange several messages for each test: 5 s in each process,
then 1 ms a test. Here one process collects and forks. A copy has all modules already, takes the next tests by a counter
in shared memory, and sends what came of each in one message.

Only Linux can fork what has loaded much; elsewhere the tests run in one process. A copy that a test ends (``SIGSEGV``,
``os._exit``) fails this test alone: another copy goes on with what it had taken.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

import pytest
from _pytest.capture import FDCapture

_HAND = 16
"""Most quick tests that are taken at once; they are of one file, so that its fixtures are made in one process."""


def add_option(parser: pytest.Parser) -> None:
    """Let the command line say how many copies there are."""
    parser.addoption("--forks", type=int, default=0, help="how many copies of this process run the tests; 0: none")


def register_forks(config: pytest.Config) -> None:
    """Run tests in copies, if that is asked for and the platform can."""
    count: int = config.getoption("forks")
    if count and sys.platform == "linux":
        config.pluginmanager.register(ForkedRun(count), "forked run")


def deal_tests(items: list[pytest.Item]) -> list[range]:
    """Cut tests into hands, in their order: a slow one alone, quick ones of the same file together."""
    hands: list[range] = []
    start = 0
    for place in range(1, len(items) + 1):
        if place == len(items) or place - start == _HAND or not _is_hand(items[start], items[place]):
            hands.append(range(start, place))
            start = place
    return hands


def _is_hand(first: pytest.Item, other: pytest.Item) -> bool:
    is_slow = first.get_closest_marker("slow") or other.get_closest_marker("slow")
    return not is_slow and first.path == other.path


@dataclass
class Taking:
    """Which copy has which tests; in memory that all copies share."""

    hands: list[range]
    next_hand: Any
    takers: Any
    """By test the number of the copy that took it, 0 for none."""

    @classmethod
    def of(cls, items: list[pytest.Item]) -> Taking:
        """Nothing is taken yet."""
        shared = multiprocessing.get_context("fork")
        return cls(deal_tests(items), shared.Value("q", 0), shared.RawArray("q", len(items)))

    def take_tests(self, taker: int) -> Iterator[int]:
        """The places of tests that nobody else runs, as long as there are any."""
        while (hand := self._take_hand()) is not None:
            for place in hand:
                self.takers[place] = taker
            yield from hand

    def _take_hand(self) -> range | None:
        with self.next_hand.get_lock():
            number: int = self.next_hand.value
            self.next_hand.value = number + 1
        return self.hands[number] if number < len(self.hands) else None

    def stop(self) -> None:
        """Leave nothing to take."""
        with self.next_hand.get_lock():
            self.next_hand.value = len(self.hands)

    def taken_by(self, taker: int) -> list[int]:
        """The places of all tests that a copy took."""
        return [place for place, number in enumerate(self.takers) if number == taker]


@dataclass
class CopyOutcome:
    """What a copy says of a test: its reports, and warnings that were no errors."""

    place: int
    reports: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class RunningCopy:
    """A process that runs tests, as the process that started it sees it."""

    number: int
    process: int
    outcomes: Connection


class OutcomeSender:
    """In a copy: gathers what pytest reports of a test."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.outcome = CopyOutcome(-1)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the report of one phase, in the form that pytest has for another process."""
        self.outcome.reports.append(self.config.hook.pytest_report_to_serializable(config=self.config, report=report))

    def pytest_warning_recorded(self, warning_message: Any, when: Any, nodeid: str, location: Any) -> None:
        """Keep a warning that is no error."""
        self.outcome.warnings.append(
            {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
        )


class ForkedRun:
    """The plugin: runs the collected tests in copies of this process."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.started = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all tests, unless there is nothing to run: then pytest's own loop says so."""
        if session.testsfailed or session.config.option.collectonly:
            return None
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # one folder for all
        taking = Taking.of(session.items)
        copies = [self._start_copy(session, taking, []) for _ in range(self.count)]
        self._gather_outcomes(session, taking, copies)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        return True

    def _start_copy(self, session: pytest.Session, taking: Taking, left: list[int]) -> RunningCopy:
        """Fork; the copy begins with tests that another one had taken and did not come to."""
        self.started += 1
        for place in left:
            taking.takers[place] = self.started
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        here, there = multiprocessing.Pipe(duplex=False)
        process = _fork()
        if not process:
            here.close()
            _run_copy(session, self.started, left, taking, there)
        there.close()
        return RunningCopy(self.started, process, here)

    def _gather_outcomes(self, session: pytest.Session, taking: Taking, copies: list[RunningCopy]) -> None:
        reported: set[int] = set()
        try:
            while copies:
                ready = wait([copy.outcomes for copy in copies])
                for copy in [copy for copy in copies if copy.outcomes in ready]:
                    try:
                        outcome = copy.outcomes.recv()
                    except EOFError:
                        copies.remove(copy)
                        copies += self._replace_copy(session, taking, copy, reported)
                        continue
                    reported.add(outcome.place)
                    _report(session, outcome)
                    if _is_over(session):
                        taking.stop()
        finally:
            for copy in copies:
                os.kill(copy.process, signal.SIGINT)
                os.waitpid(copy.process, 0)

    def _replace_copy(
        self, session: pytest.Session, taking: Taking, copy: RunningCopy, reported: set[int]
    ) -> list[RunningCopy]:
        """Another copy for one that ended with tests in its hands; none for one that was through."""
        _, status = os.waitpid(copy.process, 0)
        code = os.waitstatus_to_exitcode(status)
        left = [place for place in taking.taken_by(copy.number) if place not in reported]
        if _is_over(session) or (not left and not code):
            return []
        if not left:
            raise session.Interrupted(f"a copy that ran tests ended with {code}; see above")
        place = left.pop(0)
        reported.add(place)
        _report(session, _lost_test(session, place, code))
        return [self._start_copy(session, taking, left)]


def _fork() -> int:
    """Fork, though libraries have threads: those of OpenBLAS, which it starts again by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _run_copy(session: pytest.Session, number: int, left: list[int], taking: Taking, outcomes: Connection) -> NoReturn:
    """Run tests in the copy, and end it without what the first process does when it ends."""
    code = 1
    try:
        _part_from_first(session.config, f"fork{number}")
        _run_tests(session, chain(left, taking.take_tests(number)), outcomes)
        code = 0
    except KeyboardInterrupt:
        pass
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown, and the first process hears of the end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _part_from_first(config: pytest.Config, name: str) -> None:
    """Have files of its own for what tests print, and for ``tmp_path``; print nothing of outcomes."""
    os.environ["PYTEST_XDIST_WORKER"] = name
    _part_captured(config)
    paths: Any = config._tmp_path_factory  # type: ignore[attr-defined] # pytest has no other way to this folder
    paths._basetemp = paths.getbasetemp() / name
    paths._basetemp.mkdir(mode=0o700)
    config.pluginmanager.unregister(name="terminalreporter")


def _part_captured(config: pytest.Config) -> None:
    """Write what tests print to other files below the same streams: handlers of logs keep those of the import."""
    manager: Any = config.pluginmanager.getplugin("capturemanager")
    captured: Any = manager._global_capturing
    for stream in (captured.out, captured.err):
        if isinstance(stream, FDCapture):
            with tempfile.TemporaryFile() as own:
                os.dup2(own.fileno(), stream.tmpfile.fileno(), inheritable=False)


def _run_tests(session: pytest.Session, places: Iterator[int], outcomes: Connection) -> None:
    """Run one test after another; pytest wants to know the next one, to keep its fixtures."""
    sender = OutcomeSender(session.config)
    session.config.pluginmanager.register(sender)
    try:
        place = next(places, None)
        while place is not None and not _is_over(session):
            following = next(places, None)
            item = session.items[place]
            next_item = None if following is None else session.items[following]
            sender.outcome = CopyOutcome(place)
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
            outcomes.send(sender.outcome)
            place = following
    finally:
        session._setupstate.teardown_exact(None)  # what is left of fixtures, if not all tests were run


def _is_over(session: pytest.Session) -> bool:
    """Whether a failure was to be the last one, or somebody asked to stop."""
    return bool(session.shouldfail or session.shouldstop)


def _report(session: pytest.Session, outcome: CopyOutcome) -> None:
    """Say what came of a test, as pytest does where it ran the test itself."""
    hook = session.config.hook
    test: dict[str, Any] = {name: outcome.reports[0][name] for name in ("nodeid", "location")}
    hook.pytest_runtest_logstart(**test)
    for data in outcome.reports:
        hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=session.config, data=data))
    for warning in outcome.warnings:
        hook.pytest_warning_recorded.call_historic(kwargs=warning)
    hook.pytest_runtest_logfinish(**test)


def _lost_test(session: pytest.Session, place: int, code: int) -> CopyOutcome:
    """A failure of the test in which a copy ended."""
    item = session.items[place]
    text = f"the process that ran this test ended with {code}"
    report = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
    data = session.config.hook.pytest_report_to_serializable(config=session.config, report=report)
    return CopyOutcome(place, [data])
