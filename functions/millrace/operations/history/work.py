"""A row of the history: what one finished work took and gave."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from millrace.deployment.prices import LIST_PRICES, REQUESTS_PER_OBJECT, Prices, price_calls, price_compute
from millrace.ledger.entries import Entry, State
from millrace.objects.references import ObjectRef

FINISHED = frozenset(State) - {State.IN_FLIGHT, State.WAITING}
"""States in which nothing is left to be waited for; what failed for a while is tried again, and then is another row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """What a function's second costs: its memory in MB, None if nobody knows it."""

    memory_mb: int | None
    is_arm: bool = True
    prices: Prices = LIST_PRICES


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedWork:
    """One row; times are UTC, ``seconds`` is from the work's beginning to its end.

    ``gigabyte_seconds`` is None if it is not known: of a big run, whose parts many functions did side by side. A file
    that is part of a model's table has no seconds of its own, since its table's row has them.
    """

    sync: str
    object: str
    state: str
    started: datetime | None
    finished: datetime
    seconds: float
    rows_read: int
    rows_written: int
    rows_quarantined: int
    rows_filtered: int
    bytes_read: int | None
    bytes_written: int
    outputs: int
    gigabyte_seconds: float | None
    requests: int
    dollars: float
    attempts: int
    error: str | None
    message: str | None
    run_id: str | None
    big_run: str | None
    etag: str | None
    version_id: str | None
    schema_version: int | None
    engine: str
    fingerprint: str
    fence: int

    @classmethod
    def of(cls, entry: Entry, billing: Billing) -> FinishedWork:
        """The row of an entry whose work has ended; ``finished`` must be known."""
        assert entry.finished is not None  # noqa: S101 - for the type checker: the caller has looked
        seconds = _find_seconds(entry)
        gigabyte_seconds = _find_gigabyte_seconds(entry, seconds, billing)
        requests = 0 if _is_part_of_build(entry) else REQUESTS_PER_OBJECT
        failure = entry.failure
        return cls(
            sync=entry.sync,
            object=str(entry.source),
            state=str(entry.state),
            started=_to_utc(entry.started),
            finished=entry.finished.astimezone(UTC),
            seconds=seconds,
            rows_read=entry.rows.read,
            rows_written=entry.rows.written,
            rows_quarantined=entry.rows.quarantined,
            rows_filtered=entry.rows.filtered,
            bytes_read=entry.version.size,
            bytes_written=sum(output.size for output in entry.outputs),
            outputs=len(entry.outputs),
            gigabyte_seconds=gigabyte_seconds,
            requests=requests,
            dollars=_price(gigabyte_seconds, requests, billing),
            attempts=entry.attempts,
            error=failure.error if failure else None,
            message=failure.message if failure else None,
            run_id=entry.run_id,
            big_run=entry.big_run.name if entry.big_run else None,
            etag=entry.version.etag,
            version_id=entry.version.version_id,
            schema_version=entry.schema_version,
            engine=entry.engine,
            fingerprint=entry.fingerprint,
            fence=entry.fence,
        )

    @property
    def day(self) -> str:
        """The UTC day on which it ended: ``2026-11-28``."""
        return f"{self.finished:%Y-%m-%d}"

    @property
    def ref(self) -> ObjectRef:
        """The source object."""
        return ObjectRef.parse(self.object)

    @property
    def identity(self) -> tuple[str, str]:
        """What has one row a day."""
        return self.sync, self.object

    def to_row(self) -> dict[str, Any]:
        """The values by the names of ``HISTORY_COLUMNS``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _to_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _is_part_of_build(entry: Entry) -> bool:
    """Whether it is a file of a model's table: the build's own entry has the outputs."""
    return entry.build.built_etag is not None and not entry.outputs


def _find_seconds(entry: Entry) -> float:
    if _is_part_of_build(entry):
        return 0.0
    return max(0.0, (entry.milliseconds or 0) / 1000)


def _find_gigabyte_seconds(entry: Entry, seconds: float, billing: Billing) -> float | None:
    if entry.big_run is not None or billing.memory_mb is None:
        return None
    return seconds * billing.memory_mb / 1024


def _price(gigabyte_seconds: float | None, requests: int, billing: Billing) -> float:
    compute = price_compute(gigabyte_seconds or 0.0, billing.prices, is_arm=billing.is_arm)
    return compute + (price_calls(billing.prices) if requests else 0.0)
