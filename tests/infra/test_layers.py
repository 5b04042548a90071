"""The layers: small enough, and whole enough to work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.layers import ARROW, FORMAT_REQUIREMENTS, FORMATS, REQUIREMENTS, TOOLS, Platform, fetch, layers, size, trim
from infra.needed_packages import needs_packages
from infra.package import package
from tests.configurations import document, model_document

Raw = dict[str, Any]

WORKS = """
import io, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.csv, pyarrow.json, pyarrow.parquet as pq
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor
from pydantic import BaseModel

assert pa.__file__.startswith(sys.path[0]), pa.__file__
table = pyarrow.csv.read_csv(io.BytesIO(b"a,b\\n1,x\\n2,y\\n"))
buffer = io.BytesIO()
pq.write_table(table, buffer, compression="zstd")
back = pq.read_table(io.BytesIO(buffer.getvalue()))
assert back.equals(table) and pc.sum(back["a"]).as_py() == 3
lines = pyarrow.json.read_json(io.BytesIO(b'{"a": [1, {}]}\\n'.replace(b", {}", b"")))
assert lines.to_pylist() == [{"a": [1]}]
pyarrow.csv.write_csv(table, io.BytesIO())
from pyarrow import dataset, orc
file = io.BytesIO()
orc.write_table(table, file)
fragment = dataset.OrcFileFormat().make_fragment(pa.PythonFile(io.BytesIO(file.getvalue()), mode="r"))
assert fragment.scanner(use_threads=False).to_table().equals(table)
print("works")
"""


def test_code_and_layers_unzip_to_less_than_120_mb() -> None:
    """Half of what Lambda allows; every megabyte is read at a cold start."""
    unzipped = size([*layers().values(), package("{}")])

    assert 60_000_000 < unzipped <= 120_000_000, f"{unzipped / 1e6:.0f} MB"


def test_hold_libraries_for_arm64_and_python_3_13_alone() -> None:
    """Nothing of this machine's platform gets in."""
    extensions = [path.name for folder in layers().values() for path in folder.rglob("*.cpython-*.so")]

    assert len(extensions) > 10
    assert {name.split(".")[1] for name in extensions} == {"cpython-313-aarch64-linux-gnu"}


def test_are_built_once() -> None:
    """A second synth finds them."""
    assert layers() == layers()
    assert set(layers()) == {ARROW, TOOLS}
    assert [path.name for path in layers()[ARROW].iterdir()] == ["python"]


def test_a_trimmed_installation_still_reads_and_writes(tmp_path: Path) -> None:
    """The same packages, for this machine, trimmed in the same way."""
    fetch(tmp_path, Platform())
    trim(tmp_path)

    done = subprocess.run(  # noqa: S603 -- this interpreter, a text of ours
        [sys.executable, "-W", "error", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{WORKS}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "works\n", done.stderr
    assert not list(tmp_path.glob("pyarrow/libarrow_s3*"))


def test_formats_have_a_small_layer_of_their_own() -> None:
    """What reads Excel, and time zones for ORC: nothing of it is in the layers that everybody has."""
    folder = layers(formats=True)[FORMATS]

    names = {path.name for path in (folder / "python").iterdir()}

    assert {"python_calamine", "tzdata"} <= names
    assert size([folder]) <= 10_000_000
    assert not any(names & {path.name for path in (other / "python").iterdir()} for other in layers().values())


def test_the_formats_packages_read(tmp_path: Path) -> None:
    """The same packages, for this machine, trimmed in the same way."""
    fetch(tmp_path, Platform(), FORMAT_REQUIREMENTS)
    trim(tmp_path)
    works = "import python_calamine; print(python_calamine.__file__)"

    done = subprocess.run(  # noqa: S603 -- this interpreter, a text of ours
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {works}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith(str(tmp_path)), done.stderr


@pytest.mark.parametrize(
    ("configuration", "needed"),
    [
        ({}, True),
        ({"is_single_table": True}, False),
        ({"is_single_table": True, "single_table_file_format": "excel"}, True),
        ({"is_single_table": True, "single_table_file_format": "avro"}, False),
        ({"is_single_table": True, "single_table_file_format": "orc"}, True),
    ],
)
def test_the_formats_layer_is_made_where_a_configuration_reads_them(configuration: Raw, needed: bool) -> None:  # noqa: FBT001 - a table's column
    """Where every object is a table, a workbook is one as well."""
    assert needs_packages(document(source=configuration)) is needed


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        ({"key": "in/a.csv"}, False),
        ({"key": "in/a.xlsx"}, True),
        ({"key": "in/a.bin", "file_format": "excel"}, True),
        ({"subfolder": "x"}, True),
        ({"subfolder": "x", "file_format": "csv"}, False),
    ],
)
def test_a_model_reads_the_format_of_its_files(model: Raw, needed: bool) -> None:  # noqa: FBT001 - a table's column
    """That it names, or that the key's extension says; of a folder all."""
    assert needs_packages(model_document(model)) is needed


@pytest.mark.parametrize("package_name", ["boto3", "botocore"])
def test_leave_out_what_the_runtime_brings(package_name: str) -> None:
    """Lambda's Python has boto3."""
    assert not [line for line in REQUIREMENTS.read_text().splitlines() if line.startswith(f"{package_name}==")]
