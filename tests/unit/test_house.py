"""The house rules that no linter has: documents, floors, class names and complexity."""

from __future__ import annotations

import ast
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from radon.complexity import cc_visit_ast

from tests.places import ROOT

PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"})
MOST_COLUMNS = 120
MOST_COMPLEXITY = 8
DOUBLES_LEFT = 0
"""Class names that mean two things."""
COMPLEX_LEFT = 0
"""Functions that are still too complex, counted in the same way."""
_LIST_MARK = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_CODE = re.compile(r"`[^`]*`")
_SECOND_SENTENCE = re.compile(r"(?<!\be\.g)(?<!\bi\.e)[.!?][)\"”*]*\s+[A-Z\[(`*]")
"""An end of a sentence with more behind it: "It runs. It stops." has one."""
_SENTENCE_END = re.compile(r"[.!?:;][)\"”*]*$")
_CLASS = re.compile(r"^[ \t]*class (\w+)[(:\[]", re.MULTILINE)
"""A class by its text: to parse 700 files takes three seconds. ``class Reader(Protocol):`` is `Reader`."""
_CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a page that people read as text: no code, table, heading, comment or picture."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        text = line.lstrip()
        if text.startswith("```"):
            fenced = not fenced
        elif fenced or text.startswith(("|", "#", "<!--", "![")):
            yield number, ""
        else:
            yield number, line


def _page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_page_id)
class TestDocuments:
    def test_a_line_has_at_most_120_columns(self, page: Path) -> None:
        long = [number for number, line in _prose(page) if len(line) > MOST_COLUMNS]

        assert long == []

    def test_a_line_has_one_sentence(self, page: Path) -> None:
        double = [
            f"{number}: {line}"
            for number, line in _prose(page)
            if _SECOND_SENTENCE.search(_CODE.sub("X", _LIST_MARK.sub("", line)))
        ]

        assert double == []

    def test_a_sentence_has_one_line(self, page: Path) -> None:
        lines = list(_prose(page))
        broken = [
            f"{number}: {line}"
            for (number, line), (_, after) in itertools.pairwise(lines)
            if line.strip() and after.strip() and not _LIST_MARK.match(after) and not _SENTENCE_END.search(line)
        ]

        assert broken == []


def _rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of CONTRIBUTING, without its head."""
    section = _CONTRIBUTING.split(f"## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


class TestFloors:
    def test_the_table_is_the_contract(self) -> None:
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
        contract = next(one for one in settings["contracts"] if one["type"] == "layers")
        floors = [[name.strip() for name in re.split(r"[|:]", layer)] for layer in contract["layers"]]

        assert [re.findall(r"`(\w+)`", first) for first, *_ in _rows("The floors")] == floors
        assert contract["exhaustive"]

    @pytest.mark.slow
    def test_a_new_module_without_a_floor_fails(self, tmp_path: Path) -> None:
        """Importing nothing is enough: it is in the library, so it needs a floor."""
        unwanted = shutil.ignore_patterns("__pycache__")
        for folder in ("functions", "infra"):
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unwanted)
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        (tmp_path / "functions" / "millrace" / "attic.py").write_text('"""Nobody gave it a floor."""\n')

        linted = subprocess.run(
            [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": "functions:.", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert linted.returncode == 1, linted.stderr
        assert "attic" in linted.stdout


class TestWhereDoIChange:
    def test_at_least_twenty_changes_have_their_file(self) -> None:
        rows = _rows("Where do I change ...")

        assert len(rows) >= 20
        assert [change for change, place in rows if not re.search(r"\]\((functions|infra)/[\w/]+\.py\)", place)] == []

    def test_the_files_are_there(self) -> None:
        places = re.findall(r"\]\(([\w/]+\.py)\)", _CONTRIBUTING)
        in_the_picture = re.findall(r"\[\"((?:\w+/)+\w+\.py)", _CONTRIBUTING)

        assert [place for place in places if not (ROOT / place).is_file()] == []
        assert [place for place in in_the_picture if not _in_functions(place).is_file()] == []


def _in_functions(place: str) -> Path:
    library = ROOT / "functions" / "millrace" / place
    return library if library.is_file() else ROOT / "functions" / place


def _python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    """A parsed file: two rules look at the same ones."""
    return ast.parse(path.read_text(encoding="utf-8"))


class TestClassNames:
    def test_a_class_name_means_one_thing(self) -> None:
        places: dict[str, set[str]] = defaultdict(set)
        for path in _python_files("functions", "infra", "tests"):
            for name in _CLASS.findall(path.read_text(encoding="utf-8")):
                places[name].add(_page_id(path))
        doubles = {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}

        assert len(doubles) <= DOUBLES_LEFT, doubles

    def test_nor_does_one_that_only_its_module_uses(self) -> None:
        places: dict[str, set[str]] = defaultdict(set)
        for path in _python_files("functions", "infra"):
            for name in _CLASS.findall(path.read_text(encoding="utf-8")):
                places[name.lstrip("_")].add(_page_id(path))
        doubles = {name: sorted(paths) for name, paths in places.items() if len(paths) > 1}

        assert len(doubles) <= DOUBLES_LEFT, doubles


class TestFollowedImports:
    def test_mypy_reads_each_service_of_the_cdk_that_is_used(self) -> None:
        """It takes a module that it does not follow for Any, and says nothing of a wrong argument."""
        overrides = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["overrides"]
        followed = {name for table in overrides if table.get("follow_imports") == "normal" for name in table["module"]}
        used = {name for path in _python_files("infra", "tests") for name in _services_of_the_cdk(path)}

        assert len(used) > 10
        assert sorted(used - followed) == []


def _services_of_the_cdk(path: Path) -> Iterator[str]:
    """The modules of the CDK that a file names: ``from aws_cdk import aws_sqs as sqs`` names ``aws_cdk.aws_sqs``."""
    nodes = ast.walk(_tree(path)) if "aws_cdk" in path.read_text(encoding="utf-8") else ()
    for node in nodes:
        match node:
            case ast.ImportFrom(module="aws_cdk", names=names):
                yield from (f"aws_cdk.{name.name}" for name in names if name.name.islower())
            case ast.ImportFrom(module=str(module)) if module.startswith("aws_cdk."):
                yield module
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.startswith("aws_cdk."))
            case _:
                pass


class TestExamples:
    def test_a_property_test_asks_for_examples_by_the_function_that_knows_the_profile(self) -> None:
        """With a number of its own it would draw as many in a quick run as in a long one."""
        by_number = re.compile(r"max_examples=\d")
        pages = {_page_id(path): path.read_text(encoding="utf-8") for path in _python_files("tests")}

        assert [page for page, text in pages.items() if by_number.search(text)] == []


class TestComplexity:
    @pytest.mark.slow
    def test_a_function_decides_at_most_eight_things(self) -> None:
        """Tests are left out: each assertion counts as a decision there."""
        complex_ones = [
            f"{_page_id(path)}: {block.name} {block.complexity}"
            for path in _python_files("functions", "infra")
            for function in _find_wordy_functions(path)
            for block in cc_visit_ast(ast.Module([function], []))
            if block.complexity > MOST_COMPLEXITY
        ]

        assert len(complex_ones) <= COMPLEX_LEFT, complex_ones

    def test_a_function_with_more_decisions_is_looked_at(self, tmp_path: Path) -> None:
        path = tmp_path / "wordy.py"
        lines = ["class A:", "    def f(a):", *("        if a: pass" for _ in range(MOST_COMPLEXITY))]
        path.write_text("\n".join(lines))

        (function,) = _find_wordy_functions(path)
        (block,) = cc_visit_ast(ast.Module([function], []))

        assert (block.name, block.complexity) == ("f", MOST_COMPLEXITY + 1)


_DECISION = re.compile(r"\b(?:def|if|elif|else|for|while|try|except|finally|with|assert|and|or|match|case|lambda)\b")
"""What a decision is written with: ``def f(a): return a if a or b else c`` has five of its complexity of three."""


def _find_wordy_functions(path: Path) -> Iterator[ast.stmt]:
    """The functions that may decide too much, by the words in their lines; to count in all others takes seconds."""
    tree = _tree(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    statements: list[ast.AST] = [tree]
    while statements:
        statement = statements.pop()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
            if len(_DECISION.findall(text)) > MOST_COMPLEXITY:
                yield statement
        else:
            statements += [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.expr)]


_MERGE_MARK = re.compile(r"^(?:<{7}|>{7}) \S", re.MULTILINE)
_MOST_BYTES = 2_000_000


_MADE = {".git", ".venv", "node_modules", "build", "cdk.out", "__pycache__", "built"}
"""Folders that tasks make; those of caches end with `_cache`."""


def _own_files() -> Iterator[Path]:
    """What belongs to the project, without what its tasks make: their 60,000 files take four seconds to walk."""
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in _MADE and not name.endswith("_cache")]
        for path in (Path(folder, name) for name in names):
            if path.is_file() and path.stat().st_size < _MOST_BYTES:
                yield path


def test_no_file_has_marks_of_a_merge() -> None:
    marked = [
        path.relative_to(ROOT).as_posix()
        for path in _own_files()
        if _MERGE_MARK.search(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert marked == []
