"""The code asset: the library and its handlers as they stand, and the configuration they run."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from millrace.deployment.project import LIBRARY, find_project
from millrace.deployment.settings import CONFIGURATION_FILE

from .byte_code import compile_modules, find_python

_PROJECT = find_project()
CACHE = _PROJECT.build / "code"
LEFT_OUT = frozenset(
    {
        "millrace/demo",
        "millrace/infra",
        "millrace/cdk",
        "millrace/cli",
        "millrace/remote",
        "millrace/ui",
        "millrace/py.typed",
        "millrace/engine/native/build.py",
        "millrace/engine/native/built",
        "millrace/engine/native/source",
        "millrace/engine/native/wheel.py",
    }
)
"""What runs on a person's machine alone; the libraries in ``built`` are for that machine."""
_PLACE = "/var/task"
"""Where Lambda unpacks a function's code."""


def package(
    configuration: str,
    *,
    functions: Path = _PROJECT.handlers,
    cache: Path = CACHE,
    python: str | None = None,
    kernels: Mapping[str, bytes] | None = None,
) -> Path:
    """The folder to deploy, named by its content: the same code and configuration always give the same folder.

    ``kernels`` are the native libraries by their paths, from `infra/kernel.py`; without them all works, only slower.
    Modules are compiled by ``python``, an interpreter of Lambda's version; None: by one of this machine, if it has one.
    """
    python = python or find_python()
    modules = dict(contents(functions))
    files = (
        modules | {CONFIGURATION_FILE: configuration.encode()} | _compile(modules, cache, python) | dict(kernels or {})
    )
    folder = cache / _digest(files)
    if not folder.exists():
        _publish(files, folder)
    return folder


def contents(functions: Path) -> Iterator[tuple[str, bytes]]:
    """Each file to deploy: its path there and its bytes, with the library, which a wheel has in another folder."""
    folders = set(functions.iterdir())
    # From an installed wheel the library is in site-packages, and the handlers are not beside it.
    if functions / LIBRARY.name not in folders:
        folders.add(LIBRARY)
    for folder in sorted(folders):
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder.parent)
            if path.is_file() and _is_deployed(PurePosixPath(name.as_posix())):
                yield name.as_posix(), path.read_bytes()


def _is_deployed(name: PurePosixPath) -> bool:
    ancestors = {str(name), *map(str, name.parents)}
    return not any(map(_is_of_a_tool, name.parts)) and not ancestors & LEFT_OUT and name.suffix != ".pyc"


def _is_of_a_tool(part: str) -> bool:
    """Whether a tool made what is called so: ``__pycache__``, ``.mypy_cache``, ``millrace.egg-info``."""
    return part == "__pycache__" or part.startswith(".") or part.endswith(".egg-info")


def _compile(modules: Mapping[str, bytes], cache: Path, python: str | None) -> dict[str, bytes]:
    """The byte code of the modules by its path, made once for all configurations; empty without a ``python``."""
    if python is None:
        return {}
    folder = cache / f"{_digest({**modules, 'python': python.encode()})}-compiled"
    if not folder.exists():
        _publish(modules, folder, python)
    paths = sorted(folder.rglob("*.pyc"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()[:16]


def _publish(files: Mapping[str, bytes], folder: Path, python: str | None = None) -> None:
    """Write the files, with byte code beside them if a ``python`` is given, and rename their folder at last."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        aside = Path(temporary) / "code"
        for name, content in files.items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        compile_modules(aside, python, place=_PLACE)
        # Two deployments of the same content may come here at once. A rename never replaces a folder that holds files;
        # `shutil.move` would put the second folder into the first.
        try:
            aside.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
