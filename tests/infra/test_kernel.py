"""The native kernel in the code asset."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from infra.kernel import build_kernels
from infra.package import package
from millrace.engine.native.build import KernelNotBuilt, build_kernel
from millrace.engine.native.library import compute_fingerprint, read_fingerprint

LIBRARIES = [f"millrace/engine/native/built/libmillrace-{machine}.so" for machine in ("aarch64", "x86_64")]
MACHINES = {"aarch64": 183, "x86_64": 62}
"""`e_machine` at byte 18 of an ELF file (elf.h: EM_AARCH64, EM_X86_64)."""
FIND_KERNEL = """
import sys
sys.path.insert(0, sys.argv[1])
from millrace.engine.native.library import look_for_kernel
print(look_for_kernel())
"""


def test_the_code_has_one_for_each_processor() -> None:
    code = package("{}", kernels=build_kernels())

    for name in LIBRARIES:
        library = code / name
        machine = library.stem.partition("-")[2]
        assert int.from_bytes(library.read_bytes()[18:20], "little") == MACHINES[machine]
        assert read_fingerprint(library) == compute_fingerprint()
    assert not [path.name for path in code.rglob("*") if path.suffix in {".c", ".h"}]


def test_they_need_a_c_library_of_2012_and_nothing_else() -> None:
    """What they ask for stands in them by name: libraries as `libm.so.6`, and their versions as `GLIBC_2.17`."""
    for content in build_kernels().values():
        words = content.replace(b"\0", b" ").split()
        versions = {tuple(map(int, word[6:].split(b"."))) for word in words if word.startswith(b"GLIBC_")}
        libraries = {word.decode() for word in words if b".so." in word}

        assert libraries <= {"libc.so.6", "ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2"}
        assert all(version <= (2, 17) for version in versions)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    """A synth on another machine, or in another folder, changes no function."""
    again = build_kernel("aarch64-linux-gnu", tmp_path / "a folder" / "libmillrace-aarch64.so")

    assert again.read_bytes() == build_kernels()[LIBRARIES[0]]


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in MACHINES, reason="the function runs on Linux")
def test_the_deployed_python_loads_the_one_of_its_machine() -> None:
    """As on the emulator: the code alone, without the sources that the library is compared with elsewhere."""
    code = package("{}", kernels=build_kernels())

    done = subprocess.run(  # noqa: S603 - the command is ours
        [sys.executable, "-I", "-c", FIND_KERNEL, str(code)], capture_output=True, text=True, check=False, env={}
    )

    assert done.stdout.startswith("Kernel("), done.stdout + done.stderr
    assert str(code) in done.stdout


def test_without_zig_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(KernelNotBuilt, match="pip install ziglang"):
        build_kernels(tmp_path)
