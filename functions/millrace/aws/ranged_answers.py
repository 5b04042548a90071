"""What S3 answered to a ranged GET, checked before a byte of it is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from millrace.errors import ObjectChanged, WrongAnswer
from millrace.objects.references import ObjectRef

_OK = 200
_PARTIAL_CONTENT = 206
# `bytes 0-99/1234`: first byte, last byte, size of the whole object (RFC 9110, 14.4).
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes from ``start`` on, of an object of ``size`` bytes."""

    start: int
    length: int
    size: int

    def __str__(self) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1} of {self.size}"


class RangedRequest(Protocol):
    """A ranged GET that knows a right answer."""

    @property
    def ref(self) -> ObjectRef:
        """What is read."""
        ...

    @property
    def header(self) -> str:
        """The Range header."""
        ...

    @property
    def condition(self) -> Mapping[str, Any]:
        """What else is sent: the version, or the ETag."""
        ...

    def check(self, answer: Mapping[str, Any]) -> None:
        """Raise what the answer's headers are worth, if they are not those of what was asked for."""
        ...


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """The first or last ``length`` bytes of whatever stands there; fewer only if the whole object is shorter."""

    ref: ObjectRef
    length: int
    tail: bool

    @property
    def header(self) -> str:
        """`bytes=0-99` for the first hundred bytes, `bytes=-100` for the last."""
        return f"bytes=-{self.length}" if self.tail else f"bytes=0-{self.length - 1}"

    @property
    def condition(self) -> Mapping[str, Any]:
        """None: nothing is known of the object yet."""
        return {}

    def check(self, answer: Mapping[str, Any]) -> None:
        """Raises WrongAnswer."""
        span = span_of(answer)
        # Without an ETag nothing would pin the ranges that follow to this object.
        if span is None or not answer.get("ETag"):
            raise _refused(self.ref, self.header, answer)
        # S3 shortens a range that is longer than the object: `bytes=-100` of 70 bytes is answered by `bytes 0-69/70`.
        length = min(self.length, span.size)
        start = span.size - length if self.tail else 0
        if span != ByteRange(start, length, span.size):
            raise _refused(self.ref, self.header, answer)


@dataclass(frozen=True, slots=True)
class PinnedRequest:
    """A range of the version that was opened; named by its id if ``by_version``, else by its ETag alone."""

    ref: ObjectRef
    span: ByteRange
    etag: str
    version_id: str | None
    by_version: bool

    @property
    def header(self) -> str:
        """`bytes=100-199` for the second hundred bytes."""
        return f"bytes={self.span.start}-{self.span.start + self.span.length - 1}"

    @property
    def condition(self) -> Mapping[str, Any]:
        """What makes S3 give the same bytes as at first, or nothing."""
        if self.by_version:
            return {"VersionId": self.version_id}
        # Listings and our own values have no quotes, but an entity tag is sent with them (RFC 9110, 8.8.3).
        return {"IfMatch": f'"{self.etag}"'}

    def check(self, answer: Mapping[str, Any]) -> None:
        """The ETag decides whether the bytes are the same; a version asked for must be the one that came.

        Raises:
            ObjectChanged: another object was answered
            WrongAnswer: another range, or another version
        """
        if _etag_of(answer) != self.etag:
            raise ObjectChanged(
                f"s3:GetObject on {self.ref} ({self.header}) answered the ETag {_etag_of(answer) or 'of nothing'}, "
                f"but {self.etag} was opened; it is read from the start again"
            )
        is_other_version = self.by_version and answer.get("VersionId") != self.version_id
        if is_other_version or span_of(answer) != self.span:
            raise _refused(self.ref, self.header, answer)


def span_of(answer: Mapping[str, Any]) -> ByteRange | None:
    """The bytes that an answer says it holds; None if its status, range and length contradict each other.

    200 without a range is the whole object: `ContentLength` 70 is bytes 0 to 69 of 70.
    """
    status, content_range = answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("ContentRange")
    length: int | None = answer.get("ContentLength")
    if length is None:
        return None
    # A server may ignore Range and send everything with 200 (RFC 9110, 14.2); for a small object that is what was asked
    # for, too.
    if status == _OK and content_range is None:
        return ByteRange(0, length, length)
    numbers = _CONTENT_RANGE.fullmatch(content_range or "")
    if status != _PARTIAL_CONTENT or numbers is None:
        return None
    first, last, size = map(int, numbers.groups())
    return ByteRange(first, length, size) if length == last - first + 1 else None


def _etag_of(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ETag") or "").strip('"')


def _refused(ref: ObjectRef, header: str, answer: Mapping[str, Any]) -> WrongAnswer:
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return WrongAnswer(
        f"s3:GetObject on {ref} was asked for {header} and answered {status} with ContentRange "
        f"{answer.get('ContentRange')}, ContentLength {answer.get('ContentLength')}, ETag {answer.get('ETag')}, "
        f"version {answer.get('VersionId')}; nothing of it was used. A server that does not know ranges cannot be read"
    )
