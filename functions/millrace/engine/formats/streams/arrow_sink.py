"""What Arrow asks of a file that it only writes to."""

from __future__ import annotations


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
