"""Judges the few mutants that act while a module is loaded: default values, fields of classes, cached constants.

Each is a fork of a process that has loaded what all tests need but nothing of the project; the fork imports the
mutant in place of its module and collects the tests, which takes seconds.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection
from types import ModuleType
from typing import NoReturn

import pytest

from tests.mutants.judging import Trial, leave_the_terminal, run_until_noticed
from tests.mutants.mutation import Mutant

PYTEST_OPTIONS = (
    *("-o", "addopts=--import-mode=importlib", "--assert=plain"),
    *("-s", "-p", "no:cacheprovider", "-p", "no:terminal"),
)
"""Nothing is printed, and no assertion is rewritten: only whether a test fails counts."""
_LIBRARIES = (
    "pytest hypothesis pyarrow pyarrow.compute pyarrow.csv pyarrow.json pyarrow.parquet "
    "pydantic yaml boto3 moto moto.s3.responses moto.dynamodb.responses moto.sqs.responses typer rich.console "
    "aws_lambda_powertools"
)


def load_libraries() -> None:
    """Import what all tests need, but not the project, so that a fork begins with it."""
    for name in _LIBRARIES.split():
        importlib.import_module(name)


class _MutatedLoader(importlib.abc.Loader):
    def __init__(self, mutant: Mutant, spec: ModuleSpec) -> None:
        self._mutant = mutant
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._spec.origin or "", "exec"), module.__dict__)  # noqa: S102 - our own code


class _MutatedFinder(importlib.abc.MetaPathFinder):
    """Gives the mutant's text for its module; every other module is found as usual."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._mutant.module:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)):
                return importlib.util.spec_from_loader(
                    name, _MutatedLoader(self._mutant, spec), origin=spec.origin, is_package=False
                )
        return None


class _OnlyThese:
    """A plugin of pytest that runs the tests of a trial in their order, up to the first that fails."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests
        self.noticed_by: str | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        self.noticed_by = run_until_noticed([items[name] for name in self._tests if name in items])
        return True


def judge_by_import(trial: Trial, answer: Connection) -> NoReturn:
    """The forked process: import the mutant in place of its module. Tests that cannot be collected notice, too."""
    leave_the_terminal(trial.seconds + 10)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"millrace", "convert"}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _MutatedFinder(trial.mutant))
    files = list(dict.fromkeys(name.partition("::")[0] for name in trial.tests))
    only = _OnlyThese(trial.tests)
    status = pytest.main([*files, *PYTEST_OPTIONS], plugins=[only])
    collected = status in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}
    answer.send(only.noticed_by if collected else files[0])
    os._exit(0)
