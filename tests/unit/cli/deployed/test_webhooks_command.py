"""`millrace webhooks`: what is sent where, and whether receivers take it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from millrace.aws.deployed import Deployed
from tests.fakes import InMemoryLedger

LISTED = {
    "webhook": "ops",
    "url": "https://hooks.example.com/",
    "format": "standard",
    "syncs": ["nightly"],
    "events": ["object.failed", "run.failed"],
    "active": True,
    "off_since": None,
}


@dataclass
class HookedDeployments:
    """A deployment whose webhook function answers as it is told."""

    answer: dict[str, Any] = field(default_factory=lambda: {"webhooks": [LISTED]})
    function: str | None = "millrace-webhook"
    events: list[dict[str, Any]] = field(default_factory=list)

    def find(self, name: str) -> tuple[Deployed, InMemoryLedger]:
        """The deployment."""
        deployed = Deployed(
            ledger_table="t",
            dead_letter_queue="d",
            queues={},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            webhook_function=self.function,
        )
        return deployed, InMemoryLedger()

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """The answer."""
        assert function == self.function
        self.events.append(event)
        return self.answer

    def client(self, service: str) -> Any:
        """No other service is asked."""
        raise NotImplementedError(service)


def test_the_list_says_what_is_sent_where(run: Any) -> None:
    deployments = HookedDeployments()

    ran = run("webhooks", "list", deployments=deployments)

    assert ran.out == ("ops: on; https://hooks.example.com/ (standard), syncs nightly: object.failed, run.failed\n")
    assert deployments.events == [{"list": True}]
    assert json.loads(run("webhooks", "list", "--json", deployments=deployments).out) == LISTED


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"off_since": "2026-11-22T12:00:00+00:00"}, "off since 2026-11-22T12:00:00+00:00: its receiver answered 410"),
        ({"active": False, "syncs": []}, "not active; https://hooks.example.com/ (standard), all syncs"),
    ],
)
def test_the_list_says_what_is_off(run: Any, fields: dict[str, Any], wanted: str) -> None:
    ran = run("webhooks", "list", deployments=HookedDeployments({"webhooks": [LISTED | fields]}))

    assert wanted in ran.out


@pytest.mark.parametrize(
    ("answer", "code", "wanted"),
    [
        ({"taken": True, "status": 204}, 0, "https://h/: taken: answered 204\n"),
        ({"taken": False, "status": 500}, 1, "https://h/: not taken: answered 500\n"),
        ({"taken": False, "reason": "could not be reached"}, 1, "https://h/: not taken: could not be reached\n"),
    ],
)
def test_a_test_says_what_the_receiver_answered(run: Any, answer: dict[str, Any], code: int, wanted: str) -> None:
    deployments = HookedDeployments({"webhook": "ops", "url": "https://h/"} | answer)

    ran = run("webhooks", "test", "ops", deployments=deployments)

    assert (ran.code, ran.out) == (code, wanted)
    assert deployments.events == [{"test": "ops"}]


def test_a_deployment_without_webhooks_says_so(run: Any) -> None:
    ran = run("webhooks", "list", deployments=HookedDeployments(function=None))

    assert ran.code != 0
    assert "has no webhooks" in ran.err
