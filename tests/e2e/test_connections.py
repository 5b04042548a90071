"""Every way to authenticate, deployed, with IAM enforced: with what `millrace connections` prints and nothing else.

The partner is another account. Its buckets send no notifications: what is in them is found by listing.
"""

from __future__ import annotations

import contextlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
import yaml

from millrace.demo.deployed import DeployedDemo, Task
from millrace.demo.emulator import ACCOUNT, Emulator, Mode
from millrace.ledger.entries import Branch, Entry, State
from millrace.objects.references import ObjectRef
from tests.e2e.bootstrapping import bootstrap_quickly
from tests.e2e.emulators import running_quickly
from tests.e2e.forked_commands import run_command
from tests.e2e.quick_deployments import deploy_quickly

pytestmark = pytest.mark.e2e

PARTNER = {"aws_access_key_id": "444455556666", "aws_secret_access_key": "test"}
"""The root user of another account: the emulator takes twelve digits for its id."""
BUCKETS = {"partner-keys": None, "partner-role": "eu-west-1", "partner-wrong": None, "partner-out": "eu-west-1"}
"""The regions of those that are not in the functions' own."""
ROWS = b"id,name\n007,Ada\n"


def place(bucket: str, auth_mode: str, **fields: Any) -> dict[str, Any]:
    """A connection's fields."""
    region = BUCKETS.get(bucket.partition("/")[0]) or "us-east-1"
    return {"auth_mode": auth_mode, "s3_bucket_name": bucket, "s3_bucket_region": region, **fields}


def role(name: str) -> dict[str, str]:
    """A role of the partner's."""
    return {"iam_role_arn": f"arn:aws:iam::444455556666:role/{name}"}


def bulk(name: str, source: str, destination: str, **fields: Any) -> dict[str, Any]:
    """A sync to newline-delimited JSON, which is listed when a test says so."""
    there = {"format": "json", "subfolder": name}
    ends = {"source_connection": source, "destination_connection": destination}
    return {"name": name, **ends, "destination_configuration": there, "schedule": "manual", **fields}


HASHED = [{"id": "a", "fields": [{"id": "id"}, {"id": "name", "obfuscated": True}]}]


def document(keys: dict[str, Any]) -> dict[str, Any]:
    """One sync a way to authenticate, and one whose role demands another external id than its connection's."""
    return {
        "connections": [
            {"name": "own", "configuration": place("conn-own/in", "execution_role", create_bucket=True)},
            {"name": "lake", "configuration": place("conn-lake/out", "execution_role", create_bucket=True)},
            {"name": "keys", "configuration": {**place("partner-keys/drop", "access_key_and_secret"), **keys}},
            {"name": "role", "configuration": place("partner-role/drop", "iam_role", **role("millrace-source"))},
            {"name": "wrong", "configuration": place("partner-wrong/drop", "iam_role", **role("millrace-wrong"))},
            {"name": "away", "configuration": place("partner-out/in box", "iam_role", **role("millrace-target"))},
        ],
        "bulk_syncs": [
            bulk("own", "own", "lake", schemas=HASHED),
            bulk("keys", "keys", "lake"),
            bulk("role", "role", "away"),
            bulk("wrong", "wrong", "lake"),
        ],
    }


@dataclass(frozen=True)
class Partner:
    """The other account, and what was printed for it."""

    emulator: Emulator
    printed: dict[str, dict[str, Any]]

    def client(self, service: str, **keys: str) -> Any:
        """A client of its root user, or of who has ``keys``."""
        return self.emulator.client(service, **{**PARTNER, **keys})

    def assume(self, connection: str) -> Any:
        """An S3 client under a connection's role, assumed from the functions' account as Millrace does."""
        told = self.printed[connection]
        given = self.emulator.client("sts").assume_role(
            RoleArn=told["iam_role_arn"], RoleSessionName="millrace", ExternalId=told["external_id"]
        )["Credentials"]
        return self.client(
            "s3",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def trust(self, connection: str, **changes: str) -> None:
        """Paste a role's trust policy, its texts changed."""
        name, policy = self._role_name(connection), json.dumps(self.printed[connection]["trust_policy"])
        for old, new in changes.items():
            policy = policy.replace(old, new)
        self.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=policy)

    def make_role(self, connection: str) -> None:
        """Make a role of the printed policies."""
        told, iam, name = self.printed[connection], self.client("iam"), self._role_name(connection)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(told["trust_policy"]))
        iam.put_role_policy(RoleName=name, PolicyName="millrace", PolicyDocument=json.dumps(told["permission_policy"]))

    def _role_name(self, connection: str) -> str:
        return str(self.printed[connection]["iam_role_arn"].rpartition("/")[2])


def millrace(emulator: Emulator, *arguments: str) -> str:
    """Run the command; what it prints."""
    done = run_command(arguments, emulator.subprocess_environment(), seconds=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class RefusedCall:
    """An object that could not be read: its entry, the messages kept for it, what the listing's function said."""

    task: Task
    entry: Entry
    kept: int
    compared: dict[str, Any]


@dataclass(frozen=True)
class TwoAccounts:
    """Both accounts."""

    deployed: DeployedDemo
    partner: Partner

    def upload(self, sync: str, name: str) -> Task:
        """Put an object where ``sync`` reads, and have it listed."""
        source = self.deployed.document.connection(sync).root
        ref = ObjectRef(source.bucket, source.prefix + name)
        s3 = self.deployed.s3 if sync == "own" else self.partner.client("s3")
        s3.put_object(Bucket=ref.bucket, Key=ref.key, Body=ROWS)
        return Task(sync, ref)

    def compare(self, sync: str) -> dict[str, Any]:
        """Have a sync's source listed by the deployed function."""
        answer = self.partner.emulator.client("lambda").invoke(
            FunctionName="millrace-reconcile", Payload=json.dumps({"sync": sync}).encode()
        )
        return {"error": answer.get("FunctionError"), "told": json.loads(answer["Payload"].read())}

    def ask(self, task: Task) -> None:
        """Have one object converted by hand, without a listing."""
        assert self.deployed.reprocess({"sync": task.sync, "keys": [task.source.key]})["sent"] == 1

    def written(self, connection: str, path: str) -> list[dict[str, Any]]:
        """The rows of an output."""
        folder = self.deployed.document.connection(connection).root
        s3 = self.deployed.s3 if connection == "lake" else self.partner.client("s3")
        body = s3.get_object(Bucket=folder.bucket, Key=folder.prefix + path)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    """The partner pastes what is printed, the keys are stored, and then it is deployed."""
    path = tmp_path_factory.mktemp("connections") / "millrace.yaml"
    with running_quickly(Mode.ENFORCED) as emulator:
        bootstrap_quickly(emulator)
        partner = Partner(emulator, {})
        for bucket, region in BUCKETS.items():
            there = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region else {}
            partner.client("s3").create_bucket(Bucket=bucket, **there)
        partner.client("iam").create_user(UserName="millrace")
        path.write_text(yaml.safe_dump(document(new_keys(partner))))
        stored = json.loads(millrace(emulator, "connections", "--config", str(path), "store", "keys"))
        path.write_text(yaml.safe_dump(document(stored["configuration"])))
        lines = millrace(emulator, "connections", "--config", str(path), "--account", ACCOUNT, "--json").splitlines()
        partner.printed.update({line["name"]: line for line in map(json.loads, lines)})
        partner.client("iam").put_user_policy(
            UserName="millrace",
            PolicyName="millrace",
            PolicyDocument=json.dumps(partner.printed["keys"]["permission_policy"]),
        )
        for connection in ("role", "away", "wrong"):
            partner.make_role(connection)
        partner.trust("wrong", **{partner.printed["wrong"]["external_id"]: "another-one"})
        yield TwoAccounts(deploy_quickly(emulator, path, context={"max_concurrency": "2"}), partner)


def new_keys(partner: Partner) -> dict[str, str]:
    """Access keys of the partner's user, as a configuration holds them inline."""
    made = partner.client("iam").create_access_key(UserName="millrace")["AccessKey"]
    return {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}


@pytest.fixture(scope="module")
def refused(world: TwoAccounts) -> RefusedCall:
    """What became of an object whose connection's role demands another external id; the role is mended then."""
    compared = world.compare("wrong")
    task = world.upload("wrong", "a.csv")
    world.ask(task)
    entry = world.deployed.wait([task], seconds=30)[task]
    kept = world.deployed.messages(world.deployed.resources.queues["wrong"])
    world.partner.trust("wrong")
    return RefusedCall(task, entry, kept, compared)


def test_wrong_external_id_fails_as_configuration_and_loses_nothing(world: TwoAccounts, refused: RefusedCall) -> None:
    """The entry names the role and the external id that it must demand; the message stays."""
    failure, told = refused.entry.failure, world.partner.printed["wrong"]
    assert failure is not None
    assert (refused.entry.state, failure.branch, failure.error) == (
        State.FAILED,
        Branch.CONFIGURATION,
        "BadCredentials",
    )
    assert told["iam_role_arn"] in failure.message
    assert told["external_id"] in failure.message
    assert "millrace connections" in failure.message
    assert refused.kept == 1
    assert refused.compared["error"]
    assert told["external_id"] in refused.compared["told"]["errorMessage"]


@pytest.mark.parametrize("sync", ["own", "keys", "role"])
def test_every_way_finds_reads_and_writes(world: TwoAccounts, sync: str) -> None:
    """By listing the source, to the function's own bucket or to another account's."""
    task = world.upload(sync, "a.csv")

    compared = world.compare(sync)

    assert compared["error"] is None, compared["told"]
    assert compared["told"]["new"] == 1
    entry = world.deployed.wait([task], seconds=30)[task]
    assert (entry.state, entry.failure) == (State.CONVERTED, None)
    (row,) = world.written("away" if sync == "role" else "lake", f"{sync}/a.jsonl")
    assert row["id"] == "007"
    assert (row["name"] == "Ada") is (sync != "own")


def test_obfuscated_values_are_hashed_with_the_deployments_key(world: TwoAccounts) -> None:
    """The key is in Secrets Manager: whoever may read it can match values, and nobody else."""
    task = world.upload("own", "a.csv")
    world.ask(task)
    world.deployed.wait([task], seconds=30, until=lambda entry: entry.state is State.CONVERTED)
    held = world.deployed.emulator.client("secretsmanager").get_secret_value(SecretId="millrace/obfuscation-key")

    (row,) = world.written("lake", "own/a.jsonl")

    key = held["SecretString"].encode()
    assert len(key) == 64
    assert row["name"] == hmac.new(key, b"Ada", "sha256").hexdigest()


def test_keys_are_shown_by_their_user_alone(world: TwoAccounts) -> None:
    """`aws_user` is asked of AWS with the stored keys."""
    told = world.partner.printed["keys"]

    assert told["aws_user"] == "arn:aws:iam::444455556666:user/millrace"


def test_rotated_keys_are_taken_up_by_a_warm_function(world: TwoAccounts, tmp_path: Path) -> None:
    """Stored by the same command, with the old ones switched off: nothing fails, nothing is deployed."""
    first = world.upload("keys", "before.csv")
    world.ask(first)
    world.deployed.wait([first], seconds=30, until=lambda entry: entry.state is State.CONVERTED)
    iam, path = world.partner.client("iam"), tmp_path / "rotated.yaml"
    (old,) = iam.list_access_keys(UserName="millrace")["AccessKeyMetadata"]

    path.write_text(yaml.safe_dump(document(new_keys(world.partner))))
    millrace(world.partner.emulator, "connections", "--config", str(path), "store", "keys")
    iam.delete_access_key(UserName="millrace", AccessKeyId=old["AccessKeyId"])

    second = world.upload("keys", "after.csv")
    world.ask(second)
    entry = world.deployed.wait([second], seconds=30)[second]
    assert (entry.state, entry.attempts) == (State.CONVERTED, 1)


def test_a_sources_role_reads_its_folder_and_no_more(world: TwoAccounts) -> None:
    """Whoever holds the role with the printed policy is held to the folder."""
    s3, bucket = world.partner.assume("role"), "partner-role"
    for key in ("drop/inside.csv", "dropped.csv", "other/a.csv"):
        world.partner.client("s3").put_object(Bucket=bucket, Key=key, Body=ROWS)

    assert s3.get_object(Bucket=bucket, Key="drop/inside.csv")["Body"].read() == ROWS
    assert s3.list_objects_v2(Bucket=bucket, Prefix="drop/")["KeyCount"] >= 1
    with _error("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="drop/never.csv")
    for key in ("dropped.csv", "other/a.csv"):
        with _error("AccessDenied"):
            s3.get_object(Bucket=bucket, Key=key)
    with _error("AccessDenied"):
        s3.put_object(Bucket=bucket, Key="drop/new.csv", Body=b"")
    with _error("AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="drop/inside.csv")
    with _error("AccessDenied"):
        s3.list_objects_v2(Bucket=bucket, Prefix="other/")
    with _error("AccessDenied"):
        s3.get_object(Bucket="partner-keys", Key="drop/a.csv")


def test_a_destinations_role_writes_its_folder_and_no_more(world: TwoAccounts) -> None:
    """Nothing beside it is written, read or deleted."""
    s3, bucket, beside = world.partner.assume("away"), "partner-out", "in boxes/mine.csv"
    world.partner.client("s3").put_object(Bucket=bucket, Key=beside, Body=ROWS)

    s3.put_object(Bucket=bucket, Key="in box/by hand.csv", Body=ROWS)
    s3.head_object(Bucket=bucket, Key="in box/by hand.csv")
    s3.delete_object(Bucket=bucket, Key="in box/by hand.csv")
    for action in (s3.put_object, s3.get_object, s3.delete_object):
        with _error("AccessDenied"):
            action(Bucket=bucket, Key=beside)


def test_role_that_was_mended_converts_what_waited(world: TwoAccounts, refused: RefusedCall) -> None:
    """The message comes back by itself once the right trust policy is pasted."""
    task = refused.task

    entry = world.deployed.wait([task], seconds=60, until=lambda entry: entry.state is State.CONVERTED)[task]

    assert entry.attempts > refused.entry.attempts
    assert world.written("lake", "wrong/a.jsonl") == [{"id": "007", "name": "Ada"}]


@contextlib.contextmanager
def _error(code: str) -> Iterator[None]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
