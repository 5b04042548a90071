"""What webhooks have in the stacks: a rule and a queue each, and one function that may do no more than send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra import grants
from infra.deployment import deploy
from infra.names import Names
from infra.options import Options
from infra.topology import describe
from infra.webhooks import to_pattern
from millrace.config.document import parse
from millrace.config.notices import RUN_EVENTS
from millrace.errors import InvalidConfiguration
from tests.infra.cases import ACCOUNT, CASES, CREATED, REGION
from tests.infra.templates import HERE, Synthesised, text
from tests.infra.test_grants import DEAD_LETTERS, LEDGER, arns

WEBHOOK_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:millrace-webhook-operations-1"


@pytest.fixture
def rules(synthesised: Synthesised) -> dict[str, dict[str, Any]]:
    """The rules of webhooks by the names of their queues."""
    found = {}
    for rule in synthesised.processing.properties("Events::Rule"):
        if "-webhook-" in rule["Name"]:
            found[rule["Name"]] = rule
    return found


def test_each_active_webhook_has_a_rule_that_sends_to_its_own_queue(
    synthesised: Synthesised, rules: dict[str, dict[str, Any]]
) -> None:
    names = Names(synthesised.case.options.name)
    wanted = {names.webhook_queue(webhook.name) for webhook in describe(parse(synthesised.case.data)).webhooks}

    assert set(rules) == wanted
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        assert text(target["Arn"]).endswith(f":{name}")
        assert rule["EventPattern"]["source"] == ["millrace"]
        assert rule["EventPattern"]["detail"]["deployment"] == [names.deployment]
    if wanted:
        assert set(json.loads(text(synthesised.storage.outputs["WebhookQueues"]["Value"]))) == {
            "operations",
            "vendor's",
        }


def test_a_rule_chooses_what_its_webhook_asks_for(synthesised: Synthesised, rules: dict[str, dict[str, Any]]) -> None:
    if not rules:
        pytest.skip("this case has no webhooks")
    names = Names(synthesised.case.options.name)
    every, vendors = (rules[names.webhook_queue(name)]["EventPattern"] for name in ("operations", "vendor's"))

    assert vendors["detail"]["sync"] == ["orders"]
    assert set(vendors["detail-type"]) == {name.detail_type for name in RUN_EVENTS}
    assert "sync" not in every["detail"]
    assert {"Millrace Object Failed", "Millrace Dead Letter", "Millrace Circuit Opened"} <= set(every["detail-type"])


def test_the_longest_pattern_that_the_configuration_accepts_is_within_eventbridges_limit() -> None:
    """2,048 characters (EventBridge quotas); the longest name of a deployment, all events, and as many syncs as go."""
    data = json.loads(json.dumps(CASES["other identities"].data))
    (sync,) = data["bulk_syncs"][:1]
    syncs = [sync | {"name": f"a sync with a long name, number {n:03}", "active": True} for n in range(60)]
    for number, copy in enumerate(syncs):
        copy["destination_configuration"] = {"subfolder": f"copies/{number}"}
    hook = {"name": "operations", "url": "https://hooks.example.com/m", "secret": "s"}
    accepted = 0
    for count in range(1, len(syncs)):
        names = [copy["name"] for copy in syncs[:count]]
        made = data | {"bulk_syncs": syncs, "model_syncs": [], "models": [], "webhooks": [hook | {"syncs": names}]}
        try:
            (webhook,) = describe(parse(made)).webhooks
        except InvalidConfiguration:
            break
        accepted = count
        assert len(json.dumps(to_pattern(webhook, "d" * 24))) <= 2048

    assert 30 < accepted < 59


def test_its_function_may_receive_sign_and_remember_and_nothing_else() -> None:
    """Of the ledger it reaches the switches of webhooks alone."""
    topology = describe(parse(CASES["other identities"].data))
    made = {
        grant.sid: grant
        for grant in grants.webhook(topology, arns(webhook_queues=(WEBHOOK_QUEUE,)), CASES["other identities"].options)
    }

    assert set(made) == {"ReceiveMessages", "MakeDeadLetters", "KeepSwitches", "ReadSecretsOfWebhooks", "Trace"}
    assert made["ReceiveMessages"].resources == (WEBHOOK_QUEUE,)
    assert made["MakeDeadLetters"].resources == (DEAD_LETTERS,)
    assert made["KeepSwitches"].resources == (LEDGER,)
    assert made["KeepSwitches"].conditions == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["?webhook?*"]}}
    assert made["ReadSecretsOfWebhooks"].resources == (
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:vendor-AbCdEf",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:millrace/webhook-??????",
    )


@pytest.mark.parametrize("function", ["convert", "big_run", "reprocess", "reconcile", "backfill"])
def test_who_tells_may_put_events_on_the_default_bus(function: str) -> None:
    topology, options = describe(parse(CREATED)), Options()
    more = {"itself": "arn"} if function in {"convert", "reconcile", "backfill"} else {}
    more |= {"convert": "arn"} if function == "backfill" else {}
    made = {grant.sid: grant for grant in getattr(grants, function)(topology, arns(), options, **more)}

    assert made["TellOthers"].actions == ("events:PutEvents",)
    assert made["TellOthers"].resources == (f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",)
    assert made["TellOthers"].conditions == {"StringEquals": {"events:source": "millrace"}}


def test_a_receiver_on_loopback_is_for_the_emulator_alone() -> None:
    from aws_cdk import App  # noqa: PLC0415 - jsii is slow to start

    document = parse(CREATED | {"webhooks": [{"name": "local", "url": "http://127.0.0.1:8080/", "secret": "s"}]})

    with pytest.raises(InvalidConfiguration, match=r"'local' is sent to by http.*use https"):
        deploy(App(), document, Options(), HERE)
