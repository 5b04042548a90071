"""What is published: a source distribution that builds the checkout's wheel, and that wheel in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.distributions import build_distribution, copy_checkout, install_wheel
from tests.places import ROOT

ORDERS = ROOT / "examples" / "data" / "shop" / "orders" / "2026-10.csv.gz"


def _run(command: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [str(command), *arguments],
        cwd=folder,
        env={"COLUMNS": "200", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_what_is_published_is_whole_and_converts(tmp_path: Path) -> None:
    """One test, as its steps build on each other: each takes a second or more."""
    checkout = copy_checkout(tmp_path / "checkout")
    own = build_distribution("wheel", checkout, tmp_path / "own", MILLRACE_KERNEL="none")
    source = build_distribution("sdist", checkout, tmp_path / "source")
    wheel = build_distribution("wheel", source, tmp_path / "wheels", MILLRACE_KERNEL="none")
    checked = subprocess.run(  # noqa: S603 - a tool of the project
        [sys.executable, "-m", "twine", "check", "--strict", str(source), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr

    assert wheel.name == own.name
    assert wheel.read_bytes() == own.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if not name.startswith("millrace")]

    commands = install_wheel(wheel, tmp_path / "environment")
    millrace = commands / "millrace"
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / ORDERS.name).write_bytes(ORDERS.read_bytes())

    converted = _run(millrace, "convert", ORDERS.name, "orders.parquet", folder=plain)
    explained = _run(millrace, "explain", "orders.parquet", folder=plain)
    status = _run(millrace, "status", folder=plain)

    assert converted.returncode == 0, converted.stderr
    assert explained.returncode == 0, explained.stderr
    assert (plain / "orders.parquet").stat().st_size > 1000
    assert (status.returncode, status.stdout) == (2, "")
    assert 'pip install "millrace[aws]"' in status.stderr
