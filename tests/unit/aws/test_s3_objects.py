"""A ranged answer is used only if it holds the very bytes that were asked for."""

from __future__ import annotations

import datetime
import io
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.aws.s3_objects import S3ObjectStore
from millrace.errors import MillraceError, ObjectChanged, ServiceUnavailable, WrongAnswer
from millrace.objects.references import ObjectRef
from tests.properties import examples

CHUNK = 1000
REF = ObjectRef("acme-in", "in/big.jsonl")
OLD = random.Random(16).randbytes(2 * CHUNK + 100)
NEW = random.Random(17).randbytes(2 * CHUNK + 100)
SHORT = OLD[:CHUNK]

Answer = dict[str, Any]
Twist = Callable[["S3Server", Mapping[str, Any], Answer], Answer]
"""What a server makes of the right answer to a request."""


class RecordedBody(io.BytesIO):
    """A body that knows whether it was read."""

    was_read = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.was_read = True
        return super().read(size)


class S3Server:
    """One key of a bucket; ``twists`` spoil the answers by turns, the last one for ever."""

    def __init__(self, data: bytes, *twists: Twist, versioned: bool = True) -> None:
        self.versioned = versioned
        self.contents = {"v1": data}
        self.twists = twists or (rightly,)
        self.requests: list[Mapping[str, Any]] = []
        self.answers: list[Answer] = []

    @property
    def store(self) -> S3ObjectStore:
        return S3ObjectStore(cast("Any", self), chunk=CHUNK)

    def overwrite(self, data: bytes) -> None:
        self.contents[f"v{len(self.contents) + 1}"] = data

    def get_object(self, **request: Any) -> Answer:
        twist = self.twists[min(len(self.requests), len(self.twists) - 1)]
        self.requests.append(request)
        version = request.get("VersionId") or list(self.contents)[-1]
        if version not in self.contents:
            raise ClientError({"Error": {"Code": "NoSuchVersion", "Message": version}}, "GetObject")
        if request.get("IfMatch", self.etag(version)) != self.etag(version):
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "If-Match"}}, "GetObject")
        answer = twist(self, request, self.answer(version, *self.asked(request, len(self.contents[version]))))
        self.answers.append(answer)
        return answer

    def asked(self, request: Mapping[str, Any], size: int) -> tuple[int, int]:
        """The first byte asked for, and the one behind the last."""
        first, last = request["Range"].removeprefix("bytes=").split("-")
        return (int(first), min(int(last) + 1, size)) if first else (max(0, size - int(last)), size)

    def answer(self, version: str, start: int, end: int) -> Answer:
        data = self.contents[version]
        return {
            "ETag": self.etag(version),
            "LastModified": datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC),
            "Metadata": {},
            "ContentLength": end - start,
            "ContentRange": f"bytes {start}-{end - 1}/{len(data)}",
            "Body": RecordedBody(data[start:end]),
            "ResponseMetadata": {"HTTPStatusCode": 206},
        } | ({"VersionId": version} if self.versioned else {})

    def whole(self, version: str) -> Answer:
        answer = self.answer(version, 0, len(self.contents[version]))
        del answer["ContentRange"]
        return answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def etag(self, version: str) -> str:
        return f'"etag of {version}"'


def rightly(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right


def _span(right: Answer) -> tuple[int, int, int]:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", right["ContentRange"])
    assert found is not None
    first, last, size = map(int, found.groups())
    return first, last + 1, size


def _version(right: Answer) -> str:
    return str(right["ETag"]).strip('"').removeprefix("etag of ")


def whole_object(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return server.whole(_version(right))


def whole_object_beside_version(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return server.whole(_version(right)) if "VersionId" in request else right


def whole_object_that_names_the_range(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return server.whole(_version(right)) | {"ContentRange": right["ContentRange"]}


def whole_object_called_partial(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return server.whole(_version(right)) | {"ResponseMetadata": {"HTTPStatusCode": 206}}


def earlier_range(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, _ = _span(right)
    back = start or -1
    return server.answer(_version(right), start - back, end - back)


def shorter_range(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, _ = _span(right)
    return server.answer(_version(right), start, end - 1)


def range_that_contradicts_the_length(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, _ = _span(right)
    return right | {"ContentLength": end - start - 1, "Body": RecordedBody(right["Body"].getvalue()[1:])}


def range_shorter_than_the_length(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, size = _span(right)
    return right | {"ContentRange": f"bytes {start}-{end - 2}/{size}"}


def another_range_of_the_whole_object(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, size = _span(right)
    return server.whole(_version(right)) | {"ContentRange": f"bytes {start + 1}-{end - 1}/{size}"}


def another_status(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right | {"ResponseMetadata": {"HTTPStatusCode": 203}}


def range_of_another_size(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, size = _span(right)
    return right | {"ContentRange": f"bytes {start}-{end - 1}/{size + 1}"}


def range_of_unknown_size(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    start, end, _ = _span(right)
    return right | {"ContentRange": f"bytes {start}-{end - 1}/*"}


def no_range(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return {name: value for name, value in right.items() if name != "ContentRange"}


def no_length(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return {name: value for name, value in right.items() if name != "ContentLength"}


def no_etag(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return {name: value for name, value in right.items() if name != "ETag"}


def another_etag(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right | {"ETag": '"another"'}


def another_version(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right | {"VersionId": "another"}


def newest_version(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    """A server that ignores VersionId."""
    return server.answer(list(server.contents)[-1], *_span(right)[:2])


def no_version(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return {name: value for name, value in right.items() if name != "VersionId"}


def shorter_body(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right | {"Body": RecordedBody(right["Body"].getvalue()[:-1])}


def longer_body(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
    return right | {"Body": RecordedBody(right["Body"].getvalue() + b"x")}


WRONG_HEADERS = [
    whole_object,
    whole_object_that_names_the_range,
    whole_object_called_partial,
    earlier_range,
    shorter_range,
    range_that_contradicts_the_length,
    range_shorter_than_the_length,
    another_range_of_the_whole_object,
    another_status,
    range_of_unknown_size,
    no_range,
    no_length,
    no_etag,
]
WRONG_LATER = [*WRONG_HEADERS, range_of_another_size, another_etag]
WRONG_VERSIONS = [another_version, newest_version, no_version, whole_object_beside_version]
WRONG_BODIES = [shorter_body, longer_body]
TAIL_FIRST = pytest.mark.parametrize("tail_first", [False, True])


def read(server: S3Server, *, tail_first: bool = False) -> bytes:
    with server.store.open(REF, tail_first=tail_first) as opened:
        assert opened.head.size == len(server.contents["v1"])
        return opened.stream.read()


@TAIL_FIRST
@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("data", [OLD, SHORT, b"x"])
def test_right_answers_are_read_as_they_are(data: bytes, versioned: bool, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    assert read(S3Server(data, versioned=versioned), tail_first=tail_first) == data


def test_a_server_that_ignores_ranges_of_versions_is_asked_for_the_etag_and_read_right() -> None:
    server = S3Server(OLD, whole_object_beside_version)

    assert read(server) == OLD

    refused = [answer for answer in server.answers if "ContentRange" not in answer]
    assert 1 <= len(refused) <= 2, "found out once, or once more in the thread that reads ahead"
    assert not any(answer["Body"].was_read for answer in refused)
    assert all(answer["Body"].closed for answer in refused)
    assert server.requests[-1]["IfMatch"] == '"etag of v1"'


def test_a_server_that_ignores_ranges_of_versions_is_not_asked_for_them_again_and_again() -> None:
    data = random.Random(18).randbytes(20 * CHUNK)
    server = S3Server(data, whole_object_beside_version)

    assert read(server) == data

    assert sum("VersionId" in request for request in server.requests) <= 3


def test_a_bucket_without_versions_is_asked_for_the_etag() -> None:
    """S3 answers the version `null` for what was written while versioning was off; the next write replaces it."""

    def null_version(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
        return right | {"VersionId": "null"}

    server = S3Server(OLD, null_version)

    assert read(server) == OLD
    assert not any("VersionId" in request for request in server.requests)


@TAIL_FIRST
@pytest.mark.parametrize("twist", [*WRONG_LATER, another_version, no_version])
def test_a_wrong_range_of_a_version_is_asked_for_by_its_etag(twist: Twist, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    server = S3Server(OLD, rightly, twist, rightly)
    with server.store.open(REF, tail_first=tail_first) as opened:
        opened.stream.seek(CHUNK + 5 if not tail_first else 5)
        assert opened.stream.read(100) == OLD[opened.stream.tell() - 100 : opened.stream.tell()]
    assert "IfMatch" in server.requests[-1]


def test_the_same_bytes_under_another_version_are_the_same() -> None:
    """Somebody uploaded them again: the ETag is the same, the version is another."""
    server = S3Server(OLD, rightly, whole_object, another_version)
    with server.store.open(REF) as opened:
        opened.stream.seek(CHUNK + 5)
        assert opened.stream.read(100) == OLD[CHUNK + 5 : CHUNK + 105]


@TAIL_FIRST
@pytest.mark.parametrize("twist", [range_shorter_than_the_length, another_range_of_the_whole_object, another_status])
def test_an_object_of_one_range_is_checked_too(twist: Twist, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    with pytest.raises(WrongAnswer):
        read(S3Server(SHORT, twist), tail_first=tail_first)


@TAIL_FIRST
@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("twist", WRONG_LATER)
def test_a_wrong_range_that_stays_wrong_is_refused(twist: Twist, versioned: bool, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    server = S3Server(OLD, rightly, twist, versioned=versioned)

    with server.store.open(REF, tail_first=tail_first) as opened:
        opened.stream.seek(5 if tail_first else CHUNK + 5)
        with pytest.raises((WrongAnswer, ObjectChanged), match="acme-in/in/big"):
            opened.stream.read(100)


@TAIL_FIRST
@pytest.mark.parametrize("twist", WRONG_HEADERS)
def test_a_wrong_first_answer_is_refused_unread(twist: Twist, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    server = S3Server(OLD, twist)

    with pytest.raises(WrongAnswer, match="nothing of it was used"):
        read(server, tail_first=tail_first)

    assert not server.answers[0]["Body"].was_read


@TAIL_FIRST
@pytest.mark.parametrize("data", [SHORT, b"x", b""])
def test_the_whole_object_is_right_if_that_is_what_was_asked_for(data: bytes, tail_first: bool) -> None:  # noqa: FBT001 - a parameter
    assert read(S3Server(data, whole_object), tail_first=tail_first) == data


@pytest.mark.parametrize("twist", WRONG_BODIES)
@pytest.mark.parametrize("at_first", [True, False])
def test_a_body_of_another_length_is_asked_for_again(twist: Twist, at_first: bool) -> None:  # noqa: FBT001 - a parameter
    twists = [twist, rightly] if at_first else [rightly, twist, rightly]
    assert read(S3Server(OLD, *twists)) == OLD

    twists = [twist] if at_first else [rightly, twist]
    with pytest.raises(ServiceUnavailable, match=r"bytes came, \d+ were announced"):
        read(S3Server(OLD, *twists))


def test_a_version_is_read_on_after_it_was_overwritten() -> None:
    server = S3Server(OLD)
    with server.store.open(REF) as opened:
        server.overwrite(NEW)
        assert opened.stream.read() == OLD


@pytest.mark.parametrize("twist", [whole_object_beside_version, newest_version])
def test_an_overwritten_object_whose_version_is_not_answered_has_changed(twist: Twist) -> None:
    server = S3Server(OLD, twist)
    with server.store.open(REF) as opened:
        server.overwrite(NEW)
        with pytest.raises(ObjectChanged):
            opened.stream.read()


def test_an_object_that_became_shorter_has_changed() -> None:
    def beyond(server: S3Server, request: Mapping[str, Any], right: Answer) -> Answer:
        raise ClientError({"Error": {"Code": "InvalidRange", "Message": "416"}}, "GetObject")

    with pytest.raises(ObjectChanged, match="ends before"):
        read(S3Server(OLD, rightly, beyond, versioned=False))


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.sampled_from([rightly, *WRONG_LATER, *WRONG_VERSIONS, *WRONG_BODIES]), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_whatever_a_server_answers_the_bytes_are_right_or_refused(
    twists: list[Twist],
    versioned: bool,  # noqa: FBT001 - a given value
    tail_first: bool,  # noqa: FBT001 - a given value
) -> None:
    server = S3Server(OLD, *twists, rightly, versioned=versioned)
    try:
        with server.store.open(REF, tail_first=tail_first) as opened:
            content = opened.stream.read()
    except MillraceError:
        return
    assert content == OLD
