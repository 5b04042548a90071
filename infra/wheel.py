"""What a wheel has of the stacks: the package ``millrace.infra``, and in it the files that lie at a clone's top.

`millrace/engine/native/wheel.py` loads this file by its path while a wheel is built.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("millrace", "infra")
PROJECT = PACKAGE / "project"
TOP = ("cdk.json", "package.json", "package-lock.json")
EXAMPLES = ("millrace.yaml", "starter.yaml")


def ship_project(target: Path) -> list[Path]:
    """Copy the stacks and what they need below ``target``, the folder that becomes the wheel; gives the copies."""
    copies = []
    for source, place in list_shipped():
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        copies.append(path)
    return copies


def list_shipped() -> Iterator[tuple[Path, Path]]:
    """Each file, and its place in the wheel."""
    for path in sorted((ROOT / "infra").glob("*.py")):
        yield path, PACKAGE / path.name
    for name in TOP:
        yield ROOT / name, PROJECT / name
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        # The lock of the project itself has 300 packages that no layer has.
        if path.name != "dev.txt":
            yield path, PROJECT / "requirements" / path.name
    for path in _list_handlers():
        yield path, PROJECT / "handlers" / path.relative_to(ROOT / "functions")
    yield from _list_examples()


def _list_handlers() -> Iterator[Path]:
    for handler in sorted((ROOT / "functions").glob("*/handler.py")):
        yield from sorted(handler.parent.rglob("*.py"))


def _list_examples() -> Iterator[tuple[Path, Path]]:
    examples = ROOT / "examples"
    data = sorted(path for path in (examples / "data").rglob("*") if path.is_file())
    for path in [*(examples / name for name in EXAMPLES), *data]:
        yield path, PROJECT / "examples" / path.relative_to(examples)
