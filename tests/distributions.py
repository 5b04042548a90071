"""Source distributions and wheels of this checkout, and empty environments to install them into."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from millrace.engine.native.library import BUILT
from tests.places import ROOT

_PARTS = (
    "CHANGELOG.md",
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "SECURITY.md",
    "app.py",
    "cdk.json",
    "examples",
    "functions",
    "infra",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements",
)
_UNWANTED = shutil.ignore_patterns("__pycache__", BUILT.name, "*.egg-info")
_UV = [sys.executable, "-m", "uv"]


def copy_checkout(folder: Path) -> Path:
    """A copy of what is distributed, without what was built before; gives the folder."""
    folder.mkdir(parents=True)
    for name in _PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=_UNWANTED)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def build_distribution(kind: str, source: Path, folder: Path, **environment: str) -> Path:
    """Build a ``wheel`` or an ``sdist`` of a checkout, or of a source distribution, into a folder of its own."""
    command = [*_UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run(  # noqa: S603 - our own package
        [*command, f"--{kind}", "--out-dir", str(folder), str(source)],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1795910400", **environment},
        check=True,
        capture_output=True,
    )
    (built,) = (path for path in folder.iterdir() if path.name.startswith("millrace-"))
    return built


def install_wheel(wheel: Path, folder: Path, extra: str = "") -> Path:
    """Install a wheel with the locked packages into a new environment; gives the folder of its commands.

    What `make install` downloaded is at hand in uv's cache; the network is asked for the rest alone.
    """
    subprocess.run([*_UV, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)  # noqa: S603 - uv
    commands = folder / ("Scripts" if sys.platform == "win32" else "bin")
    # Without --python, uv installs into the environment of the interpreter that started it: this one.
    command = [*_UV, "pip", "install", "--quiet", "--python", str(commands / "python")]
    command += ["--constraint", str(ROOT / "requirements" / "dev.txt"), f"{wheel}[{extra}]" if extra else str(wheel)]
    offline = subprocess.run([*command, "--offline"], check=False, capture_output=True)  # noqa: S603 - uv
    if offline.returncode:
        subprocess.run(command, check=True)  # noqa: S603 - uv
    return commands


def borrow_byte_code(folder: Path) -> None:
    """Give an environment this one's compiled modules, where both have the same file of a package.

    To compile the CDK's takes half a minute of CPU. uv links an installed file to the one in its cache, so that its
    time, by which Python knows that a compiled module is of it, is the same in both.
    """
    own = Path(sysconfig.get_path("purelib"))
    (other,) = folder.rglob("site-packages")
    for compiled in own.rglob("__pycache__/*.pyc"):
        package = compiled.parent.parent
        module = package / f"{compiled.name.partition('.')[0]}.py"
        twin = other / module.relative_to(own)
        if module.exists() and twin.exists() and module.samefile(twin):
            target = other / compiled.relative_to(own)
            target.parent.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):
                # Another file system cannot link it; then it is compiled after all.
                os.link(compiled, target)
