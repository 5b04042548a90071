"""`millrace demo` as a newcomer runs it: from anywhere, whole, and leaving nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.demo.kept import recall
from tests.distributions import borrow_byte_code, build_distribution, copy_checkout, install_wheel
from tests.e2e.forked_commands import run_command
from tests.places import ROOT

pytestmark = pytest.mark.e2e

_MILLRACE = [str(Path(sysconfig.get_path("scripts")) / "millrace")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Somebody's own files: good ones, one that cannot be read, one that is no table."""
    folder = tmp_path / "data"
    (folder / "deep er").mkdir(parents=True)
    (folder / "deep er" / "good+one.csv").write_text("id,name\n007,Ada\n")
    (folder / "ragged.csv").write_text("id,name\n1,a,too much\n")
    (folder / "README.md").write_text("no table")
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel with its extra, and nothing of the clone.

    What was made for the clone, such as kernels, is at hand in the user's cache as if it was made there before.
    """
    folder = tmp_path_factory.mktemp("installed")
    checkout = copy_checkout(folder / "checkout")
    wheel = build_distribution("wheel", checkout, folder / "wheels", MILLRACE_KERNEL="none")
    shutil.rmtree(checkout)
    install_wheel(wheel, folder / "environment", "demo")
    borrow_byte_code(folder / "environment")
    (ROOT / "build").mkdir(exist_ok=True)
    (folder / "cache").mkdir()
    (folder / "cache" / "millrace").symlink_to(ROOT / "build")
    return folder


def test_demo_of_a_wheel_shows_the_whole_way(
    installed: Path, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything is shown in plain lines, honest about what failed, and the emulator is gone afterwards."""
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 -- the command is ours
        [str(installed / "environment" / "bin" / "millrace"), "demo", "--data", str(data)],
        cwd=tmp_path,
        env={**_environment(tmp_path), "PATH": os.defpath, "XDG_CACHE_HOME": str(installed / "cache")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    with capsys.disabled():
        print(f"\nmillrace demo: {time.monotonic() - began:.1f} s")  # noqa: T201 -- a figure to report

    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "2026-09.parquet",
        "till_reports",
        "good+one",
        "RaggedRow",
        "extensions",
        "not done twice",
        "same bytes",
        "each as it was, in its order",
    ):
        assert told in done.stdout
    assert "\x1b" not in done.stdout
    assert not _folders(tmp_path)


def test_kept_demo_stays_until_it_is_stopped(tmp_path: Path, data: Path) -> None:
    """`--keep` says how to reach it, refuses a second one beside it, and `--stop` ends it."""
    if recall() is not None:
        pytest.skip("somebody's own demonstration is left running, and this test would stop it")
    one_more = tmp_path / "one more.csv"
    one_more.write_text("id\n007\n")
    kept = _run(["demo", "--keep", "--data", str(data)], tmp_path)
    try:
        assert kept.returncode == 0, kept.stdout + kept.stderr
        exported = dict(re.findall(r"(AWS_\w+)=(\S+)", kept.stdout))
        assert exported["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert _run(["demo", "--keep"], tmp_path).returncode == 2

        process = re.search(r"process (\d+)", kept.stdout)
        assert process is not None
        os.kill(int(process[1]), 0)

        unclear = _run(["demo", "--upload", str(data / "ragged.csv")], tmp_path)
        sent = _run(["demo", "--to", "landing", "--upload", str(data / "ragged.csv"), str(one_more)], tmp_path)
        assert (unclear.returncode, sent.returncode) == (2, 1), unclear.stdout + sent.stdout + sent.stderr
        assert "--to landing is s3://" in unclear.stderr
        assert "RaggedRow" in sent.stdout
        assert "one more.parquet" in sent.stdout
        _deploy_and_destroy(tmp_path, {**os.environ, **exported})
    finally:
        stopped = _run(["demo", "--stop"], tmp_path)
    assert stopped.returncode == 0
    assert "stopped" in stopped.stdout
    assert "no demonstration" in _run(["demo", "--stop"], tmp_path).stdout
    assert not _folders(tmp_path)


def _deploy_and_destroy(folder: Path, environment: dict[str, str]) -> None:
    """`millrace init`, `deploy`, `diff` and `destroy`, one after the other, beside what runs there already."""

    def run(*words: str, code: int = 0) -> str:
        done = run_command(words, environment, folder=folder, seconds=240)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("init", "mine.yaml", "--source", "acme-mine/in", "--destination", "acme-mine/out", "--region", "us-east-1")
    text = (folder / "mine.yaml").read_text()
    (folder / "mine.yaml").write_text(text.replace("# create_bucket: true", "create_bucket: true"))
    about = ("--config", "mine.yaml", "--name", "mine")
    assert "did you mean 'memory_mb'" in run("diff", *about, "-o", "memroy_mb=512", code=1)
    deployed = run("deploy", *about, "--yes")
    assert "MineStorage, new: 1 bucket, 3 queues" in deployed
    assert "deployed to an emulator" in deployed
    assert "millrace status --name mine" in deployed
    assert "queue mine-inbox" in run("status", "--name", "mine")
    destroyed = run("destroy", *about, "--storage", "--yes")
    assert "MineProcessing goes: " in destroyed
    assert "there is no stack Mine" in run("status", "--name", "mine", code=1)


OWN = """
connections:
  - name: inbox
    configuration:
      auth_mode: iam_role
      iam_role_arn: arn:aws:iam::111122223333:role/reader
      s3_bucket_name: s3://acme-inbox/landing zone
      s3_bucket_region: eu-central-1
      enable_event_notifications: true
      event_queue_arn: arn:aws:sqs:eu-central-1:111122223333:uploads
  - name: quiet
    configuration:
      auth_mode: execution_role
      s3_bucket_name: s3://acme-quiet
      s3_bucket_region: eu-central-1
      create_bucket: true
  - name: lake
    configuration:
      auth_mode: execution_role
      s3_bucket_name: s3://acme-lake/out
      s3_bucket_region: eu-central-1
bulk_syncs:
  - name: to parquet
    source_connection: inbox
    destination_connection: lake
    destination_configuration: {format: parquet, subfolder: lake}
  - name: quiet ones
    source_connection: quiet
    destination_connection: lake
    destination_configuration: {format: json, subfolder: quiet}
"""


def test_ones_own_configuration_converts_ones_own_files(tmp_path: Path, data: Path) -> None:
    """Buckets that are there, another region, a role, a queue of one's own, a source that nobody tells of."""
    (tmp_path / "own.yaml").write_text(OWN)
    folder = tmp_path / "files"
    (folder / "quiet").mkdir(parents=True)
    (folder / "quiet" / "listed.csv").write_text("id\n007\n")
    data.rename(folder / "inbox")

    done = _run(["demo", "--config", "own.yaml", "--data", "files"], tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    for said in (
        "the functions use their own role, not iam_role",
        "acme-inbox, acme-lake",
        "s3://acme-lake/out/lake/deep er/good+one.parquet",
        "s3://acme-lake/out/quiet/listed.jsonl",
        "RaggedRow",
        "extensions",
        "1 of 4 did not come out",
        "2 objects in the destinations",
        "nothing is left running",
    ):
        assert said in done.stdout
    assert not _folders(tmp_path)


def test_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a deployment ends the CDK and the emulator."""
    command = [*_MILLRACE, "demo"]
    with subprocess.Popen(  # noqa: S603 -- the command is ours
        command, cwd=tmp_path, env=_environment(tmp_path), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        assert any("cdk deploy" in line for line in demo.stdout)
        time.sleep(1)

        demo.send_signal(signal.SIGINT)

        assert demo.wait(timeout=15) == 130
    assert _comes_true(lambda: not _folders(tmp_path))


def test_data_that_is_no_folder_is_wrong_use(tmp_path: Path) -> None:
    """It is said at once, before anything is started."""
    done = _run(["demo", "--data", str(tmp_path / "nowhere")], tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stdout + done.stderr


def _run(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- the command is ours
        [*_MILLRACE, *arguments],
        cwd=cwd,
        env=_environment(cwd),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "COLUMNS": "200"}


def _folders(folder: Path) -> list[Path]:
    return list(folder.glob("millrace-emulator-*"))


def _comes_true(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
