"""Lambda's machine in small: Debian's Python 3.13 for arm64, run by QEMU, with nothing installed on this machine.

The packages come from the mirror that this machine's apt uses, by a configuration of their own, and are only unpacked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.places import ROOT

CACHE = ROOT / "build" / "arm64"
SUITE = "trixie"
"""The Debian that has Python 3.13."""
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PACKAGES = ("python3.13-minimal", "libpython3.13-stdlib", "libstdc++6", "tzdata")
_QEMU = "qemu-user:amd64"
_TOOLS = ("apt-get", "dpkg", "dpkg-deb", "tar")
_MOST_SECONDS = 240


class NoArm64(Exception):
    """This machine cannot have it: the reason is for the skipped test."""


@dataclass(frozen=True, slots=True)
class Arm64:
    """An emulator and the file system that its programs see."""

    qemu: Path
    root: Path

    def run(
        self, arguments: Sequence[str], *, path: Sequence[Path], environment: Mapping[str, str], byte_code: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run Python for arm64 with these folders to import from, and nothing of this machine's environment.

        What it compiles is kept in ``byte_code``, for the next run: QEMU takes 35 s for all modules.
        """
        return subprocess.run(  # noqa: S603 - programs that apt has verified, and ours
            [str(self.qemu), "-L", str(self.root), str(self.root / "usr" / "bin" / "python3.13"), *arguments],
            env={
                **environment,
                "PYTHONHOME": str(self.root / "usr"),
                "PYTHONPATH": ":".join(map(str, path)),
                "PYTHONPYCACHEPREFIX": str(byte_code),
                "PATH": os.defpath,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )


def find_arm64(cache: Path = CACHE) -> Arm64:
    """The machine, unpacked unless it is there. Raises NoArm64 with the reason if it cannot be had."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoArm64(f"arm64 is tried with Debian's packages, and there is no {' or '.join(missing)} here")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers of the suite ask for it at once
        built = cache / SUITE
        if not built.is_dir():
            _unpack(built)
    return Arm64(built / "qemu" / "usr" / "bin" / "qemu-aarch64", built / "root")


def _unpack(built: Path) -> None:
    with tempfile.TemporaryDirectory(dir=built.parent) as temporary:
        folder = Path(temporary)
        archives = _download(folder / "apt")
        root, qemu = folder / "whole" / "root", folder / "whole" / "qemu"
        (root / "usr" / "lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")  # where programs look for their loader
        qemu.mkdir()
        for archive in archives:
            if archive.name.startswith("qemu-user"):
                _call(["sh", "-c", f"dpkg-deb --fsys-tarfile '{archive}' | tar -xC '{qemu}' ./usr/bin/qemu-aarch64"])
            else:
                _call(["dpkg", "-x", str(archive), str(root)])
        (folder / "whole").rename(built)


def _download(folder: Path) -> list[Path]:
    """The packages and what they depend on, verified by apt; its lists and its cache are in ``folder`` alone."""
    for name in ("state/lists/partial", "cache/archives/partial", "parts"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_find_mirror()} {SUITE} main\n")
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": folder / "parts",
        "APT::Architecture": "arm64",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    (folder / "apt.conf").write_text("\n".join([*lines, 'APT::Architectures {"arm64"; "amd64";};', ""]))
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    _call(["apt-get", "-qq", "update"], environment)
    install = ["apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", "install"]
    _call([*install, *_PACKAGES, _QEMU], environment)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _find_mirror() -> str:
    """The address of Debian's archive that this machine's own apt has."""
    listed = _call(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    for address in listed.split():
        if address.rstrip("/").endswith("/debian"):
            return address
    raise NoArm64("arm64 is tried with Debian's packages, and this machine's apt has no mirror of Debian")


def _call(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - Debian's tools
            command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise NoArm64(f"Debian's packages for arm64 did not come within {_MOST_SECONDS} s") from error
    if done.returncode:
        reason = done.stderr.strip().splitlines() or ["no reason given"]
        raise NoArm64(f"Debian's packages for arm64 cannot be had here: {reason[-1]}")
    return done.stdout
