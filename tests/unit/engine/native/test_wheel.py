"""`pip wheel .`: with the kernel for this platform where there is a compiler, and for any without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from millrace.engine.native.build import KernelNotBuilt, choose_compiler
from millrace.engine.native.library import compute_fingerprint, read_fingerprint
from millrace.engine.native.wheel import choose_platform
from tests.places import ROOT

FIND_KERNEL = """
import sys
sys.path.insert(0, sys.argv[1])
from millrace.engine.native.library import look_for_kernel
print(look_for_kernel())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the wheel is made of, without what was built before."""
    folder = tmp_path / "checkout"
    unwanted = shutil.ignore_patterns("__pycache__", "built", "*.egg-info")
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def _make_wheel(checkout: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(  # noqa: S603 - our own package
        [*command, "--wheel-dir", str(checkout / "wheels"), str(checkout)],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        check=True,
        capture_output=True,
    )
    (wheel,) = (checkout / "wheels").glob("*.whl")
    return wheel


def _has_compiler() -> bool:
    try:
        choose_compiler()
    except KernelNotBuilt:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not _has_compiler(), reason="no C compiler")
def test_a_wheel_has_the_kernel_of_its_platform(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MILLRACE_NATIVE", raising=False)  # the suite runs without the kernel, too
    wheel = _make_wheel(checkout)
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
    assert not list((tmp_path / "installed").rglob("*.c"))


@pytest.mark.slow
def test_a_wheel_without_a_compiler_is_pure(checkout: Path) -> None:
    builder = checkout / "functions" / "millrace" / "engine" / "native" / "build.py"
    builder.write_text(builder.read_text().replace('find_spec("ziglang")', 'find_spec("no_such_package")'))

    wheel = _make_wheel(checkout, CC="no-such-compiler")

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
