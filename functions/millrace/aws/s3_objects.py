"""Buckets through boto3: pinned ranged reads, listings, and uploads that are visible whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError

from millrace.aws.faults import error_code, translated
from millrace.aws.ranged_reader import CHUNK, RangedReader
from millrace.aws.s3_upload import S3Upload
from millrace.errors import ObjectGone, ServiceUnavailable
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, OpenedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BODY_TRIES = 4
_BROKEN_BODY = (IncompleteReadError, ResponseStreamingError, HTTPClientError)


class S3ObjectStore:
    """Satisfies ``object_store.ObjectStore`` with one client's credentials and region."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """Pin what is there with the first GET; one GET is all that an object of up to 8 MiB takes."""
        opened = self.pin(ref, tail_first=tail_first)
        with opened.stream:
            yield opened

    def pin(self, ref: ObjectRef, *, tail_first: bool = False) -> OpenedObject:
        """Open as ``open`` does; the stream is the caller's to close."""
        head, held = self._get_first(ref, f"bytes=-{CHUNK}" if tail_first else f"bytes=0-{CHUNK - 1}")
        pin = _to_pin(head)

        def fetch(start: int, length: int) -> bytes:
            return self._get(ref, f"bytes={start}-{start + length - 1}", pin)[1]

        start = head.size - len(held) if tail_first else 0
        return OpenedObject(head, cast("BinaryIO", RangedReader(fetch, head.size, (start, held))))

    def head(self, ref: ObjectRef) -> ObjectHead | None:
        """HEAD, which needs s3:GetObject."""
        try:
            with translated("s3:GetObject on", ref):
                answer = self._client.head_object(Bucket=ref.bucket, Key=ref.key)
        except ObjectGone:
            return None
        return _to_head(answer, answer["ContentLength"])

    def upload(self, target: ObjectRef, metadata: Mapping[str, str]) -> S3Upload:
        """Begin an output; no request is made until there is a part to send."""
        return S3Upload(self._client, target, metadata)

    def delete(self, ref: ObjectRef) -> None:
        """Delete by name; S3 answers the same whether it was there or not."""
        with translated("s3:DeleteObject on", ref):
            self._client.delete_object(Bucket=ref.bucket, Key=ref.key)

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Page through ListObjectsV2, a thousand keys in memory at a time."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=start_after
        )
        with translated("s3:ListBucket on", f"s3://{bucket}/{prefix}"):
            for page in pages:
                for item in page.get("Contents", ()):
                    ref = ObjectRef(bucket, item["Key"])
                    yield ListedObject(ref, item["ETag"].strip('"'), item["Size"], item["LastModified"])

    def _get_first(self, ref: ObjectRef, span: str) -> tuple[ObjectHead, bytes]:
        try:
            answer, held = self._get(ref, span, {})
        except _EmptyObject:
            head = self.head(ref)
            if head is None:
                raise ObjectGone(f"{ref} was deleted before it was read") from None
            return head, b""
        # `bytes 0-99/1234`: behind the slash is the size of the whole object.
        total = answer.get("ContentRange", "").rpartition("/")[2]
        size = int(total) if total.isdigit() else len(held)
        return _to_head(answer, size), held

    def _get(self, ref: ObjectRef, span: str, pin: Mapping[str, Any]) -> tuple[Mapping[str, Any], bytes]:
        """One ranged GET with its body; a body that breaks off is asked for again."""
        broken: Exception | None = None
        for _ in range(_BODY_TRIES):
            with translated("s3:GetObject on", ref), _detect_empty():
                answer = self._client.get_object(Bucket=ref.bucket, Key=ref.key, Range=span, **pin)
                try:
                    return answer, answer["Body"].read()
                except _BROKEN_BODY as error:
                    broken = error
        raise ServiceUnavailable(f"reading {ref} ({span}) broke off {_BODY_TRIES} times: {broken}") from broken


class _EmptyObject(Exception):
    """A range of an object that has no bytes: S3 answers 416."""


@contextmanager
def _detect_empty() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) in {"InvalidRange", "416"}:
            raise _EmptyObject from error
        raise


def _to_pin(head: ObjectHead) -> dict[str, Any]:
    """What makes a later GET give the same bytes: the version, or in a bucket without versions the ETag."""
    if head.version_id:
        return {"VersionId": head.version_id}
    return {"IfMatch": f'"{head.etag}"'}


def _to_head(answer: Mapping[str, Any], size: int) -> ObjectHead:
    version_id = answer.get("VersionId")
    return ObjectHead(
        etag=answer["ETag"].strip('"'),
        size=size,
        modified=answer["LastModified"],
        version_id=None if version_id == "null" else version_id,
        metadata=answer["Metadata"],
    )
