"""Where `millrace convert` reads and writes: local files, and objects in S3 under the caller's own credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from millrace.cli.extras import require_extra
from millrace.engine.files import FileTarget, LocalTarget, find_local_origin, open_local_source
from millrace.errors import UsageError
from millrace.objects.references import ObjectRef

if TYPE_CHECKING:
    from millrace.aws.s3_objects import S3ObjectStore
    from millrace.aws.s3_upload import S3Upload
    from millrace.engine.file_origin import FileOrigin

_SCHEME = "s3://"
_READ_FROM_THEIR_END = (".parquet", ".orc", ".zip")
"""Formats whose footer, or list of members, is at the end."""


def is_address(path: str) -> bool:
    r"""Whether a text is an object's address; what is none is a path of this machine: ``C:\data\in.csv``, too.

    Raises: UsageError for what is neither, such as ``s3:/bucket/key`` or ``gs://bucket/key``, and would be a file's
    name by accident.
    """
    if path.startswith(_SCHEME):
        return True
    # A scheme of one letter is a drive of Windows: C://data/in.csv.
    if _LIKE_AN_ADDRESS.match(path):
        raise UsageError(f"{path!r} is neither a path nor an object's address; expected a path or s3://bucket/key")
    return False


# s3://bucket/key, and what somebody may have meant by it: S3A://…, s3:bucket/key. C:\data is a path.
_LIKE_AN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|s3[an]?:", re.IGNORECASE)


def open_source(path: str) -> BinaryIO:
    """A local file, or an object pinned to the version that is there now."""
    return SourceOpener().open(path)


class SourceOpener:
    """Opens local files and objects, and remembers which version of an object it was."""

    def __init__(self) -> None:
        self._origins: dict[str, FileOrigin] = {}

    def open(self, path: str) -> BinaryIO:
        """A local file, or an object pinned to the version that is there now."""
        if not is_address(path):
            return open_local_source(path)
        from millrace.delivery.object_origin import origin_of  # noqa: PLC0415 - it knows the configuration; most files are local

        ref = ObjectRef.parse(path)
        opened = _store().pin(ref, tail_first=path.lower().endswith(_READ_FROM_THEIR_END))
        self._origins[path] = origin_of(ref, opened.head)
        return opened.stream

    def find_origin(self, path: str) -> FileOrigin:
        """What source columns hold of a file that was opened."""
        if path in self._origins:
            return self._origins[path]
        return find_local_origin(path)


def open_target(path: str) -> FileTarget:
    """A local file, or an object; both appear whole or not at all."""
    if not is_address(path):
        return LocalTarget(path)
    return _S3Target(ObjectRef.parse(path))


class _S3Target:
    """An object that replaces what stands there when the conversion begins, and nothing newer."""

    def __init__(self, ref: ObjectRef) -> None:
        store = _store()
        head = store.head(ref)
        self._expected = head.etag if head else None
        self._upload: S3Upload = store.upload(ref, {})

    def write(self, data: bytes | memoryview, /) -> int:
        return self._upload.write(data)

    def discard(self) -> None:
        self._upload.discard()

    def publish(self) -> None:
        self._upload.publish(expected=self._expected, rows=0)


def _store() -> S3ObjectStore:
    require_extra("aws", f"a path that begins with {_SCHEME}")
    import boto3  # noqa: PLC0415 - takes a third of a second to import, and most files are local

    from millrace.aws.s3_objects import S3ObjectStore  # noqa: PLC0415 - as above

    return S3ObjectStore(boto3.client("s3"))
