"""Where the files of a deployment are."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.deployment.project import find_cache, find_project
from millrace.deployment.settings import FUNCTIONS_ROOT


def test_a_clone_has_them_at_its_top() -> None:
    project = find_project()

    assert project.is_clone
    assert (project.root, project.build) == (FUNCTIONS_ROOT.parent, FUNCTIONS_ROOT.parent / "build")
    assert (project.requirements / "function.txt").is_file()
    assert (project.examples / "millrace.yaml").is_file()
    assert (project.handlers / "convert" / "handler.py").is_file()


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", ".cache/millrace"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", ".cache/millrace"),
        ({}, "darwin", "Library/Caches/millrace"),
        ({}, "win32", "AppData/Local/millrace/cache"),
    ],
)
def test_a_wheel_keeps_what_it_makes_in_the_users_cache(
    environment: dict[str, str], platform: str, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)

    assert find_cache(environment, platform) == tmp_path / expected


def test_the_users_choice_of_a_cache_counts(tmp_path: Path) -> None:
    assert find_cache({"XDG_CACHE_HOME": str(tmp_path)}, "linux") == tmp_path / "millrace"
    assert find_cache({"LOCALAPPDATA": str(tmp_path)}, "win32") == tmp_path / "millrace" / "cache"
