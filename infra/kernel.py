"""The native kernel for the function: built by Zig for Lambda's processors, whatever this machine's is.

It is part of the code, not of a layer: a library and the Python that calls it are deployed at the same moment.
The x86-64 twin is for the local emulator, which runs the function on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from millrace.deployment.project import find_project
from millrace.deployment.settings import FUNCTIONS_ROOT
from millrace.engine.native.build import TARGETS, build_kernel
from millrace.engine.native.library import BUILT

CACHE = find_project().build / "kernel"


def build_kernels(cache: Path = CACHE) -> Mapping[str, bytes]:
    """Each library by its path in the code; built anew if the sources changed.

    The same sources and the same Zig give the same bytes on any machine, so that no deployment changes for nothing.
    Raises: KernelNotBuilt, without Zig.
    """
    kernels = {}
    for target in TARGETS:
        built = build_kernel(target, cache / f"libmillrace-{target.partition('-')[0]}.so")
        kernels[(BUILT / built.name).relative_to(FUNCTIONS_ROOT).as_posix()] = built.read_bytes()
    return kernels
