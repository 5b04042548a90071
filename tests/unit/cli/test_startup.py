"""What the command imports: the start is quick because heavy packages wait until a command needs them."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_group

from millrace.cli.commands import COMMANDS, CommandEntry, load_command

HEAVY = {
    "aws_lambda_powertools", "boto3", "botocore", "numpy", "pandas", "pyarrow", "pydantic", "yaml",
}  # fmt: skip
RUN = """
import contextlib, io, json, sys
from millrace.cli import main
sys.argv = ["millrace", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted(sys.modules)))
"""


def imported_modules(*arguments: str) -> set[str]:
    """The modules that a process has loaded when the command is done."""
    ran = subprocess.run([sys.executable, "-c", RUN, *arguments], check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    return set(json.loads(ran.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--help",), ()])
def test_the_command_as_a_whole_loads_no_command_and_nothing_heavy(arguments: tuple[str, ...]) -> None:
    modules = imported_modules(*arguments)

    assert not modules & HEAVY
    assert {name for name in modules if name.startswith("millrace.cli.")} == {
        "millrace.cli.commands",
        "millrace.cli.extras",
        "millrace.cli.interrupts",
        "millrace.cli.main",
        "millrace.cli.waiting",
    }


@pytest.mark.slow
def test_help_of_convert_loads_nothing_heavy_but_what_typer_asks_of_pydantic() -> None:
    assert not imported_modules("convert", "--help") & (HEAVY - {"pydantic"})


@pytest.mark.slow
def test_convert_loads_neither_configuration_nor_aws(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("a\n1\n")

    modules = imported_modules("convert", str(source), str(tmp_path / "a.parquet"))

    assert (tmp_path / "a.parquet").exists()
    # Typer itself asks pydantic to read the options, so that pydantic is there.
    assert not modules & (HEAVY - {"pyarrow", "numpy", "pydantic"})
    assert not {name for name in modules if name.startswith(("millrace.config", "millrace.aws", "millrace.delivery"))}


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_a_summary_is_the_first_paragraph_of_the_commands_own_help(entry: CommandEntry) -> None:
    command = load_command(entry)

    assert command.name == entry.name
    first_paragraph = inspect.cleandoc(command.help or "").split("\n\n")[0]
    assert entry.summary == " ".join(first_paragraph.split())


def test_every_part_is_a_function_or_a_group() -> None:
    for entry in COMMANDS:
        part = entry.load_part()
        assert callable(part)
        if isinstance(part, typer.Typer):
            assert get_group(part).commands
