"""The real layers and the real code on an arm64 processor, which QEMU emulates: as Lambda runs them, but slowly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.kernel import build_kernels
from infra.layers import layers
from infra.package import package
from millrace.deployment.settings import FUNCTIONS_ROOT, Settings
from millrace.engine import FileFormat, Job, convert_file
from tests.configurations import bulk_sync, document
from tests.infra.arm64 import NoArm64, find_arm64
from tests.places import ROOT

SCRIPT = Path(__file__).with_name("arm64_script.py")
HANDLERS = ("convert", "reprocess", "reconcile")
PEOPLE = (
    "id,name,born,seen,ratio,price,zip,active,big\n"
    '1,"Ada, ""the first""",1815-12-10,2026-11-28T10:00:00.125Z,1.5,10.10,00501,true,12345678901234567890123\n'
    "2,élève 漢字 😀,1990-01-01,2026-11-28T10:00:00.250Z,-0.000001234567890123,7.25,90210,false,2\n"
    '3,,,,,"",,,\n'
    "4,Ω,2024-02-29,1969-12-31T23:59:59.999Z,1e+16,0.01,10001,true,-5\n"
)
NESTED = (
    '{"a": 1, "b": [1.5, null, 2.25], "c": {"d": "é\\n", "e": [{"f": true}]}, "g": 12345678901234567890}\n'
    '{"a": -9007199254740993, "b": [], "c": {"d": null, "e": []}, "g": 1, "h": "2026-01-01"}\n'
)
TEXTS = ("people.csv", "nested.jsonl")
"""The sources that the kernel reads."""
BROUGHT_BY_LAMBDA = ("boto3", "botocore", "urllib3", "jmespath", "dateutil", "six.py", "s3transfer")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the script printed here and there."""

    here: dict[str, Any]
    there: dict[str, Any]
    without_kernel: dict[str, Any]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """The script's results, on this machine and on arm64, there also with the kernel turned off."""
    try:
        arm64 = find_arm64()
    except NoArm64 as reason:
        pytest.skip(str(reason))
    folder = tmp_path_factory.mktemp("arm64")
    sources, texts = _make_sources(folder / "sources"), folder / "texts"
    texts.mkdir()
    for name in TEXTS:
        (texts / name).symlink_to(sources / name)
    path = [
        package(document(bulk_sync(to="json")).to_json(), kernels=build_kernels()),
        *(layer / "python" for layer in layers(formats=True).values()),
        _link_runtime(folder / "runtime"),
    ]
    settings = Settings(ledger_table="ledger", queues={"landing": "https://sqs/landing"}, timeout_seconds=900)
    environment = {
        **settings.to_environment(),
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test"),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_TRACE_DISABLED": "1",
    }

    def run_there(sources: Path, outputs: str, *handlers: str, **more: str) -> dict[str, Any]:
        (folder / outputs).mkdir()
        arguments = [str(SCRIPT), str(sources), str(folder / outputs), *handlers]
        byte_code = folder / "byte code"
        return _read_facts(arm64.run(arguments, path=path, environment={**environment, **more}, byte_code=byte_code))

    return Facts(
        here=_run_here(sources, folder / "here"),
        there=run_there(sources, "there", *HANDLERS),
        without_kernel=run_there(texts, "without", MILLRACE_NATIVE="0"),
    )


def _make_sources(folder: Path) -> Path:
    """The same rows in every format that is written, and nested ones."""
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (folder / "nested.jsonl").write_text(NESTED, encoding="utf-8")
    for to in (FileFormat.JSON, FileFormat.JSON_DOC, FileFormat.PARQUET, FileFormat.AVRO, FileFormat.ORC):
        target = folder / f"people{to.extension}"
        convert_file(Job(source=str(folder / "people.csv"), target=str(target), to=to))
    return folder


def _link_runtime(folder: Path) -> Path:
    """What Lambda's own Python brings, from this machine: all of it is plain Python."""
    import boto3  # noqa: PLC0415 - only to find the folder of all packages

    folder.mkdir()
    packages = Path(str(boto3.__file__)).parent.parent
    for name in BROUGHT_BY_LAMBDA:
        (folder / name).symlink_to(packages / name)
    return folder


def _run_here(sources: Path, outputs: Path) -> dict[str, Any]:
    outputs.mkdir()
    environment = {**os.environ, "PYTHONPATH": f"{FUNCTIONS_ROOT}:{ROOT}"}
    return _read_facts(
        subprocess.run(  # noqa: S603 - our own script
            [sys.executable, str(SCRIPT), str(sources), str(outputs)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    )


def _read_facts(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_machine_is_the_one_of_lambda(facts: Facts) -> None:
    assert facts.there["machine"] == "aarch64"
    assert facts.there["python"].startswith("3.13.")


def test_the_deployed_kernel_is_loaded(facts: Facts) -> None:
    assert "libmillrace-aarch64.so" in facts.there["kernel"]
    assert facts.there["kernel"].startswith("Kernel("), facts.there["kernel"]
    assert facts.without_kernel["kernel"].startswith("Missing(")


def test_every_pair_gives_the_same_bytes_as_here(facts: Facts) -> None:
    assert len(facts.there["digests"]) == 7 * 6
    assert facts.there["digests"] == facts.here["digests"]


def test_the_kernel_changes_no_byte(facts: Facts) -> None:
    assert len(facts.without_kernel["digests"]) == 2 * 6
    assert facts.without_kernel["digests"].items() <= facts.there["digests"].items()


def test_every_function_starts(facts: Facts) -> None:
    assert set(facts.there["started"]) == set(HANDLERS)
