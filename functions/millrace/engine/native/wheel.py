"""How setuptools puts the kernel into a wheel: `pip wheel .` makes one for this platform, or a pure one without C.

Named in pyproject.toml under `[tool.setuptools.cmdclass]`. setuptools loads this file before Millrace is installed.

The variable MILLRACE_KERNEL chooses another: a target of `build.py`, such as aarch64-linux-gnu, or `none` for a pure
wheel. `make dist` makes the wheels that are published so, each by Zig against the oldest C library.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

_ROOT = Path(__file__).parents[3]
if str(_ROOT) not in sys.path:
    sys.path.insert(0, str(_ROOT))

from millrace.engine.native.build import TARGETS, KernelNotBuilt, build_kernel  # noqa: E402 - found by the line above
from millrace.engine.native.library import BUILT, library_path  # noqa: E402 - as above

PURE = "none"
"""What MILLRACE_KERNEL says for a wheel without a kernel, for any platform."""
_OLDEST_MANYLINUX = (2, 17)
_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")


class BuildWithKernel(build_py):
    """Copies the package, and builds the kernel into the copy; without a compiler it says so and goes on."""

    def run(self) -> None:
        """Build; a folder that is installed in place (`--editable`) gets its kernel by `make install`."""
        super().run()
        if self.editable_mode:
            return
        _load_shipping()(Path(self.build_lib))
        wanted = read_wanted(os.environ)
        if wanted == PURE:
            return
        try:
            build_kernel(wanted, find_library(Path(self.build_lib), wanted))
        except KernelNotBuilt as error:
            if wanted is not None:
                raise
            self.announce(f"The wheel is pure: the native kernel was not built. {error}", level=logging.WARNING)


def _load_shipping() -> Callable[[Path], list[Path]]:
    """The function that puts the stacks into the wheel: it lies with them, outside of the source root."""
    spec = importlib.util.spec_from_file_location("shipping", _ROOT.parent / "infra" / "wheel.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{_ROOT.parent / 'infra' / 'wheel.py'} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ship: Callable[[Path], list[Path]] = module.ship_project
    return ship


class PlatformWheel(bdist_wheel):
    """Names the wheel after the platform that its kernel needs; `py3-none-any` without one."""

    def run(self) -> None:
        """Build first: whether there is a kernel decides the wheel's name."""
        self.run_command("build")
        super().run()  # type: ignore[no-untyped-call] # setuptools left this one without annotations

    def get_tag(self) -> tuple[str, str, str]:
        """The kernel is called by ctypes, so any Python 3 will do, on this platform."""
        target = read_wanted(os.environ)
        library = find_library(Path(self.get_finalized_command("build").build_lib), target)
        if not library.is_file():
            return ("py3", "none", "any")
        return ("py3", "none", choose_platform(library, name_platform(target) if target else None))


def read_wanted(environment: Mapping[str, str]) -> str | None:
    """A target of `build.py`, or PURE; None: this machine, if it has a compiler.

    Raises: KernelNotBuilt for anything else.
    """
    wanted = environment.get("MILLRACE_KERNEL") or None
    if wanted not in {None, PURE, *TARGETS}:
        raise KernelNotBuilt(f"MILLRACE_KERNEL is {wanted!r}; expected {', '.join(TARGETS)}, or {PURE}.")
    return wanted


def find_library(build_lib: Path, target: str | None) -> Path:
    """Where the kernel lies in the folder that becomes the wheel, whether it is there or not."""
    machine = target.partition("-")[0] if target in TARGETS else None
    return library_path(machine, build_lib / BUILT.relative_to(_ROOT))


def name_platform(target: str) -> str:
    """The platform of a target as `sysconfig` names it: ``linux-aarch64`` for ``aarch64-linux-gnu``."""
    machine, system, _ = target.split("-")
    return f"{system}-{machine}"


def choose_platform(library: Path, platform: str | None = None) -> str:
    """The platform's tag for a wheel with a library: on Linux the oldest glibc that has all it asks for (PEP 600).

    The versions stand in the file by name, such as GLIBC_2.14; without any it was built for another C library.
    """
    platform = (platform or sysconfig.get_platform()).replace("-", "_").replace(".", "_")
    versions = [tuple(map(int, version)) for version in _GLIBC.findall(library.read_bytes())]
    if not platform.startswith("linux_") or not versions:
        return platform
    major, minor = max(_OLDEST_MANYLINUX, *versions)
    return f"manylinux_{major}_{minor}_{platform.removeprefix('linux_')}"
