"""The stacks in a CDK app of somebody's own: the documented import path, as an installed wheel has it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from infra.wheel import ship_project
from tests.places import ROOT

APP = ROOT / "examples" / "cdk_app" / "app.py"
RUN = """
import runpy, sys
import millrace
millrace.__path__.append(sys.argv[1])  # what an installed wheel has beside the library
runpy.run_path(sys.argv[2], run_name="__main__")
"""


def test_the_example_is_synthesised_with_its_own_alarm_on_our_queue(tmp_path: Path) -> None:
    ship_project(tmp_path / "wheel")
    out = tmp_path / "out"

    done = subprocess.run(  # noqa: S603 - our own example
        [sys.executable, "-c", RUN, str(tmp_path / "wheel" / "millrace"), str(APP)],
        env={**os.environ, "CDK_OUTDIR": str(out), "CDK_DEFAULT_ACCOUNT": "111122223333", "AWS_ENDPOINT_URL": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    templates = {path.name.partition(".")[0]: json.loads(path.read_text()) for path in out.glob("*.template.json")}
    stacks = {artifact["properties"].get("stackName") for artifact in _stacks(out)}
    assert stacks == {"OrdersStorage", "OrdersProcessing", None}
    (alarm,) = (one for one in templates["OrdersWatch"]["Resources"].values() if "Alarm" in one["Type"])
    assert alarm["Properties"]["MetricName"] == "ApproximateAgeOfOldestMessage"
    processing = next(template for name, template in templates.items() if "Processing" in name)
    layers = [one for one in processing["Resources"].values() if one["Type"] == "AWS::Lambda::LayerVersion"]
    assert len(layers) == 3  # every object is a table, so all formats are read


def _stacks(out: Path) -> list[dict[str, dict[str, str]]]:
    artifacts = json.loads((out / "manifest.json").read_text())["artifacts"].values()
    return [artifact for artifact in artifacts if artifact["type"] == "aws:cloudformation:stack"]


def test_the_page_shows_the_same_way() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    imports = re.compile(r"^from millrace\..*$", re.MULTILINE)

    assert sorted(imports.findall(APP.read_text())) == sorted(imports.findall(page))
