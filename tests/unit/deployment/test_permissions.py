"""Policies of connections: the least that is enough; ``tests/infra`` has them beside the functions' own grants."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.config.document import Document, parse
from millrace.deployment.permissions import Use, bucket_policy, connection_policy, queue_policy, trust_policy, uses
from tests.configurations import bulk_sync, connection

ROLE = {"auth_mode": "iam_role", "iam_role_arn": "arn:aws:iam::444455556666:role/partner"}
QUEUE = "arn:aws:sqs:us-east-1:444455556666:uploads"
KEY = "arn:aws:kms:us-east-1:444455556666:key/1"
FUNCTIONS = ("arn:aws:iam::111122223333:root",)
MODEL = {
    "name": "customers",
    "connection": "landing",
    "configuration": {"model_from": "single_file", "key": "in/customers.csv", "file_format": "csv"},
}
MODEL_SYNC = {
    "name": "customers",
    "model": "customers",
    "target": {"connection": "lake", "object": "customers", "configuration": {"format": "csv"}},
}


def document(
    *syncs: dict[str, Any], landing: dict[str, Any] | None = None, lake: dict[str, Any] | None = None, **more: Any
) -> Document:
    """From ``s3://partner/in`` to ``s3://acme/out``; what is not said is a bulk sync."""
    source = {"s3_bucket_name": "partner/in", **ROLE, **(landing or {})}
    target = {"s3_bucket_name": "acme/out", **ROLE, **(lake or {})}
    ends = [connection("landing", "", **source), connection("lake", "", **target)]
    return parse({"connections": ends, "bulk_syncs": list(syncs) or [bulk_sync()], **more})


def allowed(policy: dict[str, Any] | None) -> dict[str, tuple[list[str], list[str]]]:
    """Actions and resources by statement."""
    statements = policy["Statement"] if policy else []
    assert {one["Effect"] for one in statements} <= {"Allow"}
    return {one["Sid"]: (one["Action"], one["Resource"]) for one in statements}


class TestUses:
    def test_bulk_syncs_read_and_write(self) -> None:
        assert uses(document(), "landing") == (Use.SOURCE,)
        assert uses(document(), "lake") == (Use.DESTINATION,)

    def test_inactive_syncs_do_not_count(self) -> None:
        assert uses(document(bulk_sync(active=False)), "landing") == ()

    def test_model_syncs_read_their_models_connection(self) -> None:
        given = document(bulk_sync(active=False), models=[MODEL], model_syncs=[MODEL_SYNC])

        assert (uses(given, "landing"), uses(given, "lake")) == ((Use.SOURCE,), (Use.DESTINATION,))

    def test_inactive_model_syncs_do_not_count(self) -> None:
        sync = {**MODEL_SYNC, "active": False}

        assert uses(document(bulk_sync(active=False), models=[MODEL], model_syncs=[sync]), "landing") == ()

    def test_a_connection_may_be_both(self) -> None:
        back = {**bulk_sync("back"), "source_connection": "lake", "destination_connection": "third"}
        third = connection("third", "third")
        given = parse(
            {
                "connections": [connection("landing", "acme-in"), connection("lake", "acme/out"), third],
                "bulk_syncs": [bulk_sync(), back],
            }
        )

        assert uses(given, "lake") == (Use.SOURCE, Use.DESTINATION)


class TestConnectionPolicy:
    def test_a_source_is_read_and_listed_below_its_folder_and_never_written(self) -> None:
        given = document()

        policy = connection_policy(given, given.connection("landing"))

        assert allowed(policy) == {
            "ReadSource": (["s3:GetObject", "s3:GetObjectVersion"], ["arn:aws:s3:::partner/in/*"]),
            "ListFolder": (["s3:ListBucket"], ["arn:aws:s3:::partner"]),
        }
        assert policy is not None
        assert policy["Statement"][1]["Condition"] == {"StringLikeIfExists": {"s3:prefix": "in/*"}}

    def test_a_destination_is_written_below_its_folder(self) -> None:
        given = document()

        assert allowed(connection_policy(given, given.connection("lake")))["WriteDestination"] == (
            [
                *("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject", "s3:DeleteObject"),
                "s3:ListMultipartUploadParts",
            ],
            ["arn:aws:s3:::acme/out/*"],
        )

    def test_a_whole_bucket_has_no_condition(self) -> None:
        given = document(landing={"s3_bucket_name": "partner"})

        policy = connection_policy(given, given.connection("landing"))

        assert policy is not None
        assert policy["Statement"][0]["Resource"] == ["arn:aws:s3:::partner/*"]
        assert "Condition" not in policy["Statement"][1]

    def test_what_no_active_sync_uses_needs_nothing(self) -> None:
        given = document(bulk_sync(active=False))

        assert connection_policy(given, given.connection("landing")) is None

    @pytest.mark.parametrize(
        ("name", "actions"), [("landing", ["kms:Decrypt"]), ("lake", ["kms:Decrypt", "kms:GenerateDataKey"])]
    )
    def test_keys_are_used_by_way_of_s3_alone(self, name: str, actions: list[str]) -> None:
        given = document()

        policy = connection_policy(given, given.connection(name), kms_keys=[KEY])

        assert policy is not None
        assert policy["Statement"][-1] == {
            "Sid": "UseKeys",
            "Effect": "Allow",
            "Action": actions,
            "Resource": [KEY],
            "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        }

    @pytest.mark.parametrize(
        ("region", "partition", "service"),
        [
            ("cn-north-1", "aws-cn", "s3.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "s3.us-gov-west-1.amazonaws.com"),
            ("eu-central-1", "aws", "s3.eu-central-1.amazonaws.com"),
        ],
    )
    def test_every_partition_has_its_names(self, region: str, partition: str, service: str) -> None:
        given = document(landing={"s3_bucket_region": region})

        policy = connection_policy(given, given.connection("landing"), kms_keys=[KEY])

        assert policy is not None
        assert policy["Statement"][0]["Resource"] == [f"arn:{partition}:s3:::partner/in/*"]
        assert policy["Statement"][-1]["Condition"] == {"StringEquals": {"kms:ViaService": service}}


class TestTrustPolicy:
    def test_the_external_id_is_demanded(self) -> None:
        assert trust_policy("abc", principals=FUNCTIONS)["Statement"] == [
            {
                "Effect": "Allow",
                "Principal": {"AWS": FUNCTIONS[0]},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "abc"}},
            }
        ]

    def test_several_roles_may_be_named(self) -> None:
        (statement,) = trust_policy("abc", principals=("a", "b"))["Statement"]

        assert statement["Principal"] == {"AWS": ["a", "b"]}


class TestQueueAndBucket:
    def test_a_queue_of_another_account_lets_the_functions_receive(self) -> None:
        """Lambda receives under the function's own role: the connection's role would not help."""
        given = document(landing={"enable_event_notifications": True, "event_queue_arn": QUEUE})

        policy = queue_policy(given, given.connection("landing"), principals=FUNCTIONS)

        assert policy is not None
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"AWS": FUNCTIONS[0]}
        assert statement["Resource"] == [QUEUE]

    @pytest.mark.parametrize("event_queue_arn", ["managed", None])
    def test_no_other_queue_needs_one(self, event_queue_arn: str | None) -> None:
        told = {"enable_event_notifications": event_queue_arn is not None, "event_queue_arn": event_queue_arn}
        given = document(landing=told)

        assert queue_policy(given, given.connection("landing"), principals=FUNCTIONS) is None

    def test_a_bucket_of_another_account_lets_the_functions_in(self) -> None:
        own = {"auth_mode": "execution_role", "iam_role_arn": None}
        given = document(lake=own)

        policy = bucket_policy(given, given.connection("lake"), principals=FUNCTIONS)

        assert policy is not None
        assert [one["Principal"] for one in policy["Statement"]] == [{"AWS": FUNCTIONS[0]}] * 2
        assert set(allowed(policy)) == {"WriteDestination", "ListFolder"}
