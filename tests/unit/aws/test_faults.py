"""AWS's errors in our words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError

from millrace import errors
from millrace.aws.faults import translated
from millrace.errors import MillraceError
from millrace.ledger.entries import Branch, Failure
from millrace.objects.references import ObjectRef

REF = ObjectRef("acme-in", "in/a.csv")


def raised(error: Exception, **words: Any) -> MillraceError:
    with pytest.raises(MillraceError) as caught, translated("s3:GetObject on", REF, **words):
        raise error
    return caught.value


def client_error(code: str, message: str = "told by AWS") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NoSuchKey", errors.ObjectGone),
        ("404", errors.ObjectGone),
        ("NoSuchBucket", errors.NoSuchBucket),
        ("AccessDenied", errors.AccessDenied),
        ("403", errors.AccessDenied),
        ("KMS.DisabledException", errors.AccessDenied),
        ("InvalidObjectState", errors.ObjectArchived),
        ("InvalidAccessKeyId", errors.BadCredentials),
        ("ExpiredToken", errors.BadCredentials),
        ("PermanentRedirect", errors.ConfigurationError),
        ("PreconditionFailed", errors.ObjectChanged),
        ("ConditionalCheckFailedException", errors.LostRace),
        ("ConditionalRequestConflict", errors.WriteConflict),
        ("KeyTooLongError", errors.KeyTooLong),
        ("MetadataTooLarge", errors.NotAccepted),
        ("InvalidRequest", errors.NotAccepted),
        ("InvalidArgument", errors.NotAccepted),
        ("EntityTooLarge", errors.TooBig),
        ("ValidationException", errors.NotAccepted),
        ("SlowDown", errors.ServiceUnavailable),
        ("InternalError", errors.ServiceUnavailable),
        ("ProvisionedThroughputExceededException", errors.ServiceUnavailable),
        ("SomethingNobodyHeardOf", errors.ServiceUnavailable),
    ],
)
def test_every_code_has_its_branch(code: str, kind: type[MillraceError]) -> None:
    error = raised(client_error(code))

    assert type(error) is kind
    assert str(REF) in str(error)
    assert "told by AWS" in str(error)
    assert isinstance(error.__cause__, ClientError)


@pytest.mark.parametrize("code", ["PreconditionFailed", "412", "NoSuchKey", "404"])
def test_a_failed_condition_means_another_thing_on_writing(code: str) -> None:
    assert type(raised(client_error(code), writing=True)) is errors.TargetChanged


@pytest.mark.parametrize(
    "error",
    [EndpointConnectionError(endpoint_url="x"), ConnectTimeoutError(endpoint_url="x")],
)
def test_a_service_out_of_reach_is_tried_again(error: Exception) -> None:
    assert type(raised(error)) is errors.ServiceUnavailable


def test_missing_credentials_are_a_matter_of_configuration() -> None:
    assert type(raised(NoCredentialsError())) is errors.BadCredentials


def test_our_own_errors_pass_unchanged() -> None:
    ours = errors.MalformedFile("row 7", row=7)

    assert raised(ours) is ours


def subclasses(kind: type[MillraceError]) -> list[type[MillraceError]]:
    return [below for child in kind.__subclasses__() for below in (child, *subclasses(child))]


def test_the_drawing_of_the_tree_names_every_error() -> None:
    drawn = errors.__doc__ or ""
    named = [kind for kind in subclasses(MillraceError) if kind.__module__ == errors.__name__]

    assert [kind.__name__ for kind in named if kind.__name__ not in drawn] == []


def test_each_branch_decides_what_becomes_of_the_message() -> None:
    assert Failure.of(errors.RaggedRow("x", row=3, byte=9)).branch is Branch.DATA
    assert Failure.of(errors.AccessDenied("x")).branch is Branch.CONFIGURATION
    assert Failure.of(errors.ServiceUnavailable("x")).branch is Branch.TRANSIENT
    assert Failure.of(ZeroDivisionError("x")) == Failure(
        branch=Branch.TRANSIENT, error="ZeroDivisionError", message="unexpected: x"
    )


@pytest.mark.parametrize(
    "code",
    [
        "KeyTooLongError",
        "MetadataTooLarge",
        "InvalidRequest",
        "InvalidArgument",
        "EntityTooLarge",
        "ValidationException",
    ],
)
def test_what_a_service_refuses_for_what_it_is_fails_the_object_alone(code: str) -> None:
    """Tried again it would be refused again, until it lies among the dead letters and an alarm rings."""
    failure = Failure.of(raised(client_error(code)))

    assert failure.branch is Branch.DATA
    assert ";" in failure.message, "it says what to do next"
