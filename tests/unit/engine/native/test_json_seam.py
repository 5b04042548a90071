"""What crosses the border for JSON is the same on both sides: the headers are read, and a mistake would be silent."""

from __future__ import annotations

import ctypes
import re

import pyarrow as pa
import pytest

from millrace.engine.formats.json.types import Kept
from millrace.engine.native.json import JsonEvidence, JsonForm, JsonLayout, JsonState, RowsReader, SeenKind
from millrace.engine.native.library import SOURCES
from millrace.engine.native.seam import Code, NativeFault, describe_schema
from tests.unit.engine.native.kernels import require_kernel

TEXT = "".join((SOURCES / name).read_text(encoding="utf-8") for name in ("json_rows.h", "json_raw.h", "json_numbers.h"))
TEXT += (SOURCES / "json_state.h").read_text(encoding="utf-8")
WITHOUT_COMMENTS = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL)


def enum_of(name: str) -> dict[str, int]:
    """The members of an enum of the headers and their numbers."""
    body = re.search(rf"typedef enum \{{([^}}]*)\}} {name};", WITHOUT_COMMENTS)
    assert body is not None
    members = [member.strip() for member in body[1].split(",") if member.strip()]
    numbers = dict[str, int]()
    for place, text in enumerate(members):
        member, _, number = text.partition(" = ")
        numbers[member] = int(number or place)
    return numbers


@pytest.mark.parametrize(
    ("name", "prefix", "members"),
    [
        ("JsonForm", "JSON_", JsonForm.__members__),
        ("SeenKind", "SEEN_", SeenKind.__members__),
        ("Kept", "KEPT_", Kept.__members__),
    ],
)
def test_numbers_are_those_of_the_headers(name: str, prefix: str, members: dict[str, int]) -> None:
    assert {prefix + member: int(value) for member, value in members.items()} == enum_of(name)


def test_bits_of_the_layout_are_those_of_the_header() -> None:
    bits = dict(re.findall(r"#define JSON_(\w+) (\d+)", WITHOUT_COMMENTS))
    assert bits == {str(bit.name): str(int(bit)) for bit in JsonLayout if bit}


@pytest.mark.parametrize("structure", [JsonEvidence, JsonState])
def test_structures_are_those_of_the_headers(structure: type[ctypes.Structure]) -> None:
    body = re.search(rf"typedef struct \{{([^}}]*)\}} {structure.__name__};", WITHOUT_COMMENTS)
    assert body is not None
    members = []
    for kind, names in re.findall(r"(int(?:32|64)_t) ([^;]*);", body[1]):
        size = {"int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64}[kind]
        members += [(name.strip(), size) for name in names.split(",")]

    assert members == list(structure._fields_)


SCHEMA = pa.schema([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))])


def read_by(text: bytes, *, most_cells: int = 1000) -> object:
    description = describe_schema(SCHEMA, lambda _field: JsonForm.PLAIN)
    assert description is not None
    return RowsReader(require_kernel(), SCHEMA, description, most_cells).read(text, JsonLayout.LINES)


def test_a_fault_says_the_row_and_its_byte() -> None:
    fault = read_by(b'{"a": 1}\n{"a": 2}\n {"a": "x"}\n')

    assert isinstance(fault, NativeFault)
    assert (fault.code, fault.row, fault.byte, fault.column) == (Code.CONTRADICTED, 2, 19, 0)


def test_more_cells_than_allowed_are_refused() -> None:
    text = b"{}" * 500

    assert not isinstance(read_by(text), NativeFault)
    fault = read_by(text, most_cells=999)
    assert isinstance(fault, NativeFault)
    assert fault.code == Code.TOO_MUCH


def test_a_name_is_found_twice_among_many() -> None:
    names = [f"{number:08x}" for number in range(300)]
    text = b'{"m": {%s}}' % ",".join(f'"{name}": 1' for name in names).encode()
    schema = pa.schema([("m", pa.string())])
    description = describe_schema(schema, lambda _field: JsonForm.ANY)
    assert description is not None
    reader = RowsReader(require_kernel(), schema, description, 1000)

    assert not isinstance(reader.read(text, JsonLayout.LINES), NativeFault)
    repeated = text[:-2] + b', "000000ff": 2}}'
    assert isinstance(reader.read(repeated, JsonLayout.LINES), NativeFault)
