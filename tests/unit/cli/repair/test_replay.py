"""`millrace replay`: shown first, done with --yes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.aws.deployed import Deployed
from millrace.config.document import Document
from tests.configurations import bulk_sync, connection
from tests.fakes import InMemoryObjectStore
from tests.unit.operations.test_replay import ASIDE, STRICT, quarantined
from tests.world import SOURCE, World

SYNC = bulk_sync(to="json", bad_rows="quarantine")


class FakeDeployment:
    """A deployment whose reprocess function takes what it is asked; ``events`` are what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[dict[str, Any]] = []

    def find(self, _name: str, /) -> tuple[Deployed, Any]:
        deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="d",
            queues={},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            reconcile_function=None,
        )
        return deployed, self.world.ledger

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        assert function == "r"
        self.events.append(event)
        return {"sent": len(event["keys"])}

    def client(self, service: str) -> Any:
        raise NotImplementedError(service)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeDeployment:
    deployment = FakeDeployment(quarantined())

    def stores(_document: Document) -> dict[str, InMemoryObjectStore]:
        return dict.fromkeys(["landing", "lake"], deployment.world.store)

    monkeypatch.setattr("millrace.aws.sessions.Sessions", stores)
    monkeypatch.chdir(tmp_path)
    source = {"enable_event_notifications": True, "event_queue_arn": "managed", **STRICT}
    connections = [connection("landing", "s3://acme-in/in", **source), connection("lake", "s3://acme-out/lake")]
    Path("millrace.yaml").write_text(yaml.safe_dump({"connections": connections, "bulk_syncs": [SYNC]}))
    return deployment


def test_without_yes_it_shows_what_would_be_done(run: Any, deployment: FakeDeployment) -> None:
    ran = run("replay", "nightly", deployments=deployment)

    assert (ran.code, deployment.events) == (0, [])
    assert ran.out.splitlines() == [
        f"convert again: {SOURCE}, 2 rows in {ASIDE}",
        "1 object, 2 rows: converted again with the present options: give --yes",
    ]


def test_with_yes_the_deployment_converts_them(run: Any, deployment: FakeDeployment) -> None:
    ran = run("replay", "nightly", "--yes", "--json", deployments=deployment)

    assert deployment.events == [{"sync": "nightly", "keys": [str(SOURCE)]}]
    assert json.loads(ran.out.splitlines()[-1]) == {
        "objects": 1,
        "ways": {"convert again": {"objects": 1, "rows": 2}},
        "sent": 1,
        "dry_run": False,
    }


def test_keys_may_be_given_in_both_forms(run: Any, deployment: FakeDeployment) -> None:
    for key in (SOURCE.key, str(SOURCE)):
        assert str(SOURCE) in run("replay", "nightly", "--key", key, deployments=deployment).out
    assert "no object" in run("replay", "nightly", "--key", "in/other.csv", deployments=deployment).out


def test_rows_of_what_is_gone_are_written_as_they_were(run: Any, deployment: FakeDeployment, tmp_path: Path) -> None:
    world = deployment.world
    world.one(world.delete())

    ran = run("replay", "nightly", "--yes", "--raw", str(tmp_path / "rows"), deployments=deployment)

    assert ran.code == 0
    assert deployment.events == []
    rows = (tmp_path / "rows" / "orders.rows").read_bytes().splitlines()
    assert sorted(rows) == [b"3", b'{"id":2,"price":"x"}']
    assert "--raw FOLDER" in ran.out


def test_another_sync_is_wrong_use(run: Any, deployment: FakeDeployment) -> None:
    ran = run("replay", "hourly", deployments=deployment)

    assert ran.code == 2
    assert "nightly" in ran.err
