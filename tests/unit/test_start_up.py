"""What a cold start loads: counted by modules, as seconds depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
HANDLERS = ("convert", "reprocess", "reconcile", "backfill", "webhook", "commit", "big_run")
"""The last one needs what the others must not load, so that what it leaves is in nobody's way."""
LIST_MODULES = """
import importlib, json, sys
for function in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "millrace"]:
        del sys.modules[name]
    importlib.import_module(f"{function}.handler")
    print(json.dumps(sorted(sys.modules)))
"""
"""One process for all handlers, as botocore alone takes a second to load.

Each handler loads the library from its beginning. Of other packages it also has what the handlers before it loaded: one
that must not be there then fails for the first handler that loads it, and for those behind that one.
"""
NOT_NEEDED = (
    "pandas",  # not in the deployed layer; where it is installed, building a pyarrow scalar loads it
    "pyiceberg",  # in one function's layer, and there only when something is committed
    "pyarrow",  # only when a file is converted; most messages of a busy folder end before that
    "millrace.engine.formats",
    "typer",
    "rich",
    "yaml",
    "moto",
    "boto3",  # botocore's clients are enough
    "s3transfer",
    "aws_xray_sdk",  # only where X-Ray is on
    "millrace.cli",
    "millrace.demo",
    "millrace.notices.events",  # only where something is told: of a failure, or of what a sync's notify asks for
    "millrace.aws.event_bus",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.parser",
)
NEEDED_BY_ALL_THAT_IT_DOES = {
    "big_run": frozenset({"pyarrow", "millrace.engine.formats"}),
    "webhook": frozenset({"millrace.notices.events"}),
}
"""What one function loads at its start, since there is nothing that it does without."""
OF_OTHER_FUNCTIONS = {
    "convert": (
        "millrace.operations",
        "millrace.composition.runs",
        # What few messages need: composition/seldom.py loads it with the first of them.
        "millrace.big_runs",
        "millrace.objects.machine",
        "millrace.aws.step_functions",
        "millrace.aws.dynamodb_backfills",
        "millrace.aws.dynamodb_checkpoints",
    ),
    "big_run": ("millrace.operations.reconcile", "millrace.operations.reprocess", "millrace.composition.runs"),
    "reprocess": ("millrace.composition.convert", "millrace.delivery"),
    "reconcile": ("millrace.composition.convert", "millrace.delivery"),
    "webhook": ("millrace.composition.convert", "millrace.composition.runs", "millrace.delivery"),
    "backfill": ("millrace.composition.convert", "millrace.composition.runs", "millrace.delivery.intake"),
    "commit": ("millrace.composition.convert", "millrace.composition.runs", "millrace.delivery"),
}


@cache
def loaded_modules() -> dict[str, frozenset[str]]:
    """Modules that are loaded when Lambda imports a function's handler, by function."""
    environment = {"PYTHONPATH": str(FUNCTIONS)}
    answer = subprocess.run(  # noqa: S603 - this very interpreter, with code from this file
        [sys.executable, "-c", LIST_MODULES, *HANDLERS], env=environment, capture_output=True, check=True, text=True
    )
    lines = [frozenset(json.loads(line)) for line in answer.stdout.splitlines()]
    return dict(zip(HANDLERS, lines, strict=True))


def loaded_below(function: str, packages: tuple[str, ...]) -> list[str]:
    modules = loaded_modules()[function]
    return sorted(name for name in modules if any(name == top or name.startswith(f"{top}.") for top in packages))


@pytest.mark.slow
@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_loads_nothing_that_no_function_needs(function: str) -> None:
    needed = NEEDED_BY_ALL_THAT_IT_DOES.get(function, frozenset())
    not_needed = tuple(name for name in NOT_NEEDED if name not in needed)

    assert loaded_below(function, not_needed) == []


@pytest.mark.slow
@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_loads_nothing_of_other_functions(function: str) -> None:
    assert loaded_below(function, OF_OTHER_FUNCTIONS[function]) == []


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_is_at_most_60_lines(function: str) -> None:
    assert len((FUNCTIONS / function / "handler.py").read_text().splitlines()) <= 60
