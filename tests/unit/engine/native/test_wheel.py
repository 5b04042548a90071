"""Wheels: with the kernel for this platform where there is a compiler, and for any without."""

from __future__ import annotations

import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from millrace.engine.native.build import TARGETS, KernelNotBuilt, choose_compiler
from millrace.engine.native.library import compute_fingerprint, read_fingerprint
from millrace.engine.native.wheel import choose_platform, find_library, name_platform, read_wanted
from tests.distributions import build_distribution, copy_checkout

FIND_KERNEL = """
import sys
sys.path.insert(0, sys.argv[1])
from millrace.engine.native.library import look_for_kernel
print(look_for_kernel())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "checkout")


def _has_compiler() -> bool:
    try:
        choose_compiler()
    except KernelNotBuilt:
        return False
    return True


def _write_quick_compiler(script: Path) -> Path:
    """The compiler that a wheel is built with here, which optimizes little: that takes half of the time."""
    script.write_text(f'exec {shlex.join(choose_compiler())} "$@" -O1\n')
    return script


@pytest.mark.slow
@pytest.mark.skipif(not _has_compiler(), reason="no C compiler")
def test_a_wheel_has_the_kernel_of_its_platform(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MILLRACE_NATIVE", raising=False)  # the suite runs without the kernel, too
    quick = shlex.join(["sh", str(_write_quick_compiler(tmp_path / "quick-cc"))])
    wheel = build_distribution("wheel", checkout, tmp_path / "wheels", CC=quick)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    (library,) = (tmp_path / "installed").rglob("libmillrace-*.so")

    asked = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-I", "-c", FIND_KERNEL, str(tmp_path / "installed")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert wheel.name.endswith(f"-py3-none-{choose_platform(library)}.whl")
    assert read_fingerprint(library) == compute_fingerprint()
    assert asked.stdout.startswith(f"Kernel(library=<CDLL '{library}'")


@pytest.mark.slow
def test_a_wheel_without_a_compiler_is_pure(checkout: Path, tmp_path: Path) -> None:
    builder = checkout / "functions" / "millrace" / "engine" / "native" / "build.py"
    builder.write_text(builder.read_text().replace('find_spec("ziglang")', 'find_spec("no_such_package")'))

    wheel = build_distribution("wheel", checkout, tmp_path / "wheels", CC="no-such-compiler")

    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".so")]


@pytest.mark.parametrize(
    ("asks_for", "platform", "tag"),
    [
        (b"GLIBC_2.2.5\0GLIBC_2.14\0", "linux-x86_64", "manylinux_2_17_x86_64"),
        (b"GLIBC_2.17\0GLIBC_2.33\0", "linux-aarch64", "manylinux_2_33_aarch64"),
        (b"", "linux-x86_64", "linux_x86_64"),
        (b"", "macosx-14.0-arm64", "macosx_14_0_arm64"),
    ],
    ids=["old", "newer", "another C library", "macOS"],
)
def test_the_tag_is_what_the_library_asks_for(asks_for: bytes, platform: str, tag: str, tmp_path: Path) -> None:
    library = tmp_path / "libmillrace.so"
    library.write_bytes(b"\x7fELF\0" + asks_for)

    assert choose_platform(library, platform) == tag


class TestChosenKernel:
    """What MILLRACE_KERNEL says, as `make dist` sets it."""

    @pytest.mark.parametrize("wanted", [*TARGETS, "none"])
    def test_targets_and_none_are_known(self, wanted: str) -> None:
        assert read_wanted({"MILLRACE_KERNEL": wanted}) == wanted

    @pytest.mark.parametrize("environment", [{}, {"MILLRACE_KERNEL": ""}])
    def test_without_it_the_kernel_is_for_this_machine(self, environment: dict[str, str]) -> None:
        assert read_wanted(environment) is None

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(KernelNotBuilt, match="'arm64'; expected aarch64-linux-gnu, x86_64-linux-gnu, or none"):
            read_wanted({"MILLRACE_KERNEL": "arm64"})

    def test_a_target_names_the_platform_and_the_file(self) -> None:
        assert name_platform("aarch64-linux-gnu") == "linux-aarch64"
        assert find_library(Path("lib"), "aarch64-linux-gnu").name == "libmillrace-aarch64.so"
