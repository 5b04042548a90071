"""What the CDK and the application that it starts are given of the user's variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from millrace.demo.deploy import make_environment
from millrace.demo.emulator import Emulator, Mode
from millrace.deployment.project import find_cache


@pytest.mark.parametrize(("variable", "platform"), [("XDG_CACHE_HOME", "linux"), ("LOCALAPPDATA", "win32")])
def test_the_application_keeps_what_it_makes_where_the_command_does(
    variable: str, platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else kernels, which take 17 s of CPU, would be made in another place again."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    url = "http://127.0.0.1:1"
    environment = make_environment(Emulator(mode=Mode.OPEN, pid=1, url=url, plain_url=url, folder=tmp_path))

    assert find_cache(environment, platform).is_relative_to(tmp_path)
