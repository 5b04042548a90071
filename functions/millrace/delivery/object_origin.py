"""What source columns hold of an object that is read."""

from __future__ import annotations

from millrace.engine.file_origin import FileOrigin
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectHead

_UNVERSIONED = "null"
"""The id that S3 gives to objects which are older than their bucket's versions: all of them have it."""


def origin_of(source: ObjectRef, head: ObjectHead) -> FileOrigin:
    """The object's address, time and version: the id, or the ETag where there is no id of its own."""
    version = head.version_id
    if version in {None, _UNVERSIONED}:
        version = head.etag
    return FileOrigin(file=str(source), modified=head.modified, version=version)
