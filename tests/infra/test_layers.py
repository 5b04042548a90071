"""The layers: small enough, and whole enough to work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.layers import ARROW, REQUIREMENTS, TOOLS, Platform, fetch, layers, size, trim
from infra.package import package

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
print("works")
"""


def test_code_and_layers_unzip_to_less_than_120_mb() -> None:
    """Half of what Lambda allows; every megabyte is read at a cold start."""
    unzipped = size([*layers().values(), package("{}")])

    assert 60_000_000 < unzipped <= 120_000_000, f"{unzipped / 1e6:.0f} MB"


def test_hold_libraries_for_arm64_and_python_3_13_alone() -> None:
    """Nothing of this machine's platform gets in."""
    extensions = [path.name for folder in layers().values() for path in folder.rglob("*.cpython-*")]

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


@pytest.mark.parametrize("package_name", ["boto3", "botocore"])
def test_leave_out_what_the_runtime_brings(package_name: str) -> None:
    """Lambda's Python has boto3."""
    assert not [line for line in REQUIREMENTS.read_text().splitlines() if line.startswith(f"{package_name}==")]
