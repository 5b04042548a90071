"""`millrace convert`: one local file, or many jobs, with the very code of the deployed function."""

from __future__ import annotations


def convert() -> None:
    """Convert."""
