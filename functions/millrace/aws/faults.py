"""AWS's errors in our words: each becomes the branch of the error tree that decides what happens to the message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError, PartialCredentialsError

from millrace.errors import (
    AccessDenied,
    BadCredentials,
    ConfigurationError,
    KeyTooLong,
    LostRace,
    MillraceError,
    NoSuchBucket,
    NotAccepted,
    ObjectArchived,
    ObjectChanged,
    ObjectGone,
    ServiceUnavailable,
    TargetChanged,
    TooBig,
    WriteConflict,
)

_ARCHIVED = "is in an archive tier; restore it (aws s3api restore-object), and the restore's event continues the work"
_DENIED = "was denied; grant it to the function's role, or to the role or keys of the connection, and its KMS key too"
_CREDENTIALS = "was refused because of the credentials; check the connection's keys, role and external id"
_REGION = "was answered from another region; set the connection's s3_bucket_region to where the bucket is"
_KEY = "was refused: the key has more than 1,024 bytes of UTF-8; shorten the object's name or its folders' names"
_METADATA = "was refused: names and values of its metadata have more than 2 KB; shorten the object's key"
_INVALID = (
    "was refused as invalid; an object that is encrypted by a key of the client's own (SSE-C) cannot be read: upload it"
    " again under SSE-S3 or SSE-KMS"
)
_ARGUMENT = "was refused: S3 does not take one of its values; rename the object, or write it anew"
_TOO_LARGE = "was refused: S3 takes no object that is so large; split the file"
_ITEM = "was refused: the entry has a key or a size that DynamoDB does not take; shorten the object's key, or split it"

_BY_CODE: dict[str, tuple[type[MillraceError], str]] = {
    "NoSuchKey": (ObjectGone, "found no such object"),
    "NoSuchVersion": (ObjectGone, "found that version no longer"),
    "404": (ObjectGone, "found no such object"),
    "NoSuchBucket": (NoSuchBucket, "found no such bucket; create it, or correct s3_bucket_name"),
    "AccessDenied": (AccessDenied, _DENIED),
    "AccessDeniedException": (AccessDenied, _DENIED),
    # The answer to a HEAD has no body, and so no code: botocore then puts the status in its place.
    "403": (AccessDenied, _DENIED),
    "ForbiddenException": (AccessDenied, _DENIED),
    "AllAccessDisabled": (AccessDenied, _DENIED),
    "KMS.DisabledException": (AccessDenied, "met a disabled KMS key; enable it"),
    "KMS.KMSInvalidStateException": (AccessDenied, "met a KMS key that cannot be used; check its state"),
    "KMS.NotFoundException": (AccessDenied, "met a KMS key that does not exist"),
    "InvalidObjectState": (ObjectArchived, _ARCHIVED),
    "InvalidAccessKeyId": (BadCredentials, _CREDENTIALS),
    "SignatureDoesNotMatch": (BadCredentials, _CREDENTIALS),
    "InvalidClientTokenId": (BadCredentials, _CREDENTIALS),
    "UnrecognizedClientException": (BadCredentials, _CREDENTIALS),
    "ExpiredToken": (BadCredentials, _CREDENTIALS),
    "InvalidToken": (BadCredentials, _CREDENTIALS),
    # Whoever asks, and whenever: the same request gets the same answer (Amazon S3 API Reference, "Error responses";
    # Amazon DynamoDB Developer Guide, "Error handling").
    "KeyTooLongError": (KeyTooLong, _KEY),
    "MetadataTooLarge": (NotAccepted, _METADATA),
    "InvalidRequest": (NotAccepted, _INVALID),
    "InvalidArgument": (NotAccepted, _ARGUMENT),
    "EntityTooLarge": (TooBig, _TOO_LARGE),
    "ValidationException": (NotAccepted, _ITEM),
    "PermanentRedirect": (ConfigurationError, _REGION),
    "301": (ConfigurationError, _REGION),
    "AuthorizationHeaderMalformed": (ConfigurationError, _REGION),
    "IllegalLocationConstraintException": (ConfigurationError, _REGION),
    "ResourceNotFoundException": (ConfigurationError, "found no such resource; deploy the stacks, or correct the name"),
    "NotFoundException": (ConfigurationError, "found nothing of that name; create it, or correct the name"),
    "StateMachineDoesNotExist": (ConfigurationError, "found no such machine; deploy again: millrace deploy"),
    "StateMachineDeleting": (ConfigurationError, "found the machine being deleted; deploy again: millrace deploy"),
    "PreconditionFailed": (ObjectChanged, "found that the object was overwritten meanwhile"),
    "412": (ObjectChanged, "found that the object was overwritten meanwhile"),
    "ConditionalCheckFailedException": (LostRace, "found that another worker was quicker"),
    "ConditionalRequestConflict": (WriteConflict, "met another write to the same key"),
    "OperationAborted": (WriteConflict, "met another write to the same key"),
}
_ON_WRITE: dict[type[MillraceError], type[MillraceError]] = {ObjectChanged: TargetChanged, ObjectGone: TargetChanged}
"""S3 answers If-Match by 404 where nothing stands (Amazon S3 User Guide, "Conditional writes")."""


def error_code(error: ClientError) -> str:
    """AWS's code for an error, such as ``NoSuchKey``; the HTTP status where there is none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: ClientError | BotoCoreError, action: str, subject: str) -> MillraceError:
    """Our error for AWS's; what is unknown counts as transient, so that nothing is lost."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return BadCredentials(f"{action} {subject}: no AWS credentials were found ({error})")
    if not isinstance(error, ClientError):
        return ServiceUnavailable(f"{action} {subject} got no answer: {error}")
    code = error_code(error)
    # AWS adds codes without notice. One that is unknown leaves the message on the queue, whose receipts are bounded.
    kind, words = _BY_CODE.get(code, (ServiceUnavailable, "failed and is tried again"))
    said = error.response.get("Error", {}).get("Message", "")
    return kind(f"{action} {subject} {words} ({code}: {said})" if said else f"{action} {subject} {words} ({code})")


@contextmanager
def translated(action: str, subject: object, *, writing: bool = False) -> Iterator[None]:
    """Run AWS calls; raise our errors for theirs, with the action's and the object's name and the cause kept."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPClientError) as error:
        ours = explain(error, action, str(subject))
        kind = _ON_WRITE.get(type(ours)) if writing else None
        raise (kind(str(ours)) if kind else ours) from error
