"""Which tests run which lines: recorded once, and again for what changed since, so that a mutant meets few tests."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from tests.places import ROOT

LIBRARY = ROOT / "functions" / "millrace"
IMPORT = "import"
"""The name under which the lines are kept that run while modules are loaded."""


@dataclass(frozen=True, slots=True)
class TestRecord:
    """What one test took and ran."""

    __test__ = False
    seconds: float
    passed: bool
    text: str
    """The digest of the file it is in."""
    lines: dict[str, list[int]]
    """Of each module."""


@dataclass(slots=True)
class CoverageRecord:
    """All tests' lines, with the texts of the modules that they ran."""

    modules: dict[str, str] = field(default_factory=dict)
    """Each module's digest when it was recorded."""
    tests: dict[str, TestRecord] = field(default_factory=dict)

    def tests_of(self, module: str, lines: frozenset[int] | None) -> list[str]:
        """The tests that run any of these lines, or any of the module if none are given, the quickest first."""
        names = [name for name, test in self.tests.items() if name != IMPORT and _runs(test, module, lines)]
        return sorted(names, key=lambda name: self.tests[name].seconds)

    def tests_beside(self, module: str) -> list[str]:
        """The tests of every file that has one that runs a line of the module, the quickest first.

        A class without methods of its own has no lines that run when it is used.
        """
        files = {name.partition("::")[0] for name in self.tests_of(module, None)}
        names = [name for name in self.tests if name.partition("::")[0] in files]
        return sorted(names, key=lambda name: self.tests[name].seconds)

    def runs_at_import(self, module: str, lines: frozenset[int]) -> bool:
        """Whether any of these lines runs while modules are loaded."""
        return IMPORT in self.tests and _runs(self.tests[IMPORT], module, lines)

    def forget_what_changed(self) -> None:
        """Drop each test whose file, or a module that it ran, has another text than when it was recorded."""
        changed = {module for module, digest in self.modules.items() if digest != digest_of(path_of(module))}
        for name, test in list(self.tests.items()):
            path = ROOT / name.partition("::")[0]
            if test.text != digest_of(path) or not changed.isdisjoint(test.lines):
                del self.tests[name]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))


def _runs(test: TestRecord, module: str, lines: frozenset[int] | None) -> bool:
    run = test.lines.get(module, ())
    return bool(run) if lines is None else not lines.isdisjoint(run)


def read_record(path: Path) -> CoverageRecord:
    """What was recorded; nothing if there is no such file."""
    if not path.is_file():
        return CoverageRecord()
    stored = json.loads(path.read_text())
    tests = {name: TestRecord(**test) for name, test in stored["tests"].items()}
    return CoverageRecord(stored["modules"], tests)


def digest_of(path: Path) -> str:
    """A short digest of a file's text; of none, if there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


def path_of(module: str) -> Path:
    """The file of a module of the library."""
    return ROOT.joinpath("functions", *module.split(".")).with_suffix(".py")


def module_of(path: Path) -> str:
    """The module of a file of the library."""
    return ".".join(path.relative_to(ROOT / "functions").with_suffix("").parts)


class KeptAnswers:
    """What functions of modules keep of earlier calls: only the first of several tests would seem to run them."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)
        self._looked_at: set[str] = set()
        self._clear: list[Callable[[], None]] = []

    def clear_all(self) -> None:
        """Forget them, also those of modules that were loaded since the last call."""
        for name in sorted(sys.modules.keys() - self._looked_at):
            self._looked_at.add(name)
            if name.startswith(self._prefixes):
                self._clear += _find_caches(sys.modules[name])
        for clear in self._clear:
            clear()


def _find_caches(module: ModuleType) -> Iterator[Callable[[], None]]:
    for thing in vars(module).values():
        clear = getattr(thing, "cache_clear", None)
        if callable(clear):
            yield clear


class CoverageRecorder:
    """A plugin of pytest: runs the tests that the record lacks, and writes it, also when it is interrupted."""

    def __init__(self, path: Path, parts: Sequence[str]) -> None:
        import coverage  # noqa: PLC0415 - only who records needs it

        self._path = path
        self._record = read_record(path)
        self._record.forget_what_changed()
        self._failed: set[str] = set()
        self._seconds: dict[str, float] = {}
        self._caches = KeptAnswers([f"millrace.{part.replace('/', '.')}." for part in parts])
        folders = [str(LIBRARY / part / "*") for part in parts]
        self._coverage = coverage.Coverage(data_file=None, config_file=False, include=folders)
        self._coverage.start()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid not in self._record.tests]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, bool, bool]:
        self._caches.clear_all()
        self._coverage.switch_context(item.nodeid)
        begun = time.process_time()
        outcome = yield
        self._seconds[item.nodeid] = time.process_time() - begun
        self._coverage.switch_context("")
        return outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        lines = self._lines_of_tests()
        for name, seconds in self._seconds.items():
            text = digest_of(ROOT / name.partition("::")[0])
            self._record.tests[name] = TestRecord(seconds, name not in self._failed, text, lines[name])
        self._record.tests[IMPORT] = TestRecord(0.0, passed=True, text="", lines=lines[""])
        modules = {module for test in self._record.tests.values() for module in test.lines}
        self._record.modules = {module: digest_of(path_of(module)) for module in modules}
        self._record.write(self._path)

    def _lines_of_tests(self) -> defaultdict[str, dict[str, list[int]]]:
        data = self._coverage.get_data()
        lines: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        for file in data.measured_files():
            for line, tests in data.contexts_by_lineno(file).items():
                for test in tests:
                    lines[test].setdefault(module_of(Path(file)), []).append(line)
        return lines
