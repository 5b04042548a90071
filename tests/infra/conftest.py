"""Each configuration is synthesised once, whichever worker needs it first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.infra.cases import CASES
from tests.infra.templates import Synthesised, Template, read_assembly, write_assembly
from tests.kernels import kernels_are_built_once

__all__ = ["kernels_are_built_once"]

# The CDK is a Node program: the one that the virtual environment brings, whatever else is installed.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of a run share; each worker has its own base folder in it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "assemblies"


@pytest.fixture(scope="session")
def of_case(assemblies: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synthesised]:
    """What a case of ``CASES`` synthesises to."""

    @cache
    def make(name: str) -> Synthesised:
        folder = assemblies / name
        if not folder.is_dir():
            aside = tmp_path_factory.mktemp("cdk")
            write_assembly(CASES[name], aside)
            publish_folder(aside, folder)
        return read_assembly(CASES[name], folder)

    return make


def publish_folder(aside: Path, folder: Path) -> None:
    """Give a whole folder its name, unless another worker was first: a rename replaces no folder with files."""
    folder.parent.mkdir(exist_ok=True)
    try:
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


@pytest.fixture(params=sorted(CASES), scope="session")
def synthesised(request: pytest.FixtureRequest, of_case: Callable[[str], Synthesised]) -> Synthesised:
    """Every case in turn."""
    return of_case(request.param)


@pytest.fixture(scope="session")
def storage(synthesised: Synthesised) -> Template:
    """The storage stack of every case in turn."""
    return synthesised.storage


@pytest.fixture(scope="session")
def processing(synthesised: Synthesised) -> Template:
    """The processing stack of every case in turn."""
    return synthesised.processing
