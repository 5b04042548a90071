"""The stacks, deployed by the real CDK: once to an open emulator, once to one that enforces IAM and TLS."""

from __future__ import annotations

import multiprocessing.util
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from millrace.demo.deploy import bootstrap
from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import Emulator, Mode
from millrace.ledger.entries import DONE
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.emulators import running_quickly
from tests.e2e.hidden_pandas import pandas_hidden
from tests.e2e.places import EXAMPLES, TABLE_BUCKET
from tests.e2e.scheduling import DeploymentScheduling, leave_for_the_end, sort_and_check
from tests.e2e.shared_models import share_models
from tests.kernels import kernels_are_built_once
from tests.receivers import Receiver, receiving

__all__ = ["kernels_are_built_once"]

CONTEXT = {"max_concurrency": "2"}
"""The emulator starts a process for each function that runs."""
SHARED_CONTEXT = {**CONTEXT, "history": "s3://millrace-e2e-target/history"}
"""There are several destinations, so none is the history's by itself."""
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made in it
_ENOUGH_BYTES = 6 << 30


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> DeploymentScheduling:
    """Keep the tests of one deployment in one worker."""
    return DeploymentScheduling(config, log)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """Begin the longest groups first, and end each with what leaves its deployment changed."""
    sort_and_check(items, [item for item in items if item.path.parent == Path(__file__).parent])
    result = yield
    leave_for_the_end(items)
    return result


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Have Ctrl-C reach the processes that tests start: it is ignored in what a script started with ``&``."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _emulators_are_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what emulators write off the disk, if there is room: each function's process unpacks 900 files there."""
    # Chosen now, since they are to stay where they are: of the tests' own files, and of the server that forks commands.
    tmp_path_factory.getbasetemp()
    multiprocessing.util.get_temp_dir()
    if not _IN_MEMORY.is_dir() or shutil.disk_usage(_IN_MEMORY).free < _ENOUGH_BYTES:
        yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="millrace-tests-", dir=_IN_MEMORY) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="package", autouse=True)
def _pandas_is_hidden() -> Iterator[None]:
    """Compare what came out without what no function has."""
    with pandas_hidden():
        yield


@pytest.fixture(scope="package", autouse=True)
def _models_are_shared() -> Iterator[None]:
    """Let the clients of all tests read AWS's services once."""
    with pytest.MonkeyPatch.context() as patch:
        # Noted as it is, to be set back.
        patch.setattr(botocore.session, "create_loader", botocore.session.create_loader)
        share_models()
        yield


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """Who takes webhooks, on this machine, where the emulator's functions run."""
    with receiving() as found:
        yield found


@pytest.fixture(scope="session")
def configuration(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Path:
    """The example configuration, and beside it what the tests need and no example shows.

    Columns keep their sources' names, so that rows can be compared field by field.
    """
    document = yaml.safe_load((EXAMPLES / "millrace.yaml").read_text())
    extra = yaml.safe_load((Path(__file__).parent / "extra.yaml").read_text())
    whole = {**document, **{name: document.get(name, []) + extra[name] for name in extra}}
    syncs = [{**sync, "normalize_names": "disabled"} for sync in whole["bulk_syncs"]]
    path = tmp_path_factory.mktemp("configuration") / "millrace.yaml"
    hook = {"name": "hook", "url": f"{receiver.url}/hook", "secret": "e2e/hook", "syncs": ["e2e told"]}
    path.write_text(yaml.safe_dump({**whole, "bulk_syncs": syncs, "webhooks": [hook]}))
    return path


def make_table_bucket(emulator: Emulator) -> None:
    """That of the configuration, which no stack makes."""
    emulator.client("s3tables").create_table_bucket(name=TABLE_BUCKET.rpartition("/")[2])


@pytest.fixture(scope="session")
def opened(configuration: Path) -> Iterator[DeployedDemo]:
    """Deployed where every caller may do everything, over plain http."""
    with running_quickly(Mode.OPEN) as emulator:
        bootstrap_quickly(emulator)
        make_table_bucket(emulator)
        yield DeployedDemo.deploy(emulator, configuration, context=SHARED_CONTEXT)


@pytest.fixture(scope="session")
def enforced(configuration: Path) -> Iterator[DeployedDemo]:
    """Deployed where policies decide, over TLS; the command line makes the account ready, as a user would have it."""
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap(emulator)
        make_table_bucket(emulator)
        yield DeployedDemo.deploy(emulator, configuration, context=SHARED_CONTEXT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Show the main way in both deployments, and all else where policies decide: it needs more, and allows no more."""
    if "deployed" in metafunc.fixturenames:
        both = metafunc.module.__name__.endswith("test_main_way")
        metafunc.parametrize(
            "deployed", ["opened", "enforced"] if both else ["enforced"], indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> DeployedDemo:
    """The one that the test is for."""
    found: DeployedDemo = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def examples(deployed: DeployedDemo) -> list[Task]:
    """Every example uploaded and converted."""
    files = sorted(file for file in (EXAMPLES / "data").rglob("*") if file.is_file())
    refs = [deployed.ref(file.relative_to(EXAMPLES / "data").as_posix()) for file in files]
    for ref, file in zip(refs, files, strict=True):
        deployed.upload(ref, file.read_bytes())
    tasks = deployed.tasks(refs)
    entries = deployed.wait(tasks, seconds=120)
    assert {
        str(entry.source): (entry.state, entry.failure) for entry in entries.values() if entry.state not in DONE
    } == {}
    return tasks
