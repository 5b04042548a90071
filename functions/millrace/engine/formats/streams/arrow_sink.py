"""What Arrow asks of a file that it only writes to."""

from __future__ import annotations

from millrace.engine.formats.base import ByteSink


class ArrowSink:
    """All but ``write``: closing and flushing are for whoever owns the bytes."""

    closed = False

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """What stands behind stays open."""

    def writable(self) -> bool:
        """It is written to."""
        return True

    def readable(self) -> bool:
        """It is not read from."""
        return False

    def seekable(self) -> bool:
        """It is written from its beginning to its end."""
        return False


class PassingSink(ArrowSink):
    """A sink as Arrow wants it: what Arrow writes is handed on."""

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        """Hand on the next bytes."""
        return self._sink.write(data)
