"""Build the kernel's library with the machine's C compiler, else with the one of the `ziglang` wheel.

    python -m millrace.engine.native.build                                     for this machine, into the package
    python -m millrace.engine.native.build --target aarch64-linux-gnu --output FILE      for another, by Zig

A library says from which sources it came; one that is up to date is not built again.
It is written aside and renamed, so that processes that build at once, or load while another builds, never meet half.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess  # the compiler is a program
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from millrace.engine.native.library import (
    BUILT,
    SANITIZED,
    compute_fingerprint,
    library_path,
    list_sources,
    read_fingerprint,
)
from millrace.errors import MillraceError

TARGETS = ("aarch64-linux-gnu", "x86_64-linux-gnu")
OLDEST_GLIBC = "2.17"
"""The C library of 2012: what manylinux2014 wheels and every Python of Lambda can rely on."""
FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
STRICT = ("-Werror", "-Wconversion", "-Wshadow", "-Wvla", "-Wstrict-prototypes")
"""For the tests: another compiler's new warning must not stop an installation."""
SANITIZE = ("-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_RELEASE = ("-s",)
"""No symbols: a third of the size, and the same bytes wherever it is built."""


class KernelNotBuilt(MillraceError):
    """No compiler is here, or it refused the sources."""


def build_kernel(
    target: str | None = None, output: Path | None = None, *, strict: bool = False, sanitize: bool = False
) -> Path:
    """The library, built unless it is there and up to date.

    ``target`` is one of TARGETS, by default this machine; ``output`` is by default where `library.py` looks, which has
    a place of its own for a sanitized one.
    Raises: KernelNotBuilt, with what is missing or with the compiler's words.
    """
    path = output or choose_output(target, sanitize=sanitize)
    if not strict and not sanitize and _is_up_to_date(path):
        return path
    extra = list(SANITIZE if sanitize else _RELEASE)
    if strict:
        extra += STRICT
    compile_sources(choose_compiler(target), path, extra)
    return path


def choose_output(target: str | None = None, *, sanitize: bool = False) -> Path:
    """Where a library for a target is built if nobody says where."""
    machine = target.partition("-")[0] if target else None
    return library_path(machine, SANITIZED if sanitize else BUILT)


def _is_up_to_date(path: Path) -> bool:
    return path.is_file() and read_fingerprint(path) == compute_fingerprint()


def choose_compiler(target: str | None = None) -> list[str]:
    """The command of a C compiler: for this machine CC or cc, else Zig's; for a target always Zig's.

    Raises: KernelNotBuilt if none is here.
    """
    if target is None and (own := _find_own_compiler()):
        return own
    if importlib.util.find_spec("ziglang") is None:
        raise KernelNotBuilt(
            "No compiler was found: expected the Python package ziglang (`pip install ziglang`), "
            "or for this machine cc or what CC names."
        )
    zig = [sys.executable, "-m", "ziglang", "cc"]
    if target is None and sys.platform == "linux":
        target = f"{platform.machine()}-linux-gnu"
    return [*zig, "-target", f"{target}.{OLDEST_GLIBC}"] if target else zig


def _find_own_compiler() -> list[str]:
    """The machine's compiler with the options that CC has, such as `ccache gcc`; empty without one."""
    command = shlex.split(os.environ.get("CC", "cc"))
    return command if command and shutil.which(command[0]) else []


def compile_sources(compiler: Sequence[str], output: Path, extra: Sequence[str] = ()) -> None:
    """Compile all of ``source/*.c`` at once to ``output``; names in it are relative, so it is the same anywhere.

    Raises: KernelNotBuilt with the compiler's words.
    """
    output = output.absolute()  # the compiler runs in another folder
    sources = [path.name for path in list_sources("c")]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".building-") as folder:
        aside = Path(folder) / output.name
        command = [*compiler, *FLAGS, *extra, f'-DMILLRACE_FINGERPRINT="{compute_fingerprint()}"', *sources]
        done = subprocess.run(  # noqa: S603 - the compiler that the user has, on our sources
            [*command, "-o", str(aside)],
            cwd=next(list_sources()).parent,
            env=_choose_environment(Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise KernelNotBuilt(f"{shlex.join(compiler)} refused the kernel's sources:\n{done.stderr.strip()}")
        aside.replace(output)


def _choose_environment(folder: Path) -> dict[str, str]:
    """The user's environment, with Zig's cache where it is removed again: it has no home in some build systems."""
    cache = str(folder / "cache")
    return {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache, **os.environ}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build as the command line says; the exit code is 0 without a compiler too, as all works without."""
    parser = argparse.ArgumentParser(prog="python -m millrace.engine.native.build", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, help="build for this platform, with Zig")
    parser.add_argument("--output", type=Path, help="write the library here")
    parser.add_argument("--strict", action="store_true", help="refuse what the compiler warns of")
    parser.add_argument("--sanitize", action="store_true", help="check addresses and undefined behaviour at run time")
    given = parser.parse_args(arguments)
    try:
        path = build_kernel(given.target, given.output, strict=given.strict, sanitize=given.sanitize)
    except KernelNotBuilt as error:
        print(f"The native kernel was not built. {error}", file=sys.stderr)  # noqa: T201 - a command prints its result
        if given.target:
            return 1
        print("Millrace works without it, only slower.", file=sys.stderr)  # noqa: T201 - a command prints its result
        return 0
    print(f"The native kernel is {path}")  # noqa: T201 - a command prints its result
    return 0


if __name__ == "__main__":
    sys.exit(main())
