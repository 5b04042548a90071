"""The kernel's functions under Clang's sanitizers, for a bounded time: what `make fuzz-native` does for longer."""

from __future__ import annotations

import pytest

from tests.fuzz.native.run import build_target, compile_kernel, find_clang, list_targets

SECONDS = 60
"""For all targets together."""


def test_fuzzing_finds_nothing() -> None:
    clang = find_clang()
    if clang is None:
        pytest.skip("no clang with libFuzzer (Debian: clang libclang-rt-14-dev)")
    objects, names = compile_kernel(clang), list_targets()

    for name in names:
        target = build_target(clang, name, objects)
        trouble = target.replay() or target.fuzz(SECONDS / len(names))
        assert trouble is None, f"{name}: {trouble}"
