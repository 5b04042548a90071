"""Each configuration is synthesised once a session."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.infra.cases import CASES
from tests.infra.templates import Synthesised, Template, synthesise

# The CDK is a Node program: the one that the virtual environment brings, whatever else is installed.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="session")
def of_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synthesised]:
    """What a case of ``CASES`` synthesises to."""

    @cache
    def make(name: str) -> Synthesised:
        return synthesise(CASES[name], tmp_path_factory.mktemp("cdk"))

    return make


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
