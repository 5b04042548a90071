"""What a configuration asks of the infrastructure."""

from __future__ import annotations

from typing import Any

from infra.topology import UsedBucket, describe, refusals
from millrace.config.document import parse
from millrace.config.layout import Folder
from tests.infra.cases import (
    CREATED,
    MODELS,
    OWN_QUEUE,
    OWN_QUEUES,
    QUIET,
    REGION,
    configuration,
    connection,
    source,
    sync,
)


def refused(data: dict[str, Any], region: str | None = REGION) -> list[str]:
    """Why ``data`` cannot be deployed to ``region``."""
    return refusals(parse(data), region)


class TestDescribe:
    """From a document to a topology."""

    def test_makes_a_bucket_once(self) -> None:
        """Several connections may use folders of one bucket; one of them asking for it is enough."""
        data = configuration(
            [source("a", "acme-in/a", create_bucket=True), source("b", "acme-in/b"), connection("out", "acme-out")],
            [sync("a", "a", "out"), sync("b", "b", "out")],
        )

        assert describe(parse(data)).buckets == (
            UsedBucket("acme-in", REGION, created=True),
            UsedBucket("acme-out", REGION, created=False),
        )

    def test_leaves_out_what_only_inactive_syncs_use(self) -> None:
        """A sync that is switched off needs no queue and gets no grant."""
        data = configuration(
            [source("a", "acme-in/a"), source("b", "acme-in/b"), connection("out", "acme-out")],
            [sync("a", "a", "out"), sync("b", "b", "out", active=False)],
        )

        topology = describe(parse(data))

        assert [one.connection for one in topology.sources] == ["a"]
        assert topology.own_reads == (Folder("acme-in", "a"),)

    def test_notifies_managed_queues_alone(self) -> None:
        """Who brings a queue has set its notification; who wants none gets none."""
        silent = configuration([connection("a", "acme-in"), connection("out", "acme-out")], [sync("a", "a", "out")])

        assert [note.folder.path for note in describe(parse(CREATED)).notifications] == ["landing zone", "returns"]
        assert describe(parse(OWN_QUEUES)).notifications == ()
        assert describe(parse(silent)).notifications == ()

    def test_receives_from_a_shared_queue_once(self) -> None:
        """Two connections may name the same queue."""
        assert describe(parse(OWN_QUEUES)).own_queue_arns == (OWN_QUEUE,)

    def test_lists_by_the_schedule_or_by_what_is_told(self) -> None:
        """Often where nobody tells of changes, daily to heal what was lost, never where somebody wants to do it."""
        listings = {one.sync.partition(" ")[0]: one.expression for one in describe(parse(QUIET)).listings}

        assert listings == {"listed": "rate(15 minutes)", "weekly": "cron(0 0 ? * MON *)", "told": "rate(1 day)"}

    def test_a_model_sync_reads_and_writes_like_a_bulk_sync(self) -> None:
        """Its model's connection is a source, with a queue and a listing; its target a destination."""
        topology = describe(parse(MODELS))

        assert [one.connection for one in topology.sources] == ["landing", "told"]
        assert [one.connection for one in topology.destinations] == ["lake"]
        assert {one.sync: one.expression for one in topology.listings} == {
            "customers to lake": "rate(15 minutes)",
            "returns to lake": "cron(0 * * * ? *)",
        }


class TestRefusals:
    """What cannot be deployed."""

    def test_a_sound_configuration_is_not_refused(self) -> None:
        """Nothing stands against it."""
        assert refused(CREATED) == []

    def test_inline_secrets_name_the_command_that_stores_them(self) -> None:
        """Access keys never reach a template."""
        keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x" * 40}
        inline = source("landing", "acme-in", auth_mode="access_key_and_secret", **keys)
        data = configuration([inline, connection("out", "acme-out")], [sync("a", "landing", "out")])

        (problem,) = refused(data)

        assert "millrace connections store landing" in problem
        assert "AKIA" not in problem

    def test_queues_and_new_buckets_of_another_region(self) -> None:
        """S3 notifies, Lambda receives and a stack creates in its own region only."""
        assert len(refused(CREATED, "us-east-1")) == 5
        (problem, _) = refused(OWN_QUEUES, "us-east-1")
        assert "'landing' names a queue in eu-central-1" in problem

    def test_no_region_is_no_reason(self) -> None:
        """Without credentials the CDK does not know the region; CloudFormation will."""
        assert refused(CREATED, None) == []
