"""Least privilege, grant by grant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from infra import grants
from infra.grants import Arns, Grant
from infra.options import Options
from infra.topology import describe
from millrace.config.document import parse
from tests.infra.cases import ACCOUNT, CASES, EXISTING_KEY, OWN_QUEUE, REGION, configuration, connection, sync

LEDGER = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/millrace-ledger"
ITSELF = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:millrace-reconcile"
DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:millrace-dead-letters"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:millrace-big-run"
EXECUTIONS = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:millrace-big-run"
BIG_RUN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:millrace-big-run"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:millrace-landing"


def arns(**overrides: Any) -> Arns:
    """Where things are."""
    own = {
        "partition": "aws",
        "region": REGION,
        "account": ACCOUNT,
        "ledger": LEDGER,
        "queues": (QUEUE,),
        "dead_letters": DEAD_LETTERS,
        "machine": MACHINE,
    }
    return Arns(**{**own, **overrides})


def of_convert(case: str, **overrides: Any) -> Mapping[str, Grant]:
    """The convert function's grants by their ids."""
    made = grants.convert(describe(parse(CASES[case].data)), arns(**overrides), CASES[case].options, itself=ITSELF)
    return {grant.sid: grant for grant in made}


def of_big_run(case: str, **overrides: Any) -> Mapping[str, Grant]:
    """The grants of the function of big runs by their ids."""
    made = grants.big_run(describe(parse(CASES[case].data)), arns(**overrides), CASES[case].options)
    return {grant.sid: grant for grant in made}


def of_machine(options: Options) -> tuple[Grant, ...]:
    """The state machine's grants."""
    return grants.machine(arns(), options, function=BIG_RUN)


def of_reprocess(case: str) -> Mapping[str, Grant]:
    """The reprocess function's grants by their ids."""
    made = grants.reprocess(describe(parse(CASES[case].data)), arns(), CASES[case].options)
    return {grant.sid: grant for grant in made}


def of_reconcile(case: str) -> Mapping[str, Grant]:
    """The reconcile function's grants by their ids."""
    made = grants.reconcile(describe(parse(CASES[case].data)), arns(), CASES[case].options, itself=ITSELF)
    return {grant.sid: grant for grant in made}


class TestGrantsOfCatalogues:
    """Only what asks for a catalogue may touch one."""

    def test_keeps_the_tables_of_named_databases(self) -> None:
        """And of no other; it deletes none."""
        glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
        for granted in (
            of_convert("catalogued tables", databases=("sales", "acme_orders")),
            of_big_run("catalogued tables", databases=("sales", "acme_orders")),
        ):
            assert granted["KeepCatalog"].actions == ("glue:GetTable", "glue:CreateTable", "glue:UpdateTable")
            assert granted["KeepCatalog"].resources == (
                f"{glue}:catalog",
                f"{glue}:database/sales",
                f"{glue}:database/acme_orders",
                f"{glue}:table/sales/*",
                f"{glue}:table/acme_orders/*",
            )

    def test_without_a_catalogue_there_is_no_grant(self) -> None:
        assert "KeepCatalog" not in of_convert("created buckets")


class TestGrantsOfConvert:
    """What the convert function may do."""

    def test_reads_below_the_folders_of_sources_only(self) -> None:
        """Not beside them, not in destinations."""
        granted = of_convert("created buckets")["ReadSources"]

        assert granted.actions == ("s3:GetObject", "s3:GetObjectVersion")
        assert granted.resources == ("arn:aws:s3:::acme-in/landing zone/*", "arn:aws:s3:::acme-in/returns/*")

    def test_writes_below_the_folders_of_destinations_only(self) -> None:
        """A source is never written."""
        assert of_convert("created buckets")["WriteDestinations"].resources == ("arn:aws:s3:::acme-out/lake/*",)

    def test_reads_a_whole_bucket_where_the_connection_is_one(self) -> None:
        """No folder means all of it."""
        assert "arn:aws:s3:::acme-whole/*" in of_convert("existing buckets")["ReadSources"].resources

    def test_tells_gone_from_denied_within_the_folder(self) -> None:
        """Listing is what makes S3 answer 404 for a missing key; the condition holds a listing to the folder."""
        listing = [grant for sid, grant in of_convert("created buckets").items() if sid.startswith("TellGone")]

        assert [grant.resources for grant in listing] == [
            ("arn:aws:s3:::acme-in",),
            ("arn:aws:s3:::acme-in",),
            ("arn:aws:s3:::acme-out",),
        ]
        assert [grant.conditions["StringLikeIfExists"]["s3:prefix"] for grant in listing] == [
            "landing zone/*",
            "returns/*",
            "lake/*",
        ]

    def test_receives_from_managed_and_own_queues(self) -> None:
        """A user's own queue is one more source of events."""
        assert of_convert("own queues")["ReceiveMessages"].resources == (QUEUE, OWN_QUEUE)

    def test_reaches_others_through_their_role_or_secret_alone(self) -> None:
        """A connection of another identity gives the function's own role no access to its bucket."""
        granted = of_convert("other identities")

        assert granted["AssumeRolesOfConnections"].resources == ("arn:aws:iam::444455556666:role/millrace",)
        assert granted["ReadSecretsOfConnections"].resources == (
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:millrace/stored-??????",
        )
        assert "ReadSources" not in granted
        assert not [grant for grant in granted.values() if "partner-in" in str(grant.resources)]

    def test_does_not_list_or_delete_the_ledger(self) -> None:
        """One item at a time."""
        assert of_convert("created buckets")["KeepLedger"].actions == (
            "dynamodb:GetItem",
            "dynamodb:PutItem",
        )

    def test_uses_the_keys_that_there_are(self) -> None:
        """The deployment's own, and those that the context names."""
        own_key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/own"

        assert of_convert("existing buckets")["UseExistingKeys"].resources == (EXISTING_KEY,)
        assert of_convert("customer key", key=own_key)["UseKeyOfDeployment"].resources == (own_key,)
        assert not {"UseExistingKeys", "UseKeyOfDeployment"} & set(of_convert("created buckets"))

    def test_uses_keys_by_way_of_what_they_encrypt_in_their_region(self) -> None:
        """Never by itself: no function of ours calls KMS."""
        own_key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/own"

        deployments = of_convert("customer key", key=own_key)["UseKeyOfDeployment"].conditions
        existing = of_convert("existing buckets")["UseExistingKeys"].conditions

        services = [f"{service}.{REGION}.amazonaws.com" for service in ("dynamodb", "s3", "secretsmanager", "sqs")]
        assert deployments == {"StringEquals": {"kms:ViaService": services}}
        assert existing == {"StringEquals": {"kms:ViaService": services[1:]}}

    def test_starts_this_one_machine_and_stops_nothing(self) -> None:
        """A run is stopped by a person: `millrace runs stop`."""
        granted = of_convert("created buckets")
        actions = {action for grant in granted.values() for action in grant.actions}

        assert granted["StartBigRuns"].resources == (MACHINE,)
        assert granted["LookAtBigRuns"].resources == (f"{EXECUTIONS}:*",)
        assert {action for action in actions if action.startswith("states:")} == {
            "states:StartExecution",
            "states:DescribeExecution",
        }


class TestGrantsOfBigRun:
    """What the function of big runs may do."""

    def test_reads_and_writes_what_the_convert_function_does(self) -> None:
        """And lists the parts of its uploads: one upload may take several invocations."""
        granted, converting = of_big_run("created buckets"), of_convert("created buckets")

        for sid in ("ReadSources", "WriteDestinations", "KeepLedger"):
            assert granted[sid] == converting[sid]
        assert granted["JoinParts"].actions == ("s3:ListMultipartUploadParts",)
        assert granted["JoinParts"].resources == converting["WriteDestinations"].resources

    def test_starts_and_receives_nothing(self) -> None:
        """It asks for objects on the queues of their sources, and tells of runs; it pauses no event source."""
        actions = {action for grant in of_big_run("created buckets").values() for action in grant.actions}

        assert {action for action in actions if action.startswith(("states:", "lambda:"))} == set()
        assert {action for action in actions if action.startswith("events:")} == {"events:PutEvents"}
        assert {action for action in actions if action.startswith("sqs:")} == {"sqs:SendMessage"}

    def test_reads_the_key_of_obfuscated_fields(self) -> None:
        """Each part is converted whole, hashes included."""
        assert "ReadObfuscationKey" in of_big_run("obfuscated fields", obfuscation_secret="millrace/obfuscation-key")
        assert "ReadObfuscationKey" not in of_big_run("created buckets")


class TestGrantsOfTheMachine:
    """What the state machine of big runs may do."""

    def test_does_exactly_this(self) -> None:
        """It invokes one function and runs children of its own; it touches no bucket, no table and no queue."""
        allowed: dict[str, tuple[str, ...]] = {}
        for grant in of_machine(Options()):
            for action in grant.actions:
                allowed[action] = allowed.get(action, ()) + grant.resources

        assert allowed == {
            "lambda:InvokeFunction": (BIG_RUN,),
            "states:StartExecution": (MACHINE,),
            "states:DescribeExecution": (f"{EXECUTIONS}:*",),
            "states:StopExecution": (f"{EXECUTIONS}:*",),
            "states:RedriveExecution": (f"{EXECUTIONS}/*",),
            "xray:PutTraceSegments": ("*",),
            "xray:PutTelemetryRecords": ("*",),
            "xray:GetSamplingRules": ("*",),
            "xray:GetSamplingTargets": ("*",),
        }


class TestGrantsOfReprocess:
    """What the reprocess function may do."""

    def test_touches_no_object(self) -> None:
        """It lists and asks; the convert function does. GetItem says which schema a table has, for what is stale."""
        actions = {action for grant in of_reprocess("created buckets").values() for action in grant.actions}

        assert {action for action in actions if action.startswith("s3:")} == {"s3:ListBucket"}
        of_ledger = {action for action in actions if action.startswith("dynamodb:")}
        assert of_ledger == {"dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"}
        assert {action for action in actions if action.startswith("sqs:")} == {"sqs:SendMessage"}

    def test_writes_the_list_of_runs_and_no_entry(self) -> None:
        granted = of_reprocess("created buckets")["KeepAskedRuns"]

        assert granted.actions == ("dynamodb:PutItem",)
        assert granted.conditions == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["?reprocesses"]}}

    def test_sends_batches_by_an_action_of_the_emulators_own(self) -> None:
        """AWS has no sqs:SendMessageBatch: its one action allows both."""
        assert of_reprocess("emulator")["SendRequests"].actions == ("sqs:SendMessage", "sqs:SendMessageBatch")

    def test_lists_sources_within_their_folder(self) -> None:
        """Unlike the convert function's, its condition lets nothing through that names no prefix."""
        listing = of_reprocess("created buckets")["ListSource0"]

        assert listing.conditions == {"StringLike": {"s3:prefix": "landing zone/*"}}


class TestGrantsOfReconcile:
    """What the reconcile function may do."""

    def test_does_exactly_this(self) -> None:
        """It lists, compares, looks at outputs, keeps its place, asks and goes on; it writes and deletes nothing."""
        allowed: dict[str, tuple[str, ...]] = {}
        for grant in of_reconcile("no notifications").values():
            for action in grant.actions:
                allowed[action] = allowed.get(action, ()) + grant.resources

        assert allowed == {
            "s3:ListBucket": ("arn:aws:s3:::acme-in", "arn:aws:s3:::acme-told", "arn:aws:s3:::acme-out"),
            "s3:GetObject": ("arn:aws:s3:::acme-out/lake/*",),
            "dynamodb:Query": (f"{LEDGER}/index/sources",),
            "dynamodb:GetItem": (LEDGER,),
            "dynamodb:PutItem": (LEDGER,),
            "sqs:SendMessage": (QUEUE,),
            "sqs:GetQueueAttributes": (QUEUE,),
            "lambda:InvokeFunction": (ITSELF,),
            "events:PutEvents": (f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",),
            "states:DescribeExecution": (f"{EXECUTIONS}:*",),
            "xray:PutTraceSegments": ("*",),
            "xray:PutTelemetryRecords": ("*",),
        }

    def test_lists_sources_within_their_folder(self) -> None:
        """As the reprocess function does."""
        assert of_reconcile("no notifications")["ListSource0"].conditions == {"StringLike": {"s3:prefix": "in/*"}}

    def test_takes_no_identity_of_a_destination(self) -> None:
        """It does not write there."""
        data = configuration(
            [
                connection("landing", "acme-in"),
                connection(
                    "lake", "partner", auth_mode="iam_role", iam_role_arn="arn:aws:iam::444455556666:role/millrace"
                ),
            ],
            [sync("orders", "landing", "lake")],
        )
        made = grants.reconcile(describe(parse(data)), arns(), Options(), itself=ITSELF)

        assert "AssumeRolesOfConnections" not in {grant.sid for grant in made}
        assert "AssumeRolesOfConnections" in of_reconcile("other identities")


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_wildcard_has_its_reason(case: str) -> None:
    """A resource that stands for several says why."""
    functions = (of_convert(case), of_big_run(case), of_reprocess(case), of_reconcile(case))
    written = [grant for granted in functions for grant in granted.values()]
    for grant in (*written, *of_machine(CASES[case].options)):
        if any(map(grants.is_wildcard, grant.resources)):
            assert grant.because


def test_the_emulator_is_not_traced() -> None:
    """X-Ray is not there, so neither is the one grant for everything."""
    topology = describe(parse(CASES["emulator"].data))

    assert "Trace" in {grant.sid for grant in grants.convert(topology, arns(), Options(), itself=ITSELF)}
    assert "Trace" not in {
        grant.sid for grant in grants.convert(topology, arns(), Options(emulator=True), itself=ITSELF)
    }
    assert "Trace" not in {grant.sid for grant in of_machine(Options(emulator=True))}
