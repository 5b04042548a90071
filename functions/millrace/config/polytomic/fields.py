"""The fields of one object of an answer: each is taken, or named among the remarks; none is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from millrace.config.base import is_blank
from millrace.config.polytomic.remarks import RemarkKind, Remarks
from millrace.mappings import leave_out_none

BOOKKEEPING = frozenset(
    {
        "id", "organization_id", "organization", "policies", "created_at", "created_by", "updated_at", "updated_by",
        "deleted_at", "deleted_by", "version", "labels", "saved", "status", "status_error", "api_calls_last_24_hours",
        "parent_connection_id", "auth_url", "output_name",
    }
)  # fmt: skip
"""Who made what when, and what the API works out by itself."""


class VendorFields:
    """Fields of an answer's object that are taken one by one.

    ``item`` names the whole object in remarks, ``path`` is the place inside of it (``schemas[].fields[]``).
    ``blockers`` are reasons why the whole object cannot be had here; objects inside of it share them.
    """

    def __init__(self, fields: Mapping[str, Any], item: str, remarks: Remarks, path: str = "") -> None:
        self._fields = dict(fields)
        self._path = path
        self.item = item
        self.remarks = remarks
        self.blockers: list[str] = []

    def take(self, name: str) -> Any:
        """A field's value, None if it is blank; it is not left any more."""
        value = self._fields.pop(name, None)
        return None if is_blank(value) else value

    def take_known(self, names: Mapping[str, Any] | frozenset[str]) -> dict[str, Any]:
        """All fields with these names that are given."""
        taken = {name: self.take(name) for name in list(self._fields) if name in names}
        return leave_out_none(taken)

    def take_object(self, name: str) -> Self:
        """The object in a field; without any field if it is blank. What is no object blocks the whole."""
        return self._below(self.take(name), name)

    def take_objects(self, name: str, *, shorthand: str = "") -> Iterator[Self]:
        """The objects of the list in a field; text is an object with the field ``shorthand`` alone."""
        value = self.take(name)
        if value is not None and not isinstance(value, list):
            self.block(f"{name} is not a list")
            value = None
        for part in value or ():
            is_short = shorthand and isinstance(part, str)
            yield self._below({shorthand: part} if is_short else part, f"{name}[]")

    def _below(self, value: object, name: str) -> Self:
        path = self._place(name)
        if not isinstance(value, Mapping) and value is not None:
            self.block(f"{path} is not an object")
            value = None
        inner = type(self)(value or {}, self.item, self.remarks, path)
        inner.blockers = self.blockers
        return inner

    def leave_out(self, name: str, reason: str) -> None:
        """Take a field that has no place here; if it says anything, the reason is a remark."""
        if self.take(name) not in _IDLE:
            self.remarks.add(RemarkKind.LEFT_OUT, self.item, reason, field=self._place(name))

    def ask_for(self, name: str, text: str) -> None:
        """Remark that a person must decide about a field."""
        self.remarks.add(RemarkKind.TO_DO, self.item, text, field=self._place(name))

    def block(self, reason: str) -> None:
        """Say why the whole object cannot be had here."""
        if reason not in self.blockers:
            self.blockers.append(reason)

    def leave_out_rest(self, reasons: Mapping[str, str]) -> None:
        """Name every field that is left, with its reason if there is one. Values are not shown: they may be secrets."""
        for name, value in list(self._fields.items()):
            if name in reasons:
                self.leave_out(name, reasons[name])
            elif name in BOOKKEEPING:
                self.remarks.note_bookkeeping(name)
            elif value not in _EMPTY:
                self.remarks.add(RemarkKind.LEFT_OUT, self.item, "Millrace has no such field", field=self._place(name))

    def _place(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


_EMPTY: tuple[object, ...] = (None, "", [], {})
_IDLE = (*_EMPTY, False)
"""Values of a known field that say: nothing of the kind."""
