"""One definition, three faces: what the configuration takes, the commands and the jobs take, with the same result."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from millrace.cli.commands import COMMANDS, load_command
from millrace.cli.local.jobs import job_of
from millrace.cli.local.option_flags import takes_file_options
from millrace.config.document import parse
from millrace.config.reference import by_place
from millrace.engine.option_list import FILE_OPTIONS, OPTION_OF_NAME, FileOption, FileOptionValues
from millrace.errors import UsageError
from tests.unit.config.builders import bulk_sync, connection, document, model

PLACES = ("connections[].configuration", "bulk_syncs[].schemas[]", "models[].configuration")
COMMANDS_OF_FILES = ("convert", "explain")
NEEDED = {"json_parent_fields": {"json_records": "r"}}
"""Options without which another one has no meaning."""


def other_value(option: FileOption) -> Any:
    """A value that is not the default, as JSON has it."""
    if option.examples:
        return option.examples[-1]
    return not option.default


def typed(option: FileOption, value: Any) -> list[str]:
    """The value as a person types it."""
    name = option.command_options[0]
    match value:
        case bool():
            return [name.split("/")[0 if value else 1]]
        case dict():
            return [part for key, word in value.items() for part in (name, f"{key}={word}")]
        case list() if option.kind.typed is str:
            return [name, json.dumps(value)]
        case list():
            return [part for item in value for part in (name, item)]
        case _:
            return [name, str(value)]


def of_the_command(*arguments: str) -> FileOptionValues:
    got: list[FileOptionValues] = []

    @takes_file_options
    def command(source: Annotated[str, typer.Argument()], *, asked: FileOptionValues) -> None:
        """KEYS."""
        del source
        got.append(asked)

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["a.csv", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return got[0]


@pytest.mark.slow
@pytest.mark.parametrize("option", FILE_OPTIONS, ids=lambda option: option.name)
def test_the_three_faces_give_the_engine_the_same(option: FileOption) -> None:
    value = other_value(option)
    needed = NEEDED.get(option.name, {})
    given = {**needed, option.name: value}
    raw = document(
        connections=[connection("in", **given), connection("out")],
        models=[model(configuration=given)],
        bulk_syncs=[bulk_sync(schemas=[{"id": "a", **given}])],
    )
    made = parse(raw)
    of_the_connection = made.connection("in").file_options()
    (schema,) = made.bulk_syncs[0].schemas or ()
    other = made.connection("out")
    job = job_of({"id": 1, "source": "a", "target": "b", "to": "json", **needed, option.job_key: value})
    arguments = [part for name, text in needed.items() for part in typed(OPTION_OF_NAME[name], text)]

    assert of_the_connection != FileOptionValues()
    assert other.file_options() == FileOptionValues()
    assert other.file_options(schema) == of_the_connection
    assert other.file_options(made.models[0].configuration) == of_the_connection
    assert FileOptionValues(read=job.read, write=job.write) == of_the_command(*arguments, *typed(option, value))
    if option.name == "csv_encoding":
        return  # the configuration has Python's name of it, such as iso8859-1 for latin-1
    assert FileOptionValues(read=job.read, write=job.write) == of_the_connection


@pytest.mark.parametrize("place", PLACES)
def test_the_configuration_has_a_field_for_each(place: str) -> None:
    assert {option.name for option in FILE_OPTIONS} <= set(by_place()[place].model_fields)


@pytest.mark.parametrize("name", COMMANDS_OF_FILES)
def test_the_commands_have_an_option_for_each(name: str) -> None:
    (entry,) = [entry for entry in COMMANDS if entry.name == name]
    command = load_command(entry)
    declared = {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)}

    for option in FILE_OPTIONS:
        assert set("/".join(option.command_options).split("/")) <= declared, option.name


def test_the_help_of_convert_names_the_key_of_each() -> None:
    (entry,) = [entry for entry in COMMANDS if entry.name == "convert"]

    text = load_command(entry).help or ""

    assert [option.job_key for option in FILE_OPTIONS if f'"{option.job_key}"' not in text] == []


def test_a_wrong_value_is_wrong_use_by_the_options_name() -> None:
    for arguments, says in (
        (["--delimiter", "ab"], "--delimiter: 'ab' has 2 characters"),
        (["--column-type", "a"], "--column-type: 'a' is not NAME=TYPE"),
        (["--encoding", "klingon"], "--encoding: 'klingon' is not"),
    ):
        with pytest.raises(UsageError) as refused:
            of_the_command(*arguments)
        assert says in str(refused.value)


def test_a_decorated_command_keeps_its_own_parameters() -> None:
    @takes_file_options
    def command(source: str, *, asked: FileOptionValues, last: bool = False) -> None:
        """Do it."""

    app = typer.Typer()
    app.command()(command)
    names = [parameter.name for parameter in get_command(app).params]

    assert names[0] == "source"
    assert names.index("last") > names.index("delimiter")
    assert "asked" not in names
