"""The command line as a user meets it: output, exit codes, no traceback."""

from __future__ import annotations

import io
from typing import Any

import pytest

from millrace.cli import main
from millrace.remote.deployments import Deployments


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str, stdin: str = "", deployments: Deployments | None = None) -> Ran:
        monkeypatch.setattr("sys.argv", ["millrace", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = 0
        try:
            main(deployments)
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ran(code, out, err)

    return call
