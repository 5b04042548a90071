"""Buckets through boto3: pinned ranged reads, listings, and uploads that are visible whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError

from millrace.aws.faults import error_code, translated
from millrace.aws.ranged_answers import ByteRange, FirstRequest, PinnedRequest, RangedRequest, span_of
from millrace.aws.ranged_reader import CHUNK, RangedReader
from millrace.aws.s3_assembly import S3Assembly
from millrace.aws.s3_upload import S3Upload
from millrace.errors import ObjectChanged, ObjectGone, ServiceUnavailable, WrongAnswer
from millrace.objects.references import ObjectRef
from millrace.objects.store import ListedObject, ObjectHead, OpenedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# botocore tries a request again until its headers are there; a body that breaks off afterwards is the reader's matter.
_BODY_TRIES = 4
_MAY_BE_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"})
"""Storage classes whose objects may have to be restored (Amazon S3 User Guide, "Working with archived objects")."""
_BROKEN_BODY = (IncompleteReadError, ResponseStreamingError, HTTPClientError)


class S3ObjectStore:
    """Satisfies ``object_store.ObjectStore`` with one client's credentials and region."""

    def __init__(self, client: S3Client, *, chunk: int = CHUNK) -> None:
        self._client = client
        self._chunk = chunk

    @contextmanager
    def open(self, ref: ObjectRef, *, tail_first: bool = False) -> Iterator[OpenedObject]:
        """Pin what is there with the first GET; one GET is all that an object of up to 8 MiB takes."""
        opened = self.pin(ref, tail_first=tail_first)
        with opened.stream:
            yield opened

    def pin(self, ref: ObjectRef, *, tail_first: bool = False) -> OpenedObject:
        """Open as ``open`` does; the stream is the caller's to close."""
        head, held = self._get_first(FirstRequest(ref, self._chunk, tail_first))
        return self._read_pinned(ref, head, (head.size - len(held) if tail_first else 0, held))

    @contextmanager
    def reopen(self, ref: ObjectRef, head: ObjectHead) -> Iterator[OpenedObject]:
        """Read a version whose head is known: no request is made until there is a range to read."""
        opened = self._read_pinned(ref, head, (0, b""))
        with opened.stream:
            yield opened

    def _read_pinned(self, ref: ObjectRef, head: ObjectHead, held: tuple[int, bytes]) -> OpenedObject:
        ranges = _PinnedRanges(self, ref, head)
        return OpenedObject(head, cast("BinaryIO", RangedReader(ranges, head.size, held, chunk=self._chunk)))

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

    def assemble(self, target: ObjectRef, metadata: Mapping[str, str], *, token: str | None = None) -> S3Assembly:
        """CreateMultipartUpload, unless there is an upload to go on with."""
        return S3Assembly.begin(self._client, target, metadata, token)

    def delete(self, ref: ObjectRef, *, etag: str | None = None) -> None:
        """Delete by name, with an ETag on the condition that it is that object still.

        S3 answers the same whether it was there or not. The condition is of 2025 (Amazon S3 User Guide, "How to perform
        conditional deletes"); it needs s3:GetObject besides.
        """
        condition: dict[str, Any] = {"IfMatch": f'"{etag}"'} if etag else {}
        with suppress(ObjectChanged, ObjectGone), translated("s3:DeleteObject on", ref):
            self._client.delete_object(Bucket=ref.bucket, Key=ref.key, **condition)

    def list(self, bucket: str, prefix: str, *, start_after: str = "") -> Iterator[ListedObject]:
        """Page through ListObjectsV2, a thousand keys in memory at a time."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, StartAfter=start_after, OptionalObjectAttributes=["RestoreStatus"]
        )
        with translated("s3:ListBucket on", f"s3://{bucket}/{prefix}"):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield _to_listed(bucket, item)

    def _get_first(self, request: FirstRequest) -> tuple[ObjectHead, bytes]:
        try:
            answer, held = self.get_range(request)
        # No byte of an empty object can be asked for, so that S3 refuses any range of it by 416; only a HEAD says what
        # it is.
        except _EmptyObject:
            head = self.head(request.ref)
            if head is None:
                raise ObjectGone(f"{request.ref} was deleted before it was read") from None
            return head, b""
        span = span_of(answer)
        return _to_head(answer, span.size if span else len(held)), held

    def get_range(self, request: RangedRequest) -> tuple[Mapping[str, Any], bytes]:
        """One ranged GET with its body, checked; a body that breaks off or is too short is asked for again."""
        broken: Exception | str = ""
        for _ in range(_BODY_TRIES):
            with translated("s3:GetObject on", request.ref), _detect_empty():
                answer = self._client.get_object(
                    Bucket=request.ref.bucket, Key=request.ref.key, Range=request.header, **request.condition
                )
                _check_or_close(request, answer)
                try:
                    content = answer["Body"].read()
                except _BROKEN_BODY as error:
                    broken = error
                    continue
            # Not left to the client alone: with too few bytes a text would be cut, and look whole.
            if len(content) == answer["ContentLength"]:
                return answer, content
            broken = f"{len(content)} bytes came, {answer['ContentLength']} were announced"
        cause = broken if isinstance(broken, Exception) else None
        raise ServiceUnavailable(
            f"reading {request.ref} ({request.header}) broke off {_BODY_TRIES} times: {broken}"
        ) from cause


def _check_or_close(request: RangedRequest, answer: Mapping[str, Any]) -> None:
    """Check an answer's headers; a body that nobody is going to read gives its connection back."""
    try:
        request.check(answer)
    except (WrongAnswer, ObjectChanged):
        answer["Body"].close()
        raise


class _PinnedRanges:
    """Ranges of one version; called from the reader's threads.

    A version is asked for by its id, which S3 keeps even if the object is overwritten. There are servers that ignore
    ``Range`` beside ``VersionId`` and send the whole object (MiniStack 1.5.33): these are asked for the ETag instead.
    """

    def __init__(self, store: S3ObjectStore, ref: ObjectRef, head: ObjectHead) -> None:
        self._store = store
        self._ref = ref
        self._head = head
        self._by_version = head.version_id is not None

    def __call__(self, start: int, length: int) -> bytes:
        """The bytes from an offset, exactly as many as asked for."""
        if self._by_version:
            try:
                return self._get(start, length, by_version=True)
            except (WrongAnswer, ObjectChanged):
                # Asked once more by the ETag: if the object did change, that answer says so, and otherwise only the
                # server was at fault.
                self._by_version = False
        return self._get(start, length, by_version=False)

    def _get(self, start: int, length: int, *, by_version: bool) -> bytes:
        span = ByteRange(start, length, self._head.size)
        try:
            return self._store.get_range(
                PinnedRequest(self._ref, span, self._head.etag, self._head.version_id, by_version=by_version)
            )[1]
        except _EmptyObject as empty:
            raise ObjectChanged(f"{self._ref} ends before {span}, which were there when it was opened") from empty


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


def _to_listed(bucket: str, item: Mapping[str, Any]) -> ListedObject:
    # RestoreStatus says nothing of what was never restored (Amazon S3 API Reference, "RestoreStatus").
    is_restored = item.get("RestoreStatus", {}).get("IsRestoreInProgress") is False
    is_readable = is_restored or item.get("StorageClass") not in _MAY_BE_ARCHIVED
    ref = ObjectRef(bucket, item["Key"])
    return ListedObject(ref, item["ETag"].strip('"'), item["Size"], item["LastModified"], is_readable)


def _to_head(answer: Mapping[str, Any], size: int) -> ObjectHead:
    version_id = answer.get("VersionId")
    return ObjectHead(
        etag=answer["ETag"].strip('"'),
        size=size,
        modified=answer["LastModified"],
        # A bucket whose versions are suspended calls each new object's version `null`, and overwrites it: that id pins
        # nothing (Amazon S3 User Guide, "Working with objects in a versioning-suspended bucket").
        version_id=None if version_id == "null" else version_id,
        metadata=answer["Metadata"],
    )
