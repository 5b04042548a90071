"""Judges mutants in a warmed process: everything is imported and collected once, each mutant is a fork of it.

In the fork the mutant's functions replace those of the loaded module, in place (`function.__code__`), so that whoever
imported them meets the fault. Then the tests run that are known to run the changed lines, until one fails.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import CodeType, FunctionType
from typing import NoReturn

import pytest
from hypothesis import Phase, settings

from tests.mutants.coverage_record import path_of
from tests.mutants.mutation import Mutant

NOTICED_BY_TIME = "time"
"""A mutant that loops or waits for ever has been noticed; so has one that ends the process."""
NOTICED_BY_CRASH = "crash"
NEEDS_IMPORT = "import"
"""What is changed runs while the module is loaded, so it has to be loaded again with the fault in it."""
_MOST_SECONDS = 300.0
"""No mutant takes as long, however busy the machine is."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant and the tests, or files of tests, that may notice it, in the order in which they are tried."""

    mutant: Mutant
    tests: Sequence[str]
    seconds: float
    """What these tests take without the fault."""


@dataclass(slots=True)
class _Running:
    trial: Trial
    process: BaseProcess
    answer: Connection
    begun: float


Report = Callable[[Trial, str | None, float], None]
"""Called with each trial's end: who noticed it, if any did, and the seconds it took."""


class WarmedJudges:
    """A plugin of pytest that, in place of running the collected tests, judges mutants with them."""

    def __init__(self, trials: Iterator[Trial], jobs: int, report: Report) -> None:
        self._trials = trials
        self._jobs = jobs
        self._report = report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        # A failing example is enough; the smallest one would cost seconds for each mutant.
        settings.register_profile("mutants", settings.default, phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items: defaultdict[str, list[pytest.Item]] = defaultdict(list)
        for item in session.items:
            items[item.nodeid].append(item)
            items[item.nodeid.partition("::")[0]].append(item)
        functions = find_functions()
        gc.collect()
        gc.freeze()  # what a fork does not touch stays shared with it

        def run(trial: Trial, answer: Connection) -> NoReturn:
            _judge(trial, [item for name in trial.tests for item in items[name]], functions, answer)

        run_side_by_side(self._trials, run, self._jobs, self._report)
        return True


def run_side_by_side(
    trials: Iterator[Trial], run: Callable[[Trial, Connection], NoReturn], jobs: int, report: Report
) -> None:
    """Fork a process for each trial, `jobs` of them at once; end them all if this one is interrupted."""
    running: list[_Running] = []
    try:
        for trial in trials:
            running.append(_start(trial, run))
            while len(running) >= jobs:
                _collect(running, report)
        while running:
            _collect(running, report)
    finally:
        for trial_running in running:
            trial_running.process.kill()


def _start(trial: Trial, run: Callable[[Trial, Connection], NoReturn]) -> _Running:
    receiver, sender = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=run, args=(trial, sender))
    process.start()
    sender.close()
    return _Running(trial, process, receiver, time.monotonic())


def _collect(running: list[_Running], report: Report) -> None:
    """Report the trials that have ended, and end those that will not."""
    wait([trial_running.process.sentinel for trial_running in running], timeout=1.0)
    for trial_running in list(running):
        seconds = time.monotonic() - trial_running.begun
        if seconds > _MOST_SECONDS:
            trial_running.process.kill()
            trial_running.process.join()
        if not trial_running.process.is_alive():
            running.remove(trial_running)
            report(trial_running.trial, _read_answer(trial_running), seconds)
            trial_running.process.close()


def _read_answer(ended: _Running) -> str | None:
    with contextlib.suppress(EOFError):
        if ended.answer.poll():
            answer: str | None = ended.answer.recv()
            return answer
    by_limit = ended.process.exitcode in {-signal.SIGXCPU, -signal.SIGKILL}
    return NOTICED_BY_TIME if by_limit else NOTICED_BY_CRASH


def leave_the_terminal(seconds: float) -> None:
    """In a fork: print nowhere, leave Ctrl-C to the parent, and end after so many seconds of work."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit = int(10 + 4 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))


def _judge(
    trial: Trial,
    items: Sequence[pytest.Item],
    functions: dict[str, list[FunctionType]],
    answer: Connection,
) -> NoReturn:
    """The forked process: put the fault in, and stop at the first test that notices."""
    leave_the_terminal(trial.seconds)
    try:
        replaced = replace_functions(trial.mutant, functions)
    except ValueError:  # another set of closed-over names
        replaced = 0
    answer.send(run_until_noticed(items) if replaced else NEEDS_IMPORT)
    os._exit(0)


class _Failures:
    def __init__(self) -> None:
        self.found = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.found = self.found or report.failed


def run_until_noticed(items: Sequence[pytest.Item]) -> str | None:
    """The name of the first test that fails."""
    if not items:
        return None
    failures = _Failures()
    items[0].config.pluginmanager.register(failures)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.found:
            return item.nodeid
    return None


def find_functions() -> dict[str, list[FunctionType]]:
    """Every living function of the library, by its module: methods, wrapped ones and closures, too."""
    functions: dict[str, list[FunctionType]] = defaultdict(list)
    gc.unfreeze()  # what was collected is frozen, and then not among the objects
    for thing in gc.get_objects():
        if type(thing) is FunctionType and (thing.__module__ or "").startswith("millrace."):
            functions[thing.__module__].append(thing)
    return functions


def replace_functions(mutant: Mutant, functions: dict[str, list[FunctionType]]) -> int:
    """Give the living functions of a module the mutant's code; says how many have changed.

    None has if the fault is in what runs at import: a default value, a field of a class, a constant.
    """
    importlib.import_module(mutant.module)
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes(_compile(mutant))}
    replaced = 0
    for function in functions[mutant.module]:
        code = codes.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if code is not None and code != function.__code__:
            function.__code__ = code
            replaced += 1
    return replaced


def _compile(mutant: Mutant) -> CodeType:
    return compile(mutant.source, str(path_of(mutant.module)), "exec", dont_inherit=True)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
