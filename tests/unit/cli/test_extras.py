"""What the package does without its extras, and what it says when one is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from millrace.cli.commands import COMMANDS, CommandEntry
from millrace.cli.extras import MODULES, Extra, MissingExtra, explain_missing, require_extra
from tests.places import ROOT

EXTRAS = sorted({module for modules in MODULES.values() for module in modules})

RUN_WITHOUT_EXTRAS = """
import contextlib, io, json, sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

calls, blocked = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))
sys.meta_path.insert(0, Blocked())
from millrace.cli import main
for call in calls:
    sys.argv = ["millrace", *call]
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as exit:
            code = exit.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


EXAMPLE = str(ROOT / "examples" / "millrace.yaml")
WORKING = (
    *(("convert", "in.csv", f"out.{name}") for name in ("parquet", "jsonl", "avro", "orc")),
    ("explain", "in.csv"),
    ("validate", EXAMPLE),
    ("schema",),
    ("--help",),
    ("--version",),
)
LACKING = tuple(entry for entry in COMMANDS if entry.extra is not None)
FROM_S3 = ("convert", "s3://bucket/in.csv", "out.parquet")
TO_S3 = ("convert", "in.csv", "s3://bucket/out.parquet")
FROM_EXCEL = ("convert", "in.xlsx", "out.csv")
HELP = tuple((entry.name, "--help") for entry in COMMANDS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


Answers = dict[tuple[str, ...], Answer]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without-extras")
    (folder / "in.csv").write_text("id,sum\n1,2.50\n")
    openpyxl.Workbook().save(folder / "in.xlsx")
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> Answers:
    """The answer to each call, all in one process that has no extra installed."""
    calls = (*WORKING, *HELP, *((entry.name,) for entry in LACKING), FROM_S3, TO_S3, FROM_EXCEL)
    ran = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", RUN_WITHOUT_EXTRAS, json.dumps(calls), json.dumps(EXTRAS)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "functions"), "COLUMNS": "200", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    given = [Answer(*json.loads(line)) for line in ran.stdout.splitlines()]
    return dict(zip(calls, given, strict=True))


@pytest.mark.slow
class TestWithoutExtras:
    def test_files_are_converted_and_explained_and_configurations_checked(self, answers: Answers, folder: Path) -> None:
        assert {call: answers[call].code for call in WORKING} == dict.fromkeys(WORKING, 0)
        assert (folder / "out.jsonl").read_text() == '{"id":1,"sum":2.50}\n'

    @pytest.mark.parametrize("entry", LACKING, ids=lambda entry: entry.name)
    def test_every_other_command_names_its_extra_in_one_sentence(self, answers: Answers, entry: CommandEntry) -> None:
        answer = answers[(entry.name,)]
        needs = rf"error: millrace {entry.name} needs \w+, which is not installed"

        assert (answer.code, answer.out) == (2, "")
        assert re.fullmatch(rf'{needs}: pip install "millrace\[{entry.extra}\]"\n', answer.err), answer.err

    @pytest.mark.parametrize("call", HELP, ids=lambda call: call[0])
    def test_the_help_of_every_command_is_shown(self, answers: Answers, call: tuple[str, ...]) -> None:
        assert (answers[call].code, answers[call].err) == (0, "")
        assert "Usage: " in answers[call].out

    @pytest.mark.parametrize("call", [FROM_S3, TO_S3], ids=["from", "to"])
    def test_a_path_in_s3_names_its_extra(self, answers: Answers, call: tuple[str, ...]) -> None:
        assert answers[call].code == 2
        assert 's3:// needs boto3, which is not installed: pip install "millrace[aws]"' in answers[call].err

    def test_excel_names_its_extra(self, answers: Answers) -> None:
        assert answers[FROM_EXCEL].code == 1
        assert 'pip install "millrace[formats]"' in answers[FROM_EXCEL].err


class TestNaming:
    def test_what_is_installed_raises_nothing(self) -> None:
        for extra in MODULES:
            require_extra(extra, "the test")

    def test_what_is_not_installed_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "uvicorn", None)

        with pytest.raises(MissingExtra, match=r'^millrace ui needs uvicorn, .*: pip install "millrace\[ui\]"$'):
            require_extra("ui", "millrace ui")

    @pytest.mark.parametrize(
        ("module", "extra"),
        [("botocore.config", "aws"), ("jinja2", "ui"), ("ministack", "demo"), ("aws_cdk.aws_s3", "deploy")],
    )
    def test_a_failed_import_is_explained_by_the_smallest_extra(self, module: str, extra: Extra) -> None:
        missing = explain_missing(ModuleNotFoundError(name=module))

        assert missing is not None
        assert f"millrace[{extra}]" in str(missing)

    @pytest.mark.parametrize("module", ["nobody_knows", "pyarrow._s3fs", None])
    def test_an_import_of_no_extra_is_not_explained(self, module: str | None) -> None:
        assert explain_missing(ModuleNotFoundError(name=module)) is None


class TestPyproject:
    """The extras as they are published, beside what the commands look for."""

    @pytest.fixture
    def project(self) -> dict[str, Any]:
        project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return project

    def _modules_of(self, project: dict[str, Any], extra: str) -> set[str]:
        """The modules of an extra's packages, with those of the extras that it includes."""
        modules: set[str] = set()
        for requirement in project["optional-dependencies"][extra]:
            name = re.split(r"[\[<>=!~; ]", requirement)[0]
            if name == "millrace":
                for included in re.findall(r"\[(.*)\]", requirement)[0].split(","):
                    modules |= self._modules_of(project, included)
            else:
                modules.add(name.removesuffix("-lib").replace("-", "_"))
        return modules

    def test_an_extra_brings_what_its_commands_look_for(self, project: dict[str, Any]) -> None:
        for extra, modules in MODULES.items():
            assert set(modules) - {"botocore"} <= self._modules_of(project, extra), extra

    def test_all_is_all(self, project: dict[str, Any]) -> None:
        extras = set(project["optional-dependencies"]) - {"all"}

        assert self._modules_of(project, "all") == set().union(*(self._modules_of(project, extra) for extra in extras))

    def test_a_plain_installation_is_light(self, project: dict[str, Any]) -> None:
        names = {re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"]}

        assert names == {"pyarrow", "pydantic", "pyyaml", "rich", "typer"}
