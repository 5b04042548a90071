"""One output put together of ranges of other objects: a multipart upload whose parts S3 copies by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from millrace.aws.faults import error_code, translated
from millrace.aws.s3_upload import content_type_of
from millrace.errors import ObjectGone
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectRange, Published

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, PartTypeDef


class S3Assembly:
    """Satisfies ``objects.store.Assembly``; its token is the upload's id. May be used by several threads."""

    def __init__(self, client: S3Client, target: ObjectRef, token: str) -> None:
        self._client = client
        self._target = target
        self._token = token

    @classmethod
    def begin(
        cls, client: S3Client, target: ObjectRef, metadata: Mapping[str, str], token: str | None = None
    ) -> S3Assembly:
        """A new upload, or one that was begun before: its metadata was said then."""
        if token is None:
            with translated("s3:PutObject on", target, writing=True):
                token = client.create_multipart_upload(
                    Bucket=target.bucket,
                    Key=target.key,
                    Metadata=dict(metadata),
                    ContentType=content_type_of(target),
                )["UploadId"]
        return cls(client, target, token)

    @property
    def token(self) -> str:
        """The upload's id."""
        return self._token

    def sent(self) -> frozenset[int]:
        """ListParts, a thousand at a time."""
        return frozenset(part["PartNumber"] for part in self._list())

    def copy(self, number: int, content: ObjectRange) -> None:
        """One UploadPartCopy, of that very ETag."""
        source = content.ref
        with self._translated("s3:GetObject on", source):
            self._client.upload_part_copy(
                **self._upload(),
                PartNumber=number,
                CopySource={"Bucket": source.bucket, "Key": source.key},
                # The last byte of an HTTP range belongs to it.
                CopySourceRange=f"bytes={content.start}-{content.end - 1}",
                CopySourceIfMatch=f'"{content.etag}"',
            )

    def send(self, number: int, content: bytes) -> None:
        """One UploadPart."""
        with self._translated("s3:PutObject on", self._target):
            self._client.upload_part(**self._upload(), PartNumber=number, Body=content)

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """The conditional completion of all parts that are there; ``rows`` were said when the upload began."""
        del rows
        parts = self._list()
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": f'"{expected}"'}
        with translated("s3:PutObject on", self._target, writing=True):
            answer = self._client.complete_multipart_upload(
                **self._upload(), MultipartUpload={"Parts": list(map(_to_completed, parts))}, **condition
            )
        return Published(answer["ETag"].strip('"'), sum(part["Size"] for part in parts))

    def discard(self) -> None:
        """AbortMultipartUpload; one that is complete, or aborted already, is no more."""
        with suppress(ObjectGone), self._translated("s3:AbortMultipartUpload on", self._target):
            self._client.abort_multipart_upload(**self._upload())

    def _upload(self) -> dict[str, Any]:
        return {"Bucket": self._target.bucket, "Key": self._target.key, "UploadId": self._token}

    def _list(self) -> list[PartTypeDef]:
        pages = self._client.get_paginator("list_parts").paginate(**self._upload())
        with self._translated("s3:ListMultipartUploadParts on", self._target):
            return [part for page in pages for part in page.get("Parts", ())]

    @contextmanager
    def _translated(self, action: str, subject: ObjectRef) -> Iterator[None]:
        """As ``translated``; NoSuchUpload is of the assembly, whatever object the call is about."""
        with translated(action, subject):
            try:
                yield
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise
                raise ObjectGone(f"the upload of {self._target} is no more: complete, or aborted") from error


def _to_completed(part: PartTypeDef) -> CompletedPartTypeDef:
    completed: CompletedPartTypeDef = {"ETag": part["ETag"], "PartNumber": part["PartNumber"]}
    # As in S3Upload: what was sent with a checksum is named with it when the parts are put together.
    if checksum := part.get("ChecksumCRC32"):
        completed["ChecksumCRC32"] = checksum
    return completed
