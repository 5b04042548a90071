"""The CDK's way in: what it refuses, what it says, what it makes of particular configurations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment

from infra.deployment import main
from infra.notification import filter_prefix
from infra.options import Options
from millrace.deployment.settings import FUNCTIONS_ROOT
from tests.infra.cases import CREATED, REGION, StackCase, configuration, connection, source, sync
from tests.infra.templates import Synthesised, synthesise, text

INLINE = source(
    "landing",
    "acme-in",
    auth_mode="access_key_and_secret",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)


def written(folder: Path, data: dict[str, Any]) -> Path:
    """A configuration file."""
    path = folder / "millrace.json"
    path.write_text(json.dumps(data))
    return path


class TestRefusal:
    """What cannot work is told before anything is made."""

    def test_is_a_list_on_stderr_and_a_failure(self, tmp_path: Path) -> None:
        """All problems, no traceback, no secret; nothing is synthesised."""
        others = [INLINE | {"name": "returns"}, connection("out", "acme-out")]
        data = configuration([INLINE, *others], [sync("a", "landing", "out")])
        context = {"config": str(written(tmp_path, data))}

        done = subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, FUNCTIONS_ROOT.parent / "app.py"],
            env={**os.environ, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(tmp_path / "out")},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert lines[0] == "Millrace cannot be deployed like this:"
        stored = [line.partition("millrace connections store ")[2] for line in lines[1:]]
        assert stored == ["landing", "returns"]
        assert not [word for word in ("Traceback", "AKIA", "wJalr") if word in done.stderr]
        assert not list(tmp_path.glob("out/*.template.json"))

    @pytest.mark.parametrize(
        ("context", "said"),
        [
            ({"config": "nowhere.yaml"}, "nowhere.yaml: cannot be read"),
            ({"kms": "mine"}, "context kms: expected aws-managed or customer"),
        ],
    )
    def test_names_the_file_or_the_context(self, context: dict[str, str], said: str, tmp_path: Path) -> None:
        """What was found and where."""
        with pytest.raises(SystemExit, match=said):
            main(App(context=context, outdir=str(tmp_path)))

    def test_of_overlapping_source_and_destination(self, tmp_path: Path) -> None:
        """Own output is never input."""
        data = configuration([source("a", "acme/in"), connection("out", "acme/in/out")], [sync("a", "a", "out")])

        with pytest.raises(SystemExit, match="overlaps"):
            main(App(context={"config": str(written(tmp_path, data))}, outdir=str(tmp_path)))

    def test_of_a_reserve_that_would_throttle(self, tmp_path: Path) -> None:
        """Two queues of ten, and a backfill's five, do not fit in fifteen."""
        context = {"config": str(written(tmp_path, CREATED)), "reserved_concurrency": 15}

        with pytest.raises(SystemExit, match="less than the 25 that the queues may run together"):
            main(App(context=context, outdir=str(tmp_path)))


def test_an_unknown_account_and_region_do_not_matter(tmp_path: Path) -> None:
    """Without credentials `cdk synth` shows the templates all the same."""
    made = synthesise(StackCase(CREATED), tmp_path, Environment())

    assert made.findings == []
    assert "AWS::Region" in json.dumps(made.processing.body)


def test_a_changed_configuration_is_a_changed_code_asset(tmp_path: Path) -> None:
    """So that deploying it replaces what the functions read."""
    changed = configuration(CREATED["connections"], [CREATED["bulk_syncs"][0]])

    first, second = (
        synthesise(StackCase(data, Options(emulator=True)), tmp_path / str(number))
        for number, data in enumerate((CREATED, changed))
    )

    assert (
        first.processing.properties("Lambda::Function")[0]["Code"]
        != (second.processing.properties("Lambda::Function")[0]["Code"])
    )


class TestNotification:
    """Which events reach which queue."""

    def test_a_created_bucket_tells_each_folder_to_its_queue(self, of_case: Callable[[str], Synthesised]) -> None:
        """The folder is spelled as S3's filters want it: form-encoded."""
        bucket = next(
            one for one in of_case("created buckets").storage.properties("S3::Bucket") if one["BucketName"] == "acme-in"
        )
        told = bucket["NotificationConfiguration"]["QueueConfigurations"]

        prefixes = {(text(each["Queue"]), each["Filter"]["S3Key"]["Rules"][0]["Value"]) for each in told}
        assert len(told) == 8
        assert {prefix for _, prefix in prefixes} == {"landing+zone/", "returns/"}
        assert len(prefixes) == 2

    def test_an_existing_bucket_keeps_what_stands_there(self, of_case: Callable[[str], Synthesised]) -> None:
        """The CDK's resource merges where it does not manage the bucket."""
        storage = of_case("existing buckets").storage
        custom = [one for one in storage.resources.values() if one["Type"] == "Custom::S3BucketNotifications"]

        assert {one["Properties"]["BucketName"] for one in custom} == {"acme-there", "acme-whole"}
        assert {one["Properties"]["Managed"] for one in custom} == {False}

    def test_an_existing_bucket_can_be_taken_out(self, of_case: Callable[[str], Synthesised]) -> None:
        """CloudFormation changes what stays before it deletes what goes: each bucket's grant must go with the bucket.

        One policy for all would lose the bucket before its notifications are taken away, and leave them to a queue
        that is gone.
        """
        storage = of_case("existing buckets").storage
        policies = {
            name: text(policy["Properties"]["PolicyDocument"]["Statement"][0]["Resource"]).rpartition(":")[2]
            for name, policy in storage.of("IAM::Policy").items()
        }

        assert sorted(policies.values()) == ["acme-there", "acme-whole"]
        for resource in storage.resources.values():
            if resource["Type"] == "Custom::S3BucketNotifications":
                (needed,) = (name for name in resource["DependsOn"] if name in policies)
                assert policies[needed] == resource["Properties"]["BucketName"]

    @pytest.mark.parametrize(
        ("prefix", "spelled"),
        [("a b/", "a+b/"), ("day=1/", "day%3D1/"), ("ü/", "%C3%BC/"), ("a.b-c_d/(e)!*'/", "a.b-c_d/(e)!*'/")],
    )
    def test_prefixes_are_spelled_for_s3(self, prefix: str, spelled: str) -> None:
        """The emulator compares them as they are."""
        assert filter_prefix(prefix, Options()) == spelled
        assert filter_prefix(prefix, Options(emulator=True)) == prefix


class TestCustomerKey:
    """`--context kms=customer`."""

    def test_encrypts_everything_that_keeps_data(self, of_case: Callable[[str], Synthesised]) -> None:
        """Queues, ledger, buckets and logs."""
        made = of_case("customer key")
        (key,) = made.storage.of("KMS::Key")
        arn = {"Fn::GetAtt": [key, "Arn"]}

        assert all(queue["KmsMasterKeyId"] == arn for queue in made.storage.properties("SQS::Queue"))
        assert made.storage.one("DynamoDB::Table")["Properties"]["SSESpecification"]["KMSMasterKeyId"] == arn
        for bucket in made.storage.properties("S3::Bucket"):
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == arn
        assert all("KmsKeyId" in group for group in made.processing.properties("Logs::LogGroup"))

    def test_rotates_and_serves_services_of_this_account(self, of_case: Callable[[str], Synthesised]) -> None:
        """Without a word in its policy neither S3 nor EventBridge could send to a queue, nor CloudWatch keep a log."""
        key = of_case("customer key").storage.one("KMS::Key")["Properties"]

        services = {
            statement["Principal"]["Service"]: statement["Condition"]
            for statement in key["KeyPolicy"]["Statement"]
            if "Service" in statement["Principal"]
        }
        assert key["EnableKeyRotation"] is True
        assert set(services) == {"s3.amazonaws.com", "events.amazonaws.com", f"logs.{REGION}.amazonaws.com"}
        assert all(services.values())


def test_a_users_own_queue_is_one_more_source_of_events(of_case: Callable[[str], Synthesised]) -> None:
    """Beside the managed queues, which take our own requests, and that of the backfills."""
    mappings = of_case("own queues").processing.properties("Lambda::EventSourceMapping")

    assert len(mappings) == 4
    assert "uploads" in str([mapping["EventSourceArn"] for mapping in mappings])


def test_the_emulator_gets_code_alone(of_case: Callable[[str], Synthesised]) -> None:
    """Its functions run in this machine's Python."""
    made = of_case("emulator")

    assert not made.processing.of("Lambda::LayerVersion")
    assert not [one for one in made.storage.resources.values() if one["Type"].startswith("Custom::")]
    assert all(f.get("TracingConfig") is None for f in made.processing.properties("Lambda::Function"))


def test_the_emulators_code_is_compiled_for_this_python(of_case: Callable[[str], Synthesised]) -> None:
    """It unpacks the code for each process of a function, which would compile all modules once more."""
    template = of_case("emulator").processing.path
    assets = json.loads(template.with_name(template.name.replace(".template.json", ".assets.json")).read_text())

    sources = (template.parent / asset["source"]["path"] for asset in assets["files"].values())
    handlers = [folder / "convert" / "handler.py" for folder in sources if (folder / "convert").is_dir()]

    assert handlers
    assert all(Path(cache_from_source(str(handler))).is_file() for handler in handlers)
