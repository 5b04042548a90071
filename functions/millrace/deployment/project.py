"""Where the files lie that a deployment is made of: in a clone, or in an installed wheel."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from millrace.deployment.settings import FUNCTIONS_ROOT
from millrace.errors import MillraceError

LIBRARY = FUNCTIONS_ROOT / "millrace"
SHIPPED = LIBRARY / "infra" / "project"
"""Where a wheel has what lies outside of the library in a clone; `infra/wheel.py` puts it there."""
HANDLERS = "handlers"
"""The folder of the functions' handlers within ``SHIPPED``."""


class ProjectNotFound(MillraceError):
    """The stacks are not beside the library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """The parts of a deployment.

    ``root`` has cdk.json, package.json, package-lock.json, requirements/ and examples/. ``handlers`` has a folder for
    each function. What is made of them, such as layers, is kept in ``build``. ``app`` are the words after the
    interpreter that start the CDK's application.
    """

    root: Path
    handlers: Path
    build: Path
    app: tuple[str, ...]

    @property
    def is_clone(self) -> bool:
        """Whether these are the files of a clone, and not those of an installed wheel."""
        return self.root != SHIPPED

    @property
    def requirements(self) -> Path:
        """The locks of the layers' packages."""
        return self.root / "requirements"

    @property
    def examples(self) -> Path:
        """The ready configurations with their sample data."""
        return self.root / "examples"


def find_project(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> ProjectFiles:
    """The files beside this library; raises ProjectNotFound in a function, which has no stacks."""
    root = FUNCTIONS_ROOT.parent
    if (root / "app.py").is_file() and (root / "cdk.json").is_file():
        return ProjectFiles(root=root, handlers=FUNCTIONS_ROOT, build=root / "build", app=("app.py",))
    if not (SHIPPED / "cdk.json").is_file():
        raise ProjectNotFound(
            f"this installation of Millrace has no stacks: neither {root / 'cdk.json'} nor {SHIPPED / 'cdk.json'} is "
            "there. Install the wheel of the same version again, or work in a clone"
        )
    return ProjectFiles(
        root=SHIPPED,
        handlers=SHIPPED / HANDLERS,
        build=find_cache(environment, platform),
        app=("-m", "millrace.infra"),
    )


def find_cache(environment: Mapping[str, str], platform: str) -> Path:
    """The folder of the user for what can be made again, such as ``~/.cache/millrace``.

    XDG_CACHE_HOME counts everywhere, absolute paths alone (XDG Base Directory Specification); else the platform's.
    """
    chosen = Path(environment.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute():
        return chosen / "millrace"
    if platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "millrace" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "millrace"
    return Path.home() / ".cache" / "millrace"
