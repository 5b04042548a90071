"""Bytes of a configuration file to plain values; nothing is guessed, no field stands twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from millrace.config.problems import Step, path_of
from millrace.config.repeats import find_repeats
from millrace.errors import InvalidConfiguration


class _Object(dict[str, Any]):
    """An object as it was read, with the names that stood in it twice."""

    twice: tuple[str, ...] = ()


def read(path: Path) -> object:
    """Read a YAML (``.yaml``, ``.yml``) or JSON file; raise InvalidConfiguration naming the file, and the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidConfiguration(
            f"{path}: cannot be read: {error.strerror}; name another with --config, or write one with `millrace init`"
        ) from error
    except OSError as error:
        raise InvalidConfiguration(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        byte = error.start
    else:
        try:
            return _read_text(text, path)
        except RecursionError:
            # Not chained: the error carries hundreds of frames, and says nothing.
            problem = f"{path}: is nested deeper than any configuration"
        raise InvalidConfiguration(problem)
    raise InvalidConfiguration(f"{path}: not UTF-8 text: byte {byte} does not fit")


def _read_text(text: str, path: Path) -> object:
    data = _read_yaml(text, path) if path.suffix.lower() in {".yaml", ".yml"} else _read_json(text, path)
    if _holds_half_a_character(data):
        raise InvalidConfiguration(f"{path}: holds half a character: \\ud800 to \\udfff stand in pairs")
    if twice := list(_duplicates(data, ())):
        raise InvalidConfiguration(twice)
    return data


def read_json_values(text: str, name: str) -> list[Any]:
    """Read JSON values that follow each other, as programs write that append; ``name`` is the file's, for errors.

    Raises:
        InvalidConfiguration: no value at all, text that is no JSON, or a field that is given twice.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
    text = text.removeprefix("\ufeff")
    values: list[Any] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        value, position = _decode_one(decoder, text, position, name)
        values.append(value)
    if not values:
        raise InvalidConfiguration(f"{name}: is empty; expected JSON")
    if twice := list(_duplicates(values, (name,))):
        raise InvalidConfiguration(twice)
    return values


def _decode_one(decoder: json.JSONDecoder, text: str, position: int, name: str) -> tuple[Any, int]:
    try:
        return decoder.raw_decode(text, position)
    except json.JSONDecodeError as error:
        # Not chained: the error carries the whole document, secrets included.
        problem = f"{name}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    except RecursionError:
        problem = f"{name}: is nested deeper than any answer"
    raise InvalidConfiguration(problem)


def _refuse_constant(constant: str) -> NoReturn:
    raise InvalidConfiguration(f"{constant} is not a JSON value")


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    mapping = _Object(pairs)
    mapping.twice = tuple(find_repeats(name for name, _ in pairs))
    return mapping


def _duplicates(value: object, at: tuple[Step, ...]) -> Iterator[str]:
    if isinstance(value, _Object):
        for name in value.twice:
            yield f"{path_of((*at, name))}: given twice in the same object; remove one"
        for name, part in value.items():
            yield from _duplicates(part, (*at, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _duplicates(part, (*at, index))


def _holds_half_a_character(data: object) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (TypeError, ValueError):
        # Values that JSON has no words for are told by the fields that they stand in.
        return False
    return False


def _read_json(text: str, path: Path) -> object:
    def refuse(constant: str) -> NoReturn:
        raise InvalidConfiguration(f"{path}: {constant} is not a JSON value")

    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=refuse)
    except json.JSONDecodeError as error:
        # Not chained: the error carries the whole document, secrets included.
        problem = f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    raise InvalidConfiguration(problem)


def _read_yaml(text: str, path: Path) -> object:
    # PyYAML is not deployed: functions read JSON alone.
    import yaml  # noqa: PLC0415

    try:
        return _load_yaml(text, path)
    except yaml.MarkedYAMLError as error:
        # Not chained: the mark carries the text around it, secrets included.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = f"{path}: not YAML: {where}{error.problem or error.context}"
    except yaml.YAMLError as error:
        problem = f"{path}: not YAML: {getattr(error, 'reason', type(error).__name__)}"
    raise InvalidConfiguration(problem)


_MOST_VALUES = 100_000
"""Values of a configuration with its aliases written out; the largest that is known has about 5,000."""


def _load_yaml(text: str, path: Path) -> object:
    # A subclass of SafeLoader, which makes plain values only.
    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _count_values(node, {}) > _MOST_VALUES:
            raise InvalidConfiguration(
                f"{path}: has more than {_MOST_VALUES:,} values when its aliases (*name) are written out; name fewer"
            )
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count_values(node: Any, counted: dict[int, int]) -> int:
    """Values below a node, its aliases written out; a node is counted once, so that counting itself is quick.

    ``a: &a [1, 1]``, ``b: &b [*a, *a]``, ``c: &c [*b, *b]`` and so on doubles with each line ("billion laughs").
    Raises RecursionError for a node that holds itself.
    """
    if id(node) not in counted:
        parts = _list_parts(node)
        counted[id(node)] = 1 + sum(_count_values(part, counted) for part in parts)
    return counted[id(node)]


def _list_parts(node: Any) -> list[Any]:
    if isinstance(node.value, str):
        return []
    if node.id == "mapping":
        return list(chain.from_iterable(node.value))
    return list(node.value)


def _loader() -> Any:
    """Make a loader of YAML 1.2's core schema: ``no`` is text, and so are ``007``, ``12:30`` and ``2026-01-01``."""
    import yaml  # noqa: PLC0415 # as above

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 # the library's own attribute

        def construct_object_node(self, node: Any) -> Any:
            names = [self._name_of(key) for key, _ in node.value if key.tag != _MERGE]
            self.flatten_mapping(node)
            mapping = _Object()
            for key, value in node.value:
                mapping[self._name_of(key)] = self.construct_object(value, deep=True)
            mapping.twice = tuple(find_repeats(names))
            return mapping

        def _name_of(self, key: Any) -> str:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.constructor.ConstructorError(None, None, "a field's name must be text", key.start_mark)
            return name

    add_core_schema(Loader)
    Loader.add_constructor("tag:yaml.org,2002:map", Loader.construct_object_node)
    return Loader


def add_core_schema(loader_or_dumper: Any) -> None:
    """Let a class of PyYAML know which plain texts are no text in YAML 1.2's core schema."""
    for tag, pattern, first in _CORE_SCHEMA:
        loader_or_dumper.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", _compile(pattern), list(first))


def _compile(pattern: str) -> Any:
    import re  # noqa: PLC0415 # only YAML needs it

    return re.compile(rf"^(?:{pattern})$")


_MERGE = "tag:yaml.org,2002:merge"
# YAML 1.2.2, "Core Schema". By YAML 1.1, which PyYAML has by itself, `no` is false, 0777 is 511 and 12:30 is 750.
_CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
    ("merge", r"<<", "<"),
)
