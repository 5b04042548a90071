"""The function's third-party packages as two layers, trimmed, for arm64 and Python 3.13; made without Docker.

What single formats need is a third layer, made where a configuration reads them; what the committer of Iceberg tables
needs is another, for that function alone.
Wheels are fetched for Lambda's platform, whatever this one is, checked against the hashes of
`requirements/function.txt`, `formats.txt` or `iceberg.txt`, and kept under `build/` for as long as that file and this
one stay the same.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess  # uv is a program
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uv import find_uv_bin

from millrace.deployment.project import find_project
from millrace.errors import MillraceError

from .byte_code import PYTHON_OF_LAMBDA, compile_modules, find_python

_PROJECT = find_project()
REQUIREMENTS = _PROJECT.requirements / "function.txt"
FORMAT_REQUIREMENTS = _PROJECT.requirements / "formats.txt"
ICEBERG_REQUIREMENTS = _PROJECT.requirements / "iceberg.txt"
CACHE = _PROJECT.build / "layers"
ARROW = "arrow"
TOOLS = "tools"
FORMATS = "formats"
ICEBERG = "iceberg"

TRIMMED = (
    # to compile against, and what tests and measures itself
    "**/*.pxd",
    "**/*.pxi",
    "**/*.pyx",
    "**/*.pyi",
    "**/__pycache__",
    "bin",
    ".lock",
    "wrapt-stubs",
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/_pyarrow_cpp_tests.*",
    "pyarrow/benchmark.py",
    "pyarrow/conftest.py",
    # protocols that no sync speaks
    "pyarrow/*flight*",
    "pyarrow/*cuda*",
    "pyarrow/jvm.py",
    # bytes go through boto3: pyarrow's own file systems are not used
    "pyarrow/_azurefs.*",
    "pyarrow/_gcsfs.*",
    "pyarrow/_hdfs.*",
    "pyarrow/_s3fs.*",
    "pyarrow/libarrow_s3.*",
    # Parquet's encryption needs a key service of its own
    "pyarrow/*encryption*",
    "pyarrow/parquet/encryption.py",
    # wheels cannot hold links: the same library three times; the loader asks for the name with one number
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.*.*",
)
"""What is not shipped. `lib`, and so everything, is linked against dataset, acero, compute, substrait and parquet."""


class LayersNotBuilt(MillraceError):
    """The wheels could not be fetched."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What to fetch wheels for; both None: for this machine."""

    uv_platform: str | None = None
    python: str | None = None


LAMBDA = Platform("aarch64-manylinux_2_28", PYTHON_OF_LAMBDA)
_PLACE = "/opt/python"
"""Where Lambda unpacks layers for its Python."""


def layers(cache: Path = CACHE, *, formats: bool = False, iceberg: bool = False) -> Mapping[str, Path]:
    """The folder of each layer by its name, built unless it is there; with what single ``formats`` need, or without.

    And with what ``iceberg`` tables need, or without.
    """
    built = _build(cache, REQUIREMENTS, _split)
    found = {name: built / name for name in (ARROW, TOOLS)}
    if formats:
        found[FORMATS] = _build(cache, FORMAT_REQUIREMENTS, partial(_move, name=FORMATS)) / FORMATS
    if iceberg:
        found[ICEBERG] = _build(cache, ICEBERG_REQUIREMENTS, partial(_move, name=ICEBERG)) / ICEBERG
    return found


def fetch(target: Path, platform: Platform, requirements: Path = REQUIREMENTS) -> None:
    """Install the packages of ``requirements`` into ``target``; raise LayersNotBuilt with what uv said."""
    command = [
        *(find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--requirement", str(requirements), "--target", str(target)),
        *_choose_python(platform),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- nothing of it is from outside
    if done.returncode:
        raise LayersNotBuilt(
            f"the packages of {requirements.name} could not be fetched for {platform.uv_platform or 'this machine'}:\n"
            f"{done.stderr.strip()}\nIs the package registry reachable? After `make lock`, are the locks committed?"
        )


def _choose_python(platform: Platform) -> list[str]:
    """The options that say for which Python the wheels are: another machine's, or this one's own."""
    options = []
    if platform.uv_platform:
        options += ["--python-platform", platform.uv_platform]
    if platform.python:
        options += ["--python-version", platform.python]
    return options or ["--python", sys.executable]


def trim(folder: Path) -> None:
    """Remove from installed packages what the function never uses."""
    for pattern in TRIMMED:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def size(folders: Iterator[Path] | list[Path]) -> int:
    """The bytes of all files in ``folders``: what Lambda unpacks."""
    total = 0
    for folder in folders:
        for path in folder.rglob("*"):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _build(cache: Path, requirements: Path, divide: Callable[[Path, Path], None]) -> Path:
    """The folder of the layers of some requirements, built unless it is there.

    It is built aside and renamed, so that a build that was stopped leaves nothing that looks whole.
    """
    built = cache / _fingerprint(requirements)
    if built.exists():
        return built
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        fetched = Path(temporary) / "fetched"
        fetch(fetched, LAMBDA, requirements)
        trim(fetched)
        compile_modules(fetched, find_python(), place=_PLACE)
        aside = Path(temporary) / "layers"
        divide(fetched, aside)
        try:
            aside.rename(built)
        except OSError:
            if not built.exists():  # otherwise another synth was quicker
                raise
    return built


def _move(fetched: Path, target: Path, *, name: str) -> None:
    (target / name).mkdir(parents=True)
    fetched.rename(target / name / "python")


def _split(fetched: Path, target: Path) -> None:
    for name in (ARROW, TOOLS):
        (target / name / "python").mkdir(parents=True)
    for path in sorted(fetched.iterdir()):
        name = ARROW if path.name.startswith("pyarrow") else TOOLS
        path.rename(target / name / "python" / path.name)


def _fingerprint(requirements: Path) -> str:
    recipe = (requirements.read_bytes(), Path(__file__).read_bytes(), str(find_python() is not None).encode())
    return hashlib.sha256(b"\0".join(recipe)).hexdigest()[:16]
