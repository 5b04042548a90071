"""Deployments have numbers that only grow, given by a custom resource of the stack."""

from __future__ import annotations

from pathlib import Path

from millrace.demo.deployed import DeployedDemo
from millrace.deployment.settings import DEPLOYMENT_VARIABLE
from tests.e2e.conftest import SHARED_CONTEXT


def number_of(deployed: DeployedDemo, function: str = "millrace-convert") -> int:
    configuration = deployed.emulator.client("lambda").get_function_configuration(FunctionName=function)
    return int(configuration["Environment"]["Variables"][DEPLOYMENT_VARIABLE])


def test_a_number_grows_with_every_change_and_with_nothing_else(
    deployed: DeployedDemo, configuration: Path, tmp_path: Path
) -> None:
    """It leaves another configuration behind, so that it is the last test of its deployment: see ``scheduling``."""
    number = number_of(deployed)
    assert number > 1_700_000_000

    unchanged = DeployedDemo.deploy(deployed.emulator, configuration, context=SHARED_CONTEXT)
    assert number_of(unchanged) == number

    changed = tmp_path / "millrace.yaml"
    changed.write_text(configuration.read_text().replace("normalize_names: disabled", "normalize_names: enabled", 1))
    second = DeployedDemo.deploy(deployed.emulator, changed, context=SHARED_CONTEXT)
    assert number_of(second) > number
