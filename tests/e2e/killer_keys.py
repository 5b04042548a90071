"""What marks an object that ends the process that opens it; shared by the test and its function."""

from __future__ import annotations

KILLER_ENDING = ".killer"
