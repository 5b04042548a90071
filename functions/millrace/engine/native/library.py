"""The kernel's library: where its file is, whether it may be used, and its functions; loaded when first asked for."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ctypes

ABI = 1
"""What `kernel.h` calls MILLRACE_ABI: a library with another number speaks of other structures."""
FOLDER = Path(__file__).parent
SOURCES = FOLDER / "source"
BUILT = FOLDER / "built"
"""A folder of its own, since Python takes a library that lies among modules for one of them."""
SANITIZED = BUILT / "sanitized"
"""Where the library is that checks addresses and undefined behaviour."""
SWITCH = "MILLRACE_NATIVE"
"""The environment variable that turns the kernel off: `MILLRACE_NATIVE=0`; `sanitized` means the one in SANITIZED."""
_MARK = b"millrace kernel of sources "
_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What other systems call the processors that Linux calls so."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A loaded library. Its functions run without Python's lock."""

    library: ctypes.CDLL

    def bind(self, name: str, result: Any, *arguments: Any) -> Any:
        """The function ``name`` with the ctypes of its result and arguments, for its part to keep."""
        function = getattr(self.library, name)
        function.restype = result
        function.argtypes = arguments
        return function


@dataclass(frozen=True, slots=True)
class Missing:
    """No kernel, and why: for the log and for `millrace --version`."""

    reason: str


def find_kernel() -> Kernel | None:
    """The kernel, or None when there is none or MILLRACE_NATIVE=0 turns it off; then the Python code does all."""
    found = look_for_kernel()
    return found if isinstance(found, Kernel) else None


def look_for_kernel() -> Kernel | Missing:
    """The kernel, or why there is none."""
    match os.environ.get(SWITCH):
        case "0":
            return Missing(f"{SWITCH}=0 turns it off")
        case "sanitized":
            return _load_own(SANITIZED)
        case _:
            return _load_own(BUILT)


def mark_version(version: str) -> str:
    """A version of Millrace as the ledger has it: `0.1.0+native` if the kernel is used here, else `0.1.0`."""
    return f"{version}+native" if find_kernel() else version


@functools.cache
def _load_own(folder: Path) -> Kernel | Missing:
    return load_kernel(library_path(folder=folder))


def load_kernel(path: Path) -> Kernel | Missing:
    """The library of a file, which must come from the sources here, if these are here (they are not deployed)."""
    if not path.is_file():
        return Missing(f"{path.name} was not built; `make install` builds it")
    if SOURCES.is_dir() and read_fingerprint(path) != compute_fingerprint():
        return Missing(f"{path.name} was built from other sources; `make install` builds it")
    import ctypes  # noqa: PLC0415 - most imports of the engine never need it

    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:  # another C library, such as Alpine's, or another processor
        return Missing(f"{path.name} cannot be loaded here: {error}")
    abi = library.millrace_abi()
    if abi != ABI:
        return Missing(f"{path.name} has the interface number {abi}, expected {ABI}")
    return Kernel(library)


def library_path(machine: str | None = None, folder: Path = BUILT) -> Path:
    """Where the library for a processor is, by default this machine's: ``libmillrace-aarch64.so``."""
    name = (machine or platform.machine()).lower()
    return folder / f"libmillrace-{_NAMES.get(name, name)}.so"


def compute_fingerprint() -> str:
    """What says whether a library comes from these sources: a digest of their names and bytes, and of how to build."""
    digest = hashlib.sha256()
    for path in (FOLDER / "build.py", *list_sources()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def list_sources(kinds: str = "ch") -> Iterator[Path]:
    """The C files, and the headers too unless ``kinds`` is "c", in order."""
    return iter(sorted(path for path in SOURCES.iterdir() if path.suffix[1:] in kinds and path.suffix))


def read_fingerprint(path: Path) -> str | None:
    """The fingerprint in a library's file, of any processor; None if there is none."""
    _, mark, rest = path.read_bytes().partition(_MARK)
    return rest[:16].decode("ascii", "replace") if mark else None
