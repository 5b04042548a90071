"""Deployments have numbers that only grow, given by a custom resource of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.demo.deploy import bootstrap
from millrace.demo.deployed import DeployedDemo
from millrace.demo.emulator import Emulator, Mode, running
from millrace.deployment.settings import DEPLOYMENT_VARIABLE
from tests.e2e.conftest import CONTEXT


@pytest.fixture(params=[Mode.OPEN, Mode.ENFORCED])
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with running(request.param) as emulator:
        bootstrap(emulator)
        yield emulator


def number_of(deployed: DeployedDemo, function: str = "millrace-convert") -> int:
    configuration = deployed.emulator.client("lambda").get_function_configuration(FunctionName=function)
    return int(configuration["Environment"]["Variables"][DEPLOYMENT_VARIABLE])


def test_a_number_grows_with_every_change_and_with_nothing_else(
    emulator: Emulator, configuration: Path, tmp_path: Path
) -> None:
    first = DeployedDemo.deploy(emulator, configuration, context=CONTEXT)
    number = number_of(first)
    assert number > 1_700_000_000

    unchanged = DeployedDemo.deploy(emulator, configuration, context=CONTEXT)
    assert number_of(unchanged) == number

    changed = tmp_path / "millrace.yaml"
    changed.write_text(configuration.read_text().replace("normalize_names: disabled", "normalize_names: enabled", 1))
    second = DeployedDemo.deploy(emulator, changed, context=CONTEXT)
    assert number_of(second) > number
