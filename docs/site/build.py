"""Build the site into build/site: ``python -m docs.site.build`` (`make docs-site`).

Nothing is loaded from elsewhere when a page is viewed: no fonts, and the drawing of diagrams comes along.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from docs.site.staging import SITE, stage_site

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
OUTPUT = BUILD / "site"
MERMAID = "12.3.0"
"""The version that Zensical asks for, pinned, with the sum that the registry gives for its archive."""
_MERMAID_SUM = "4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
_MERMAID_ADDRESS = re.compile(r'"https://unpkg\.com/mermaid@[\d.]+/dist/mermaid\.min\.js"')
"""Where the theme's script would load it from, when the first diagram of a page is drawn."""
_OWN_ADDRESS = (
    'new URL(JSON.parse(document.getElementById("__config").textContent).base+"/assets/mermaid.min.js",location).href'
)
"""The same beside the site's pages; a page says in its `__config` where the site's root is from it."""
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"?(https?:)?//[^\s>]*")
"""A tag that loads something from another host; a link that a reader follows is none."""
_LINKED = re.compile(r"rel=\"?(?:canonical|prev|next|alternate)")


def build() -> int:
    """Stage the pages, build them strictly, and look for what would be loaded from elsewhere; the exit code."""
    stage_site(ROOT, BUILD / "site-source")
    settings = shutil.copyfile(ROOT / SITE / "zensical.toml", BUILD / "zensical.toml")
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"]
    # The settings name our own function for anchors.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run([*command, "--config-file", str(settings)], env=environment, check=False)  # noqa: S603 - of this environment
    if built.returncode:
        return built.returncode
    bring_mermaid(OUTPUT / "assets" / "mermaid.min.js")
    load_own_mermaid(OUTPUT)
    foreign = find_foreign(OUTPUT)
    sys.stderr.writelines(f"{line}\n" for line in foreign)
    return 1 if foreign else 0


def bring_mermaid(target: Path) -> None:
    """Mermaid's one file, from its archive, which is fetched once; raises ValueError where the archive is another."""
    archive = BUILD / f"mermaid-{MERMAID}.tgz"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        npm = Path(sys.executable).with_name("npm")
        command = [str(npm), "pack", "--silent", f"mermaid@{MERMAID}", "--pack-destination", str(archive.parent)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - of this environment
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != _MERMAID_SUM:
        raise ValueError(f"{archive} has the SHA-512 {found}, and {_MERMAID_SUM} is expected; delete it and try again")
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/dist/mermaid.min.js")
        if member is None:
            raise ValueError(f"{archive} has no dist/mermaid.min.js")
        target.write_bytes(member.read())


def load_own_mermaid(site: Path) -> None:
    """Have the theme's script load the file that is here; ValueError if it does not load it as we know."""
    changed = 0
    for script in site.rglob("bundle*.js"):
        text, count = _MERMAID_ADDRESS.subn(_OWN_ADDRESS, script.read_text(encoding="utf-8"))
        script.write_text(text, encoding="utf-8")
        changed += count
    if changed != 1:
        raise ValueError(f"the theme loads Mermaid in {changed} places, and one is expected; see what it does now")


def find_foreign(site: Path) -> list[str]:
    """Each tag of a page that loads from another host."""
    return [f"{page.relative_to(site)}: {tag}" for page in sorted(site.rglob("*.html")) for tag in _find_loading(page)]


def _find_loading(page: Path) -> list[str]:
    tags = [tag[0] for tag in _LOADED.finditer(page.read_text(encoding="utf-8"))]
    return [tag for tag in tags if not _LINKED.search(tag)]


if __name__ == "__main__":
    sys.exit(build())
