"""AWS's service models, read once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Keep the JSON files of botocore in memory.

    moto gives each test a session of its own, and each session reads the models of its services again: a third of
    these suites' time.
    """
    read = JSONFileLoader.load_file
    loader = JSONFileLoader()

    @cache
    def load(path: str) -> Any:
        return read(loader, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, path: load(path))
        yield
