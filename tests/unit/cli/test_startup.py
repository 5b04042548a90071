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
for call in json.loads(sys.argv[1]):
    sys.argv = ["millrace", *call]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
    print(json.dumps(sorted(sys.modules)))
"""
HELP, NOTHING, HELP_OF_CONVERT, CONVERT = ("--help",), (), ("convert", "--help"), ("convert", "a.csv", "a.parquet")
CALLS = (HELP, NOTHING, HELP_OF_CONVERT, CONVERT)
"""In one process: each may load all that those before it may, and more."""
Loaded = dict[tuple[str, ...], set[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("startup")
    (folder / "a.csv").write_text("a\n1\n")
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    """The modules that are loaded when a call is done."""
    ran = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", RUN, json.dumps(CALLS)], cwd=folder, check=True, capture_output=True, text=True
    )
    return dict(zip(CALLS, (set(json.loads(line)) for line in ran.stdout.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("call", [HELP, NOTHING])
def test_the_command_as_a_whole_loads_no_command_and_nothing_heavy(loaded: Loaded, call: tuple[str, ...]) -> None:
    modules = loaded[call]

    assert not modules & HEAVY
    assert {name for name in modules if name.startswith("millrace.cli.")} == {
        "millrace.cli.commands",
        "millrace.cli.extras",
        "millrace.cli.interrupts",
        "millrace.cli.command_line",
        "millrace.cli.waiting",
    }


@pytest.mark.slow
def test_help_of_convert_loads_nothing_heavy_but_what_typer_asks_of_pydantic(loaded: Loaded) -> None:
    assert not loaded[HELP_OF_CONVERT] & (HEAVY - {"pydantic"})


@pytest.mark.slow
def test_convert_loads_neither_configuration_nor_aws(loaded: Loaded, folder: Path) -> None:
    modules = loaded[CONVERT]

    assert (folder / "a.parquet").exists()
    # Typer itself asks pydantic to read the options, so that pydantic is there.
    assert not modules & (HEAVY - {"pyarrow", "numpy", "pydantic"})
    assert not {name for name in modules if name.startswith(("millrace.config", "millrace.aws", "millrace.delivery"))}


@pytest.mark.slow
def test_a_conversion_loads_no_format_but_its_own_two(loaded: Loaded) -> None:
    rare = (
        "millrace.engine.formats.excel",
        "millrace.engine.formats.json.reader",
        "millrace.engine.formats.json.writer",
        "millrace.engine.formats.csv.writer",
        "millrace.engine.formats.parquet.parts",
        "millrace.engine.formats.streams.archive",
        "millrace.engine.many_files",
    )

    assert {"millrace.engine.formats.csv.reader", "millrace.engine.formats.parquet.writer"} <= loaded[CONVERT]
    assert not {name for name in loaded[CONVERT] if name.startswith(rare)}


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
