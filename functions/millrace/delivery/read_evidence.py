"""Whether a denied object is one that nobody may read here, or the first of all: others of its connection are tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from millrace.errors import AccessDenied, MillraceError, ObjectDenied, ServiceUnavailable
from millrace.objects.references import ObjectRef
from millrace.objects.store import ObjectStore

_TRIES = 3
_NEIGHBOURS = 5
"""Objects beside the denied one that are tried."""


class ReadEvidence:
    """Remembers for each connection what was read last, in this process alone: nothing is written on good days."""

    def __init__(self) -> None:
        self._last_read: dict[str, ObjectRef] = {}

    def remember(self, connection: str, source: ObjectRef) -> None:
        """Take note of an object that could be read."""
        self._last_read[connection] = source

    def judge(
        self, denied: AccessDenied, source: ObjectRef, connection: str, store: ObjectStore, *, attempts: int
    ) -> MillraceError:
        """The error to settle with: the object's own if another can be read now, else the grant's, as it was.

        ``attempts`` counts this one. A new grant takes effect here sooner than there (IAM User Guide, "Changes that I
        make are not always immediately visible"), so an object is denied only after it was denied three times.
        """
        readable = self._find_readable(source, connection, store)
        if readable is None:
            return denied
        if attempts < _TRIES:
            return ServiceUnavailable(f"{denied}. Since {readable} can be read, it is tried again")
        return ObjectDenied(
            f"{denied}. Other objects of connection {connection!r} can be read, such as {readable}: so it is the "
            "owner, the access control list or the KMS key of this one. Grant it or write it again, then reprocess it"
        )

    def _find_readable(self, source: ObjectRef, connection: str, store: ObjectStore) -> ObjectRef | None:
        for neighbour in self._list_others(source, connection, store):
            if _can_read(neighbour, store):
                return neighbour
        return None

    def _list_others(self, source: ObjectRef, connection: str, store: ObjectStore) -> Iterator[ObjectRef]:
        """What was read last, then neighbours in the same folder; none if listing is denied, too."""
        last_read = self._last_read.get(connection)
        if last_read is not None and last_read != source:
            yield last_read
        folder = source.key.rpartition("/")[0]
        try:
            # One more than is looked at, since the source itself may be among them.
            listed = store.list(source.bucket, f"{folder}/" if folder else "")
            yield from (item.ref for item in islice(listed, _NEIGHBOURS + 1) if item.ref != source)
        except MillraceError:
            return


def _can_read(ref: ObjectRef, store: ObjectStore) -> bool:
    try:
        with store.open(ref):
            return True
    except MillraceError:
        return False
