"""What `make release-files` writes, and when it refuses."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from infra.release_files import check_tag, find_notes, list_contents, sum_files, zip_layer
from millrace import __version__
from millrace.errors import UsageError
from tests.places import ROOT

CHANGELOG = """# Changelog

## 0.3.0 (unreleased)

- Not yet.

## 0.2.0 (2026-11-29)

### New

- A package.

## 0.1.0 (2026-11-27)

- The beginning.
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with one package that says its licence in the new way, and one that says it in the old."""
    python = tmp_path / "layer" / "python"
    for name, licence in (("new", "License-Expression: MIT"), ("old", "License: see the file")):
        info = python / f"{name}-1.5.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.5\n{licence}\n")
        (python / f"{name}.py").write_text("")
    return python.parent


class TestTag:
    def test_that_of_this_version_passes(self) -> None:
        check_tag(f"v{__version__}")

    @pytest.mark.parametrize("tag", ["v9.9.9", __version__, f"v{__version__}rc1", ""])
    def test_another_is_refused_with_both(self, tag: str) -> None:
        with pytest.raises(UsageError, match=f"expected 'v{__version__}'"):
            check_tag(tag)


class TestNotes:
    def test_they_are_the_section_without_its_heading(self) -> None:
        assert find_notes(CHANGELOG, "0.2.0") == "### New\n\n- A package.\n"

    def test_the_last_section_ends_with_the_file(self) -> None:
        assert find_notes(CHANGELOG, "0.1.0") == "- The beginning.\n"

    @pytest.mark.parametrize(("version", "says"), [("0.3.0", "release's date"), ("0.2", "has no section '## 0.2 ")])
    def test_what_is_not_ready_is_refused(self, version: str, says: str) -> None:
        with pytest.raises(UsageError, match=says):
            find_notes(CHANGELOG, version)

    def test_the_changelog_has_this_version(self) -> None:
        assert find_notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)


class TestLayers:
    def test_a_zip_file_has_the_layer_and_the_same_bytes_each_time(self, layer: Path, tmp_path: Path) -> None:
        first = zip_layer(layer, tmp_path / "first.zip").read_bytes()
        (layer / "python" / "new.py").touch()

        assert zip_layer(layer, tmp_path / "again.zip").read_bytes() == first
        with zipfile.ZipFile(tmp_path / "first.zip") as archive:
            assert "python/new.py" in archive.namelist()

    def test_the_list_names_each_package_with_its_layer(self, layer: Path) -> None:
        new, old = list_contents({"tools": layer})["components"]

        assert new["purl"] == "pkg:pypi/new@1.5"
        assert new["licenses"] == [{"expression": "MIT"}]
        assert new["properties"] == [{"name": "millrace:layer", "value": "tools"}]
        assert "licenses" not in old


def test_checksums_are_of_all_files_but_themselves(tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_bytes(b"b")
    (tmp_path / "a.zip").write_bytes(b"a")
    (tmp_path / "SHA256SUMS").write_text("old")
    (tmp_path / ".gitignore").write_text("*")

    sums = sum_files(tmp_path)

    assert sums == f"{hashlib.sha256(b'a').hexdigest()}  a.zip\n{hashlib.sha256(b'b').hexdigest()}  b.whl\n"
