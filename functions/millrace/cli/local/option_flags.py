"""The options of reading and writing a file, as options of a command. They are defined in ``engine.option_list``.

Typer reads a command's signature, so that the signature is made of the definitions:

    @takes_file_options
    def convert(source: str, *, to: str, asked: FileOptionValues) -> None: ...

has ``--delimiter``, ``--quote`` and all others in the place of ``asked``, and gets their values in it. In its docstring
``KEYS`` becomes the keys that a job has for them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from millrace.engine.option_kinds import CountKind
from millrace.engine.option_list import FILE_OPTIONS, FileOption, to_values
from millrace.engine.options import Face
from millrace.errors import UsageError

_PLACE = "asked"
_KEYS = "KEYS"


def takes_file_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each definition in the place of its parameter ``asked``.

    Raises: UsageError, when it is called, for a value that is none of its option.
    """

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        values = {option.name: _read(option, given.pop(option.job_key)) for option in FILE_OPTIONS}
        command(**given, **{_PLACE: to_values(values, Face.COMMAND)})

    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters.extend(map(_parameter, FILE_OPTIONS) if parameter.name == _PLACE else [parameter])
    # Typer looks at both: at the signature for order and defaults, at the annotations for types.
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # functions have it
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    keys = ", ".join(f'"{option.job_key}"' for option in FILE_OPTIONS)
    with_options.__doc__ = str(command.__doc__).replace(_KEYS, keys)
    return with_options


def _read(option: FileOption, typed: Any) -> Any:
    if typed is None:
        return None
    try:
        return option.kind.parse_typed(typed)
    except ValueError as error:
        raise UsageError(f"{option.command_options[0].partition('/')[0]}: {error}") from None


def _parameter(option: FileOption) -> inspect.Parameter:
    typed, default = option.kind.typed, option.default
    least = 0 if isinstance(option.kind, CountKind) else None
    about = typer.Option(*option.command_options, help=option.command_help, min=least)
    if not isinstance(default, bool | int | str):
        # A list or a mapping that is empty: Typer shows a default of None as none.
        typed, default = typed | None, None
    return inspect.Parameter(
        option.job_key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[typed, about]
    )
