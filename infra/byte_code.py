"""Byte code for Lambda's Python: a function cannot keep what it compiles, so that each cold start would compile all."""

from __future__ import annotations

import os
import subprocess  # the interpreter may be another than this one
import sys
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from millrace.errors import MillraceError

PYTHON_OF_LAMBDA = "3.13"
_COMPILE = """
import compileall, py_compile, sys
folder, place = sys.argv[1:]
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
sys.exit(not compileall.compile_dir(folder, quiet=1, stripdir=folder, prependdir=place, invalidation_mode=unchecked))
"""
"""Unchecked: Python reads no source to see whether the byte code is its own, and no time of day gets into it."""


class ModulesNotCompiled(MillraceError):
    """A module is no valid Python for Lambda's version."""


@cache
def find_python() -> str | None:
    """An interpreter of Lambda's version on this machine, this one if it is; None: code is shipped uncompiled.

    Another version's byte code would not be read.
    """
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON_OF_LAMBDA:
        return sys.executable
    command = (find_uv_bin(), "python", "find", "--no-python-downloads", PYTHON_OF_LAMBDA)
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - nothing of it is from outside
    return done.stdout.strip() or None


def compile_modules(folder: Path, python: str | None, *, place: str) -> None:
    """Put byte code beside the modules below ``folder``, if there is a ``python`` for it; see ``find_python``.

    ``place`` is the folder's path in Lambda, such as /var/task: tracebacks name files below it.

    Raises ModulesNotCompiled.
    """
    if python is None:
        return
    command = (python, "-c", _COMPILE, str(folder), place)
    # Constant sets are written in the order of their hashes: with a seed the same code gives the same bytes anywhere.
    seeded = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=seeded)  # noqa: S603 - nothing of it is from outside
    if done.returncode:
        raise ModulesNotCompiled(f"not every module compiles for Python {PYTHON_OF_LAMBDA}:\n{done.stdout.strip()}")
