"""Fuzz the kernel's C: `make fuzz-native SECONDS=60`. Each target is libFuzzer with address and behaviour checks.

It needs Clang with its run-time libraries (Debian: clang and libclang-rt-14-dev); without them it says so, and is done.
Earlier finds in ``finds/<target>`` are tried first. A new find is kept in ``build/fuzz-native/finds`` with what was
wrong; once understood it goes to ``finds`` here, and gets a test of what Python makes of it.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.engine.native.library import list_sources
from tests.fuzz.native.seeds import write_seeds
from tests.places import ROOT

HERE = Path(__file__).parent
BUILD = ROOT / "build" / "fuzz-native"
COMPILERS = ("clang", *(f"clang-{version}" for version in range(25, 13, -1)))
FLAGS = (
    "-std=c11",
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover=all",
)
CHECKS = "-fsanitize=fuzzer,address,undefined"
MOST_BYTES = 4096
MOST_MEGABYTES = 1024
MOST_SECONDS = 10
"""For one input."""


@dataclass(frozen=True, slots=True)
class NativeTarget:
    """A program that libFuzzer feeds."""

    name: str
    program: Path

    @property
    def finds(self) -> list[Path]:
        """The inputs that once went wrong."""
        return sorted(path for path in (HERE / "finds" / self.name).glob("*") if path.is_file())

    def replay(self) -> str | None:
        """What is wrong with how it takes its earlier finds; None if all is well."""
        if not self.finds:
            return None
        return _run([str(self.program), *map(str, self.finds)])

    def fuzz(self, seconds: float) -> str | None:
        """What it found within about ``seconds``, and where the input is; None for nothing."""
        corpus, seeds, finds = BUILD / "corpus" / self.name, BUILD / "seeds" / self.name, BUILD / "finds"
        for folder in (corpus, finds):
            folder.mkdir(parents=True, exist_ok=True)
        write_seeds(self.name, seeds)
        return _run(
            [
                str(self.program),
                f"-max_total_time={max(1, round(seconds))}",
                f"-max_len={MOST_BYTES}",
                f"-timeout={MOST_SECONDS}",
                f"-rss_limit_mb={MOST_MEGABYTES}",
                f"-artifact_prefix={finds}/{self.name}-",
                *map(str, (corpus, seeds)),
            ]
        )


def find_clang() -> str | None:
    """A Clang that can link libFuzzer; None without one."""
    for name in COMPILERS:
        if shutil.which(name) and _can_fuzz(name):
            return name
    return None


def list_targets() -> list[str]:
    """The names of all targets: `utf8` of `fuzz_utf8.c`."""
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))


def compile_kernel(clang: str) -> list[Path]:
    """The kernel's objects with all checks, for every target; those of the last time if nothing has changed since.

    To compile them takes 15 s of CPU.
    """
    command = [clang, CHECKS.replace("fuzzer", "fuzzer-no-link"), *FLAGS, "-c"]
    folder, mark = BUILD / "objects", BUILD / "objects" / "made-of"
    made_of = _digest_kernel(command)
    if not mark.is_file() or mark.read_text() != made_of:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run([*command, *map(str, list_sources("c"))], cwd=folder, check=True)  # noqa: S603 - our sources
        mark.write_text(made_of)
    return sorted(folder.glob("*.o"))


def _digest_kernel(command: Sequence[str]) -> str:
    """Of all that the objects are made of: the sources, headers included, the compiler and its options."""
    compiler = subprocess.run([command[0], "--version"], capture_output=True, check=True).stdout  # noqa: S603 - a compiler
    digest = hashlib.sha256(compiler + repr(command).encode())
    for path in list_sources():
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def build_target(clang: str, name: str, objects: Sequence[Path]) -> NativeTarget:
    """Link a target with the whole kernel."""
    program = BUILD / f"fuzz_{name}"
    inputs = [str(HERE / f"fuzz_{name}.c"), *map(str, objects)]
    subprocess.run([clang, CHECKS, *FLAGS, *inputs, "-lm", "-o", str(program)], check=True)  # noqa: S603 - our sources
    return NativeTarget(name, program)


def _can_fuzz(clang: str) -> bool:
    program = BUILD / "probe"
    program.parent.mkdir(parents=True, exist_ok=True)
    probe = "int LLVMFuzzerTestOneInput(const char *b, unsigned long n) { return b == 0 && n == 1; }"
    done = subprocess.run(  # noqa: S603 - a compiler and our text
        [clang, CHECKS, "-x", "c", "-", "-o", str(program)], input=probe, capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def _run(command: Sequence[str]) -> str | None:
    """The last lines of what a target says when it fails; None if it ends well."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - our own programs
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("#", "\tNEW_FUNC"))]  # its progress
    return "\n".join(lines[-60:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay all finds, then fuzz all targets one after the other, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.native.run", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"by default all: {', '.join(list_targets())}")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    given = parser.parse_args(arguments)
    clang = find_clang()
    if clang is None:
        print("skipped: fuzzing the kernel needs clang with libFuzzer (Debian: clang libclang-rt-14-dev)")  # noqa: T201 - a command prints its result
        return 0
    names = given.targets or list_targets()
    objects = compile_kernel(clang)
    failures = 0
    for name in names:
        target = build_target(clang, name, objects)
        trouble = target.replay() or target.fuzz(given.seconds / len(names))
        failures += trouble is not None
        print(f"{name}: {trouble or 'nothing found'}", flush=True)  # noqa: T201 - a command prints its result
    if failures:
        print(f"{failures} of {len(names)} targets failed; their inputs are in {BUILD / 'finds'}")  # noqa: T201 - a command prints its result
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
