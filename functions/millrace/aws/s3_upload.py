"""One output on its way into a bucket: one PUT if it is small, parts beside the encoder if it is not."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from millrace.aws.faults import error_code, translated
from millrace.objects.references import ObjectRef
from millrace.objects.store import Published

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART = 8 * 1024 * 1024
"""What is smaller is one request, without a multipart upload."""
_LARGE_PART = 64 * 1024 * 1024
_PARTS_BEFORE_LARGE = 5000
"""10,000 parts are the most (Amazon S3 multipart upload limits): 5,000 of 8 MiB, then 5,000 of 64 MiB are 350 GB."""
_PARALLEL = 2
_CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    # No Content-Encoding beside them: clients would decompress what is named as compressed.
    ".gz": "application/gzip",
    ".zst": "application/zstd",
    ".bz2": "application/x-bzip2",
}


class S3Upload:
    """Satisfies ``object_store.Upload``. Without ``metadata``, None, not even the rows are said of the object."""

    def __init__(self, client: S3Client, target: ObjectRef, metadata: Mapping[str, str] | None) -> None:
        self._client = client
        self._target = target
        self._metadata = dict(metadata) if metadata is not None else None
        self._pending = bytearray()
        self._size = 0
        self._upload_id: str | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._sending: deque[Future[CompletedPartTypeDef]] = deque()
        self._parts: list[CompletedPartTypeDef] = []
        self._numbers = 0

    def write(self, data: bytes | memoryview, /) -> int:
        """Take the next bytes; send a part when there are enough. Raises what an earlier part failed with."""
        while self._sending and self._sending[0].done():
            self._parts.append(self._sending.popleft().result())
        left = memoryview(data).cast("B")
        length = len(left)
        self._size += length
        while len(left):
            # All parts but the last are full: S3 refuses those below 5 MiB (Amazon S3 User Guide, "Amazon S3 multipart
            # upload limits"), and a batch of rows is of any size.
            taken = left[: self._part_size() - len(self._pending)]
            self._pending += taken
            left = left[len(taken) :]
            if len(self._pending) == self._part_size():
                self._send()
        return length

    def discard(self) -> None:
        """Abort the multipart upload; its parts are deleted."""
        self._pending = bytearray()
        self._stop()
        # Forgotten first, so that a second discard asks S3 for nothing. What a failed one leaves, a created bucket's
        # lifecycle rule sweeps after 7 days.
        upload_id, self._upload_id = self._upload_id, None
        if upload_id is not None:
            with translated("s3:AbortMultipartUpload on", self._target):
                self._client.abort_multipart_upload(
                    Bucket=self._target.bucket, Key=self._target.key, UploadId=upload_id
                )

    def publish(self, *, expected: str | None, rows: int) -> Published:
        """One conditional PUT, or the conditional completion of the parts."""
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": f'"{expected}"'}
        with translated("s3:PutObject on", self._target, writing=True):
            etag = self._put_whole(condition, rows) if self._upload_id is None else self._complete(condition)
        self._stop()
        return Published(etag.strip('"'), self._size)

    def _put_whole(self, condition: Mapping[str, str], rows: int) -> str:
        arguments: dict[str, Any] = {**self._describe({"millrace-rows": str(rows)}), **condition}
        answer = self._client.put_object(
            Bucket=self._target.bucket,
            Key=self._target.key,
            Body=bytes(self._pending),
            ContentType=self._content_type(),
            **arguments,
        )
        return answer["ETag"]

    def _describe(self, more: Mapping[str, str]) -> dict[str, Any]:
        return {"Metadata": {**self._metadata, **more}} if self._metadata is not None else {}

    def _complete(self, condition: Mapping[str, str]) -> str:
        if self._pending:
            self._send()
        while self._sending:
            self._parts.append(self._sending.popleft().result())
        arguments: dict[str, Any] = dict(condition)
        try:
            answer = self._client.complete_multipart_upload(
                Bucket=self._target.bucket,
                Key=self._target.key,
                UploadId=str(self._upload_id),
                MultipartUpload={"Parts": self._parts},
                **arguments,
            )
        except ClientError as error:
            # The client tries again when an answer is lost: S3 then knows no such upload, because it is complete.
            if error_code(error) == "NoSuchUpload" and (etag := self._find_completed()):
                return etag
            raise
        self._upload_id = None
        return answer["ETag"]

    def _find_completed(self) -> str | None:
        """The ETag, if an earlier try completed the upload and only its answer was lost."""
        head = self._client.head_object(Bucket=self._target.bucket, Key=self._target.key)
        if head["Metadata"] != (self._metadata or {}):
            return None
        self._upload_id = None
        return head["ETag"]

    def _part_size(self) -> int:
        return PART if self._numbers < _PARTS_BEFORE_LARGE else _LARGE_PART

    def _send(self) -> None:
        """Send what is gathered as a part, beside what goes on; at most two are on their way."""
        # Begun as late as possible: an output of less than a part is one PUT, and leaves nothing to abort when it
        # fails.
        if self._upload_id is None:
            self._begin()
        while len(self._sending) >= _PARALLEL:
            self._parts.append(self._sending.popleft().result())
        # Handed over to the thread: what is written next must not change the bytes of a part that is on its way.
        part, self._pending = bytes(self._pending), bytearray()
        self._numbers += 1
        self._threads = self._threads or ThreadPoolExecutor(_PARALLEL, "upload")
        self._sending.append(self._threads.submit(self._send_part, self._numbers, part))

    def _begin(self) -> None:
        with translated("s3:PutObject on", self._target, writing=True):
            answer = self._client.create_multipart_upload(
                Bucket=self._target.bucket,
                Key=self._target.key,
                ContentType=self._content_type(),
                **self._describe({}),
            )
        self._upload_id = answer["UploadId"]

    def _send_part(self, number: int, part: bytes) -> CompletedPartTypeDef:
        with translated("s3:PutObject on", self._target, writing=True):
            answer = self._client.upload_part(
                Bucket=self._target.bucket,
                Key=self._target.key,
                UploadId=str(self._upload_id),
                PartNumber=number,
                Body=part,
            )
        done: CompletedPartTypeDef = {"ETag": answer["ETag"], "PartNumber": number}
        # botocore sends a CRC-32 of each part by itself since 1.36. S3 wants it named again when the parts are put
        # together, if the upload began with it.
        if checksum := answer.get("ChecksumCRC32"):
            done["ChecksumCRC32"] = checksum
        return done

    def _stop(self) -> None:
        self._sending.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    def _content_type(self) -> str:
        return content_type_of(self._target)


def content_type_of(target: ObjectRef) -> str:
    """What S3 says that an output is, by its extension."""
    dot = target.key.rfind(".")
    return _CONTENT_TYPES.get(target.key[dot:], "application/octet-stream")
