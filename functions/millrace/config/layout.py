"""How the objects below a source's folder make tables, and the folders themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self, TypeAlias, assert_never

from millrace.engine.options import SOURCE_FORMATS, FileFormat


@dataclass(frozen=True, slots=True)
class MultiTable:
    """Every object is a table of its own; its format is read off its extension."""


@dataclass(frozen=True, slots=True)
class SingleTable:
    """Every object below the folder, at any depth, is a file of one table."""

    name: str
    format: FileFormat


@dataclass(frozen=True, slots=True)
class DirectorySnapshot:
    """Every directory that matches ``glob``, relative to the folder, is a table."""

    glob: str
    formats: tuple[FileFormat, ...]


Layout: TypeAlias = MultiTable | SingleTable | DirectorySnapshot


def formats_of(layout: Layout) -> tuple[FileFormat, ...]:
    """The formats that files may have."""
    match layout:
        case SingleTable(format=only):
            return (only,)
        case DirectorySnapshot(formats=formats):
            return formats
        case MultiTable():
            return SOURCE_FORMATS
        case _:
            assert_never(layout)


@dataclass(frozen=True, slots=True, order=True)
class Folder:
    """A bucket and a path in it without leading or trailing slash, ``""`` for all of it; prints as ``s3://…``."""

    bucket: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``s3://bucket/folder``, ``bucket/folder`` or ``bucket``; raise ValueError with what was expected."""
        bucket, _, path = text.removeprefix("s3://").partition("/")
        if "://" in bucket + "/" + path or bucket.startswith("arn:") or bucket in {"https:", "http:", "s3a:", "s3n:"}:
            raise ValueError("s3://bucket/folder, bucket/folder or bucket, not another kind of address")
        _check_bucket(bucket)
        if path.startswith("/"):
            raise ValueError("one slash between bucket and folder")
        return cls(bucket, parse_path(path))

    @property
    def prefix(self) -> str:
        """What the key of every object in it begins with: the path and a slash, or nothing."""
        return f"{self.path}/" if self.path else ""

    def child(self, path: str) -> Folder:
        """Give the folder at ``path`` below this one; the folder itself for ``""``."""
        return Folder(self.bucket, f"{self.prefix}{path}".strip("/"))

    def contains(self, folder: Folder) -> bool:
        """Tell whether ``other`` is this folder or lies below it, segment by segment: ``a/b`` is not in ``a/bc``."""
        return self.bucket == folder.bucket and (folder.prefix or "/").startswith(self.prefix)

    def overlaps(self, folder: Folder) -> bool:
        """Tell whether the two share any key."""
        return self.contains(folder) or folder.contains(self)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.path}".rstrip("/")


def parse_path(text: str) -> str:
    """Normalise a path in a bucket to have no leading or trailing slash; raise ValueError with what was expected."""
    path = text.removeprefix("/").removesuffix("/")
    segments = path.split("/")
    if path and "" in segments:
        raise ValueError("a path without empty segments (two slashes in a row)")
    if {".", ".."} & set(segments):
        raise ValueError("a path without the segments '.' and '..': S3 keeps them as names, many tools do not")
    if re.search(r"[*?\x00-\x1f\x7f]|\$\{", path):
        raise ValueError("a path without '*', '?', '${' and control characters: in a policy they would grant more")
    if len(path.encode(errors="surrogatepass")) > _LONGEST_PATH:
        raise ValueError(f"a path of at most {_LONGEST_PATH} bytes, so that keys below it fit S3's 1,024")
    return path


def parse_glob(text: str) -> str:
    """Normalise a directory glob; raise ValueError with what was expected."""
    glob = text.strip("/")
    segments = glob.split("/")
    if not glob or "" in segments:
        raise ValueError("a glob of directories relative to the folder, such as '*' or 'tenant=*/orders'")
    if any("**" in segment and segment != "**" for segment in segments):
        raise ValueError("'**' as a whole segment, such as 'exports/**/orders'")
    # A "[" that is left when all classes are taken out is not closed. `[!]a]` is one class: behind `[!` a "]" is a
    # character like others.
    if any(re.sub(r"\[!?\]?[^\]]*\]", "", segment).count("[") for segment in segments):
        raise ValueError("every '[' closed by a ']' in the same segment")
    return glob


_LONGEST_PATH = 700
"""Of the 1,024 bytes of a key: below it come partitions and names of files."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# 192.168.0.1 has the form of a bucket's name, and S3 refuses it.
_IP_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def _check_bucket(name: str) -> None:
    """Hold a bucket's name to the Amazon S3 User Guide, "General purpose bucket naming rules"."""
    if not _BUCKET.fullmatch(name) or ".." in name or _IP_ADDRESS.fullmatch(name):
        raise ValueError(
            "a bucket's name of 3 to 63 lower-case letters, digits, dots and hyphens that begins and ends with a"
            " letter or digit, with an optional folder: s3://bucket/folder, bucket/folder or bucket"
        )
    if name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES):
        raise ValueError("the name of a general purpose bucket; this prefix or suffix is reserved by S3")
