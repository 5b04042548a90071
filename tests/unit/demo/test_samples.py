"""The sample files are what their generator makes, and small."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from millrace.demo.samples import main, samples, write
from tests.places import EXAMPLES

COMMITTED = EXAMPLES / "data"


@pytest.mark.slow
def test_same_seed_gives_same_bytes() -> None:
    """Two runs agree to the byte; another seed does not."""
    assert samples(1) == samples(1)
    assert samples(1) != samples(2)


@pytest.mark.slow
@pytest.mark.parametrize("path", samples())
def test_committed_file_is_what_the_generator_makes(path: str) -> None:
    """What is in ``examples/data`` can be made again; gzip is compared unpacked, its packing depends on the zlib."""
    committed, made = (COMMITTED / path).read_bytes(), samples()[path]
    if path.endswith(".gz"):
        committed, made = gzip.decompress(committed), gzip.decompress(made)
    assert committed == made


def test_nothing_else_is_committed() -> None:
    """A file that the generator no longer makes does not linger."""
    assert {str(file.relative_to(COMMITTED)) for file in COMMITTED.rglob("*") if file.is_file()} == set(samples())


def test_files_are_small() -> None:
    """Each stays below 100 kB."""
    assert max(len(content) for content in samples().values()) < 100_000


@pytest.mark.slow
def test_write_puts_files_below_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes what ``samples`` gives, and says so."""
    assert main([str(tmp_path)]) == 0
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()} == set(samples())
    assert "2026-09.csv" in capsys.readouterr().out
    assert write(tmp_path)[0].read_bytes() == samples()["shop/orders/2026-09.csv"]


def test_wrong_use_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a folder it says how it is used."""
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
