"""The code asset."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from infra.byte_code import ModulesNotCompiled
from infra.package import contents, package
from infra.wheel import ship_project
from millrace.deployment.settings import CONFIGURATION_FILE, FUNCTIONS_ROOT

IMPORT_HANDLERS = """
import importlib, sys
folder, *handlers = sys.argv[1:]
sys.path.insert(0, folder)
for handler in handlers:
    assert callable(importlib.import_module(handler).handle)
own = {"millrace", *(handler.partition(".")[0] for handler in handlers)}
for name, module in sys.modules.items():
    if name.partition(".")[0] in own and not str(module.__file__).startswith(folder):
        print(name, "from", module.__file__)
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A source root with something of everything."""
    root = tmp_path / "functions"
    for name in (
        "convert/handler.py",
        "convert/__pycache__/handler.cpython-313.pyc",
        "millrace/delivery/worker.py",
        "millrace/cli/command_line.py",
        "millrace/remote/deployments.py",
        "millrace/ui/static/page.js",
        "millrace/demo/emulator.py",
        "millrace.egg-info/PKG-INFO",
        "millrace/.hidden",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def names(folder: Path) -> set[str]:
    """The files in ``folder`` but for byte code, which is there only if this machine has Lambda's Python."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder).as_posix() for path in paths}


def test_holds_handlers_library_and_configuration_alone(functions: Path, tmp_path: Path) -> None:
    """What runs on a person's machine stays there."""
    folder = package("{}", functions=functions, cache=tmp_path)

    assert names(folder) == {"convert/handler.py", "millrace/delivery/worker.py", CONFIGURATION_FILE}


def test_is_named_by_its_content(functions: Path, tmp_path: Path) -> None:
    """The same code and configuration give the same folder, whenever it is built; any change another."""
    first = package("{}", functions=functions, cache=tmp_path)
    os.utime(functions / "convert/handler.py", (0, 0))
    again = package("{}", functions=functions, cache=tmp_path / "elsewhere")
    configured = package('{"bulk_syncs": []}', functions=functions, cache=tmp_path)
    (functions / "millrace/delivery/worker.py").write_text("changed = True\n")
    changed = package("{}", functions=functions, cache=tmp_path)

    assert first.name == again.name
    assert len({first, configured, changed}) == 3


def test_every_module_is_shipped_compiled(functions: Path, tmp_path: Path) -> None:
    """A cold start compiles none of them, and does not look whether a source is newer: Lambda's files have no times."""
    folder = package("{}", functions=functions, cache=tmp_path, python=sys.executable)

    modules = sorted(folder.rglob("*.py"))
    assert len(modules) == 2
    for module in modules:
        byte_code = Path(cache_from_source(str(module))).read_bytes()
        # PEP 552: 1 is "by a hash", and 2, which is not set, would be "compare it with the source".
        assert int.from_bytes(byte_code[4:8], "little") == 1
        assert f"/var/task/{module.relative_to(folder).as_posix()}".encode() in byte_code


def test_a_module_that_does_not_compile_is_not_deployed(functions: Path, tmp_path: Path) -> None:
    (functions / "convert/handler.py").write_text("def handle(:\n")

    with pytest.raises(ModulesNotCompiled, match=r"handler\.py"):
        package("{}", functions=functions, cache=tmp_path, python=sys.executable)

    assert list(tmp_path.glob("*-compiled")) == []


def test_holds_every_handler_of_this_project() -> None:
    """All functions are in the one asset."""
    deployed = {name for name, _ in contents(FUNCTIONS_ROOT)}

    assert {
        "convert/handler.py",
        "reprocess/handler.py",
        "reconcile/handler.py",
        "millrace/deployment/settings.py",
    } <= deployed
    assert not [name for name in deployed if name.startswith(("millrace/demo", "millrace/cli"))]


def test_every_handler_is_imported_from_the_asset_alone(tmp_path: Path) -> None:
    """What is left out is needed by none of them."""
    folder = package("{}", cache=tmp_path)
    handlers = [path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/handler.py")]

    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-I", "-c", IMPORT_HANDLERS, str(folder), *(name.replace("/", ".") for name in handlers)],
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_TRACE_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(handlers) >= 3
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], "imported from elsewhere"


class TestWheel:
    """What `infra/wheel.py` puts into a wheel."""

    def test_has_all_that_a_clone_deploys(self, tmp_path: Path) -> None:
        """The code asset is the same, made of the wheel's files."""
        ship_project(tmp_path)
        shipped = tmp_path / "millrace" / "infra"

        assert dict(contents(shipped / "project" / "handlers")) == dict(contents(FUNCTIONS_ROOT))
        for name in ("cdk.json", "package.json", "package-lock.json", "requirements/function.txt"):
            assert (shipped / "project" / name).read_bytes() == (FUNCTIONS_ROOT.parent / name).read_bytes()
        assert {path.name for path in shipped.glob("*.py")} >= {"__init__.py", "__main__.py", "deployment.py"}

    def test_its_stacks_import_each_other_by_place(self) -> None:
        """They are `infra` in a clone and `millrace.infra` in a wheel; a whole name would be right in one alone."""
        whole_name = re.compile(r"^\s*(from|import) infra\b", re.MULTILINE)
        files = sorted((FUNCTIONS_ROOT.parent / "infra").glob("*.py"))

        assert [path.name for path in files if whole_name.search(path.read_text())] == []
