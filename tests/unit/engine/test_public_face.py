"""The engine's public face: its names are there, documented, and loaded when they are used."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from millrace import engine

PAGE = Path(__file__).parents[3] / "docs" / "engine.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
FOREIGN = ("pydantic", "boto3", "botocore", "aws_lambda_powertools", "typer", "millrace.config", "millrace.aws")

WORDS = ("import millrace.engine.options", "from millrace.engine import RowCounts")
LOADED_MODULES = """
import sys
for statement in sys.argv[1:]:
    exec(statement)
    print(*sorted(sys.modules))
"""
IMPORTS = """
import importlib, pkgutil, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            print("pandas is asked for")

sys.meta_path.insert(0, Finder())
from millrace.engine import convert
print(*sorted(sys.modules))
import millrace.engine
for module in pkgutil.walk_packages(millrace.engine.__path__, "millrace.engine."):
    importlib.import_module(module.name)
"""


@cache
def run_python(code: str, *arguments: str) -> list[str]:
    """The lines that a process writes, which several tests look at."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - code of this file
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", engine.__all__)
def test_each_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(engine, name).__name__ == name
    assert f"`{name}`" in PAGE.read_text()


def test_the_public_names_are_all_that_the_face_shows() -> None:
    assert dir(engine) == sorted(engine.__all__) == engine.__all__
    with pytest.raises(AttributeError, match=r"'millrace\.engine' has no attribute 'nonsense'"):
        engine.nonsense  # type: ignore[attr-defined] # noqa: B018 - the look-up is what is tested


def test_each_public_name_has_the_home_that_type_checkers_see() -> None:
    source = Path(str(engine.__file__)).read_text()
    imports = re.findall(r"from millrace\.engine\.(\S+) import (.+)", source)
    homes = {name: home for home, names in imports for name in names.split(", ")}

    assert homes == vars(engine)["_HOMES"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})  # noqa: S102 - the page's own code


@pytest.mark.slow
def test_converting_loads_neither_configuration_nor_clients() -> None:
    """Pandas, which is asked for on the way if it is, would come before the modules."""
    loaded = set(run_python(IMPORTS)[0].split())

    assert "millrace.engine.one_file" in loaded
    assert loaded.isdisjoint(FOREIGN)


@pytest.mark.parametrize("statement", WORDS)
def test_words_load_no_pyarrow(statement: str) -> None:
    """In one process: what the first words load is there for the others as well."""
    modules = run_python(LOADED_MODULES, *WORDS)[WORDS.index(statement)].split()

    assert "millrace.engine.options" in modules
    assert "pyarrow" not in modules


@pytest.mark.slow
def test_nothing_is_computed_at_import() -> None:
    """The first value that pyarrow makes lets it import pandas, if that is installed, which takes long."""
    assert "pandas is asked for" not in run_python(IMPORTS)
