"""The deployed convert function with its waits cut short: they are minutes, and a test has not so many.

Nothing else is different. Emulator, functions and test are on one clock, so that leases need no margin for clocks that
differ.
"""

from __future__ import annotations

from datetime import timedelta

from convert.handler import handle
from millrace.delivery import worker
from millrace.ledger import claims

claims.LEASE_MARGIN = timedelta(seconds=2)
worker._FIRST_BACKOFF_SECONDS = 2

__all__ = ["handle"]
