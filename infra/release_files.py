"""What a release has beside the packages: `make release-files` writes it to dist/.

The layers as zip files, a list of what is in them (an SBOM), the release's part of the changelog, and a checksum of
each file. The same sources give the same bytes anywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from millrace import __version__
from millrace.deployment.project import find_project
from millrace.errors import MillraceError, UsageError

from .layers import layers

_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can say; layers have no better one that is the same everywhere."""
_READABLE = 0o100644 << 16
"""A plain file with the rights rw-r--r--, in the upper half of zip's attributes (APPNOTE.TXT, 4.4.15)."""
SUMS = "SHA256SUMS"


def write_release(folder: Path, tag: str) -> list[Path]:
    """Write the files of a release beside its packages, and the checksums of all; gives what was written.

    Raises: UsageError if the tag is not this version's, or if the changelog has no section of it.
    """
    check_tag(tag)
    notes = find_notes((find_project().root / "CHANGELOG.md").read_text(encoding="utf-8"), __version__)
    folder.mkdir(parents=True, exist_ok=True)
    built = layers(formats=True, iceberg=True)
    written = [
        zip_layer(path, folder / f"millrace-layer-{name}-{__version__}-arm64.zip") for name, path in built.items()
    ]
    written.append(_write(folder / f"millrace-layers-{__version__}.cdx.json", to_json(list_contents(built))))
    written.append(_write(folder / "release-notes.md", notes))
    written.append(_write(folder / SUMS, sum_files(folder)))
    return written


def check_tag(tag: str) -> None:
    """Return if a tag is ``v`` and this version; raises UsageError with both."""
    if tag != f"v{__version__}":
        raise UsageError(
            f"the tag is {tag!r}, and this is version {__version__}; expected 'v{__version__}'. The version is in "
            "functions/millrace/__init__.py alone: change it there, commit, and tag that commit"
        )


def find_notes(changelog: str, version: str) -> str:
    """The section of a version, such as ``## 0.2.0 (2026-11-29)``, without its heading.

    Raises: UsageError if there is none, or if its heading has no date.
    """
    notes: list[str] = []
    heading = None
    for line in changelog.splitlines():
        if line.startswith("## "):
            if heading is not None:
                break
            # "## 0.2.0 (2026-11-29)" begins the notes of 0.2.0, and the next such line ends them.
            heading = line if line.split()[1] == version else None
        elif heading is not None:
            notes.append(line)
    if heading is None:
        raise UsageError(f"CHANGELOG.md has no section '## {version} (date)'; write one before the release")
    if "unreleased" in heading:
        raise UsageError(f"CHANGELOG.md says {heading!r}; put the release's date in its place")
    return "\n".join(notes).strip() + "\n"


def zip_layer(layer: Path, target: Path) -> Path:
    """A layer's folder as the zip file that Lambda takes; equal folders give equal files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in layer.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo(path.relative_to(layer).as_posix(), _FIRST_MOMENT)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = _READABLE
            archive.writestr(member, path.read_bytes())
    return target


def list_contents(built: Mapping[str, Path]) -> dict[str, Any]:
    """What the layers are made of, as a CycloneDX document (version 1.6)."""
    components = []
    for name, folder in built.items():
        found = sorted(distributions(path=[str(folder / "python")]), key=lambda distribution: distribution.name)
        components += [_describe_package(distribution, layer=name) for distribution in found]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _describe_main()},
        "components": components,
    }


def _describe_main() -> dict[str, Any]:
    return {
        "type": "application",
        "bom-ref": "millrace-layers",
        "name": "millrace-layers",
        "version": __version__,
        "description": "The Lambda layers of Millrace for Python 3.13 on arm64",
    }


def _describe_package(distribution: Distribution, *, layer: str) -> dict[str, Any]:
    place = f"pkg:pypi/{distribution.name.lower()}@{distribution.version}"
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"{layer}/{place}",
        "name": distribution.name,
        "version": distribution.version,
        "purl": place,
        "properties": [{"name": "millrace:layer", "value": layer}],
    }
    # Older packages have a sentence or a whole text under License, which is no expression.
    if "License-Expression" in distribution.metadata:
        described["licenses"] = [{"expression": distribution.metadata["License-Expression"]}]
    return described


def sum_files(folder: Path) -> str:
    """The checksums of a folder's files, as ``sha256sum --check`` reads them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in _list_files(folder)]
    return "\n".join(lines) + "\n"


def _list_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != SUMS and not path.name.startswith("."):
            yield path


def to_json(document: Mapping[str, Any]) -> str:
    """The text of a document, for people and programs."""
    return json.dumps(document, indent=2) + "\n"


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; the exit code is 1 if something about the release is wrong."""
    parser = argparse.ArgumentParser(prog="python -m infra.release_files", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the packages are, and the files go")
    parser.add_argument("--tag", default=f"v{__version__}", help="the tag that is released; default: this version's")
    given = parser.parse_args(arguments)
    try:
        written = write_release(given.folder, given.tag)
    except MillraceError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a command prints its result
        return 1
    print(*written, sep="\n")  # noqa: T201 - a command prints its result
    return 0


if __name__ == "__main__":
    sys.exit(main())
