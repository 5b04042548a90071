"""Where the CDK's command line comes from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from millrace.cdk import node
from millrace.cdk.first_run import describe_fetch, describe_first_run
from millrace.cdk.node import find_cdk, find_node, is_cdk_here
from millrace.deployment.project import ProjectFiles, find_project
from millrace.errors import MillraceError


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProjectFiles:
    """The files of a wheel, with an empty cache."""
    root = tmp_path / "site-packages" / "project"
    root.mkdir(parents=True)
    (root / "package.json").write_text("{}")
    (root / "package-lock.json").write_text('{"lockfileVersion": 3}')
    monkeypatch.setattr("millrace.deployment.project.SHIPPED", root)
    return ProjectFiles(root=root, handlers=root / "handlers", build=tmp_path / "cache", app=("-m", "millrace.infra"))


def test_a_clone_has_its_own_and_fetches_nothing() -> None:
    project = find_project()

    assert find_cdk(project) == project.root / "node_modules" / "aws-cdk" / "bin" / "cdk"
    assert list(describe_fetch(project)) == []


def test_node_is_that_of_the_wheel() -> None:
    version = subprocess.run([find_node(), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours

    assert version.startswith("v24.")


def test_a_wheel_fetches_it_once_for_each_lock(installed: ProjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Path] = []

    def fetch(folder: Path) -> None:
        fetched.append(folder)
        (folder / "node_modules" / "aws-cdk" / "bin").mkdir(parents=True)
        (folder / "node_modules" / "aws-cdk" / "bin" / "cdk").write_text("")

    monkeypatch.setattr(node, "_run_npm", fetch)
    said: list[str] = []

    assert not is_cdk_here(installed)
    assert "fetched by npm" in next(describe_fetch(installed))
    first = find_cdk(installed, said.append)
    assert first.is_file()
    assert is_cdk_here(installed)
    assert find_cdk(installed, said.append) == first
    assert (len(said), len(fetched)) == (1, 1)
    # What was fetched aside is gone from there.
    assert not fetched[0].exists()

    (installed.root / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    assert find_cdk(installed, said.append) != first


def test_a_fetch_that_fails_leaves_nothing_that_looks_whole(
    installed: ProjectFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: Path) -> None:
        raise MillraceError("no way")

    monkeypatch.setattr(node, "_run_npm", fail)
    with pytest.raises(MillraceError, match="no way"):
        find_cdk(installed)

    assert not is_cdk_here(installed)
    assert [path for path in (installed.build / "node").rglob("*") if path.is_file()] == []


def test_a_first_run_says_what_it_makes(installed: ProjectFiles) -> None:
    assert len(list(describe_first_run(installed, needs_layers=True))) == 2
    assert len(list(describe_first_run(installed, needs_layers=False))) == 1
    (installed.build / "kernel").mkdir(parents=True)
    (installed.build / "layers").mkdir()
    assert list(describe_first_run(installed, needs_layers=True)) == []
