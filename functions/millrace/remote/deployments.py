"""The deployment that a command or the page asks and steers: a port, and what AWS gives for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from millrace.errors import MillraceError

if TYPE_CHECKING:
    from millrace.aws.deployed import Deployed
    from millrace.aws.dynamodb_ledger import DynamoDBLedger


class Deployments(Protocol):
    """What commands need of deployments; a test gives its own."""

    def find(self, name: str) -> tuple[Deployed, DynamoDBLedger]:
        """A deployment's resources, and its ledger."""

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """A function's answer to an event."""

    def client(self, service: str) -> Any:
        """A client of an AWS service, with the user's credentials."""


class AWSDeployments:
    """Deployments in the account and region of the user's AWS session."""

    def find(self, name: str) -> tuple[Deployed, DynamoDBLedger]:
        """A deployment's resources, and its ledger.

        Raises: ConfigurationError if there is no such deployment in this account and region.
        """
        from millrace.aws.deployed import Deployed  # noqa: PLC0415 - boto3 takes a third of a second to import
        from millrace.aws.dynamodb_ledger import DynamoDBLedger  # noqa: PLC0415 - needs boto3, which is slow to import

        session = _start_session()
        deployed = Deployed.find(session.client("cloudformation"), name)
        return deployed, DynamoDBLedger(session.client("dynamodb"), deployed.ledger_table)

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """A function's answer, which may take the 15 minutes that Lambda allows; it is asked once."""
        import boto3  # noqa: PLC0415 - takes a third of a second to import
        from botocore.config import Config  # noqa: PLC0415 - comes with boto3

        from millrace.aws.deployed import invoke  # noqa: PLC0415 - needs boto3, which is slow to import

        # A Lambda function runs for 900 s at most; a second try would start it twice.
        patient = Config(read_timeout=910, retries={"total_max_attempts": 1})
        return invoke(boto3.client("lambda", config=patient), function, event)

    def client(self, service: str) -> Any:
        """A client of an AWS service; raises MillraceError if no region is set."""
        return _start_session().client(service)


def _start_session() -> Any:
    import boto3  # noqa: PLC0415 - takes a third of a second to import

    session = boto3.Session()
    if session.region_name is None:
        raise MillraceError("no AWS region is set; set AWS_REGION, or choose a profile that has one with AWS_PROFILE")
    return session
