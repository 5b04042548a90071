"""What `millrace deploy`, `diff` and `destroy` refuse before anything is made; tests/e2e runs them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from millrace.cli.stacks.states import describe_interruption, find_states
from millrace.cli.stacks.target import StackTarget, find_target
from millrace.errors import InvalidConfiguration, MillraceError, UsageError
from tests.places import ROOT

CONFIG = ROOT / "examples" / "starter.yaml"


class UserOfAWS:
    """The clients that the commands ask."""

    meta = SimpleNamespace(region_name="eu-central-1")

    def __init__(self, **states: str) -> None:
        self.states = states

    def find(self, name: str) -> Any:
        """Nobody asks for a deployment's resources."""
        raise AssertionError(name)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Nobody invokes anything."""
        raise AssertionError(function, event)

    def client(self, service: str) -> Any:
        """One object is every client."""
        assert service in {"sts", "ssm", "cloudformation"}
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "111122223333"}

    def get_parameter(self, Name: str) -> Any:  # noqa: N803 - AWS's own spelling
        raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": Name}}, "GetParameter")

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - AWS's own spelling
        if StackName not in self.states:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "no"}}, "DescribeStacks")
        if self.states[StackName] == "denied":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.states[StackName]}]}


def target_of(*options: str, config: Path = CONFIG) -> StackTarget:
    """The target that the options describe."""
    return find_target(UserOfAWS(), config=config, name="orders", options=options)[0]


def test_a_target_is_all_that_the_application_needs_to_know() -> None:
    target = target_of("kms=customer", "history=s3://acme-ops/a=b")

    assert str(target) == "account 111122223333, eu-central-1, as 'orders'"
    assert target.stacks == ("OrdersStorage", "OrdersProcessing")
    assert target.list_context()[1::2] == [
        "millrace:options=kms,history",
        f"config={CONFIG}",
        "name=orders",
        "kms=customer",
        "history=s3://acme-ops/a=b",
    ]
    assert target.make_environment()["AWS_DEFAULT_REGION"] == "eu-central-1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["kms"], "expected NAME=VALUE"),
        (["kms="], "expected NAME=VALUE"),
        (["=customer"], "expected NAME=VALUE"),
        (["config=a.yaml"], "use --config a.yaml"),
        (["name=orders"], "use --name orders"),
        (["kms=customer", "kms=aws-managed"], "found twice, 'customer' and 'aws-managed'"),
    ],
)
def test_an_option_that_says_nothing_or_two_things_is_refused(options: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        target_of(*options)


def test_what_goes_is_not_checked_against_the_rules_of_cloudformation() -> None:
    target = target_of()

    assert "CDK_VALIDATION" not in target.make_environment()
    assert target.make_environment(are_deployed=False)["CDK_VALIDATION"] == "false"
    assert target.make_environment(are_deployed=False)["AWS_REGION"] == "eu-central-1"


def test_a_wrong_file_is_shown_before_anybody_waits(tmp_path: Path) -> None:
    path = tmp_path / "millrace.yaml"
    path.write_text("connections: []\nbulk_sync: []\n")

    with pytest.raises(InvalidConfiguration, match="bulk_sync"):
        target_of(config=path)


def test_an_account_that_is_not_prepared_is_known_at_once(run: Any) -> None:
    ran = run("deploy", "--config", str(CONFIG), deployments=UserOfAWS())

    assert ran.code == 1
    assert "millrace deploy --bootstrap" in ran.err


def test_a_stack_is_there_or_not_or_nobody_may_know() -> None:
    user = UserOfAWS(OrdersStorage="CREATE_COMPLETE", OrdersProcessing="denied")

    assert find_states(user, target_of()) == {
        "OrdersStorage": "CREATE_COMPLETE",
        "OrdersProcessing": "unknown: cloudformation:DescribeStacks was denied",
    }


def test_an_interruption_says_what_goes_on() -> None:
    text = describe_interruption(UserOfAWS(OrdersStorage="CREATE_IN_PROGRESS"), target_of(), "deploy")

    assert "OrdersStorage CREATE_IN_PROGRESS, OrdersProcessing not there" in text
    assert "run `millrace deploy` again" in text


def test_credentials_that_aws_does_not_know_are_said_to_be_so() -> None:
    class Stranger(UserOfAWS):
        """Has keys of nobody."""

        def get_caller_identity(self) -> dict[str, str]:
            raise ClientError({"Error": {"Code": "InvalidClientTokenId", "Message": "no"}}, "GetCallerIdentity")

    with pytest.raises(MillraceError, match="sts:GetCallerIdentity"):
        find_target(Stranger(), config=CONFIG, name="orders", options=())
