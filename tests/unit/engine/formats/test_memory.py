"""Which allocator holds the rows: the one that gives back most, unless somebody chose another."""

from __future__ import annotations

import gc
import subprocess
import sys

import pyarrow as pa
import pytest

from millrace.engine.formats.memory import pass_by_imports, use_lean_pool


@pytest.mark.parametrize(
    ("environment", "backends"),
    [({"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"}, ("mimalloc", "jemalloc", "system")), ({}, ("mimalloc", "jemalloc"))],
    ids=["chosen", "not built in"],
)
def test_another_pool_stays(environment: dict[str, str], backends: tuple[str, ...]) -> None:
    before = pa.default_memory_pool().backend_name
    assert not use_lean_pool(environment, backends)
    assert pa.default_memory_pool().backend_name == before


def test_the_lean_pool_is_used() -> None:
    assert use_lean_pool({})
    assert pa.default_memory_pool().backend_name == "system"


def test_searches_for_cycles_pass_by_what_was_imported() -> None:
    before = gc.get_freeze_count()
    try:
        pass_by_imports()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


@pytest.mark.slow
def test_an_import_of_the_engine_leaves_the_pool_as_it_was() -> None:
    code = (
        "import pyarrow as pa; before = pa.default_memory_pool().backend_name;"
        "import millrace.engine.files; assert pa.default_memory_pool().backend_name == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - the code is above
