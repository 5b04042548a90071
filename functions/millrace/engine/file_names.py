"""What names of files say: whether they outweigh a format that is told, name an archive, or are hidden."""

from __future__ import annotations

from dataclasses import replace

from millrace.engine.options import (
    Compression,
    FileFormat,
    ReadOptions,
    RecognisedKey,
    recognise,
    split_compression,
    words_of,
)

ARCHIVE_EXTENSIONS = (
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.zst",
    ".tzst",
    ".tar.xz",
    ".txz",
)
"""What a key ends in that names an archive of files."""
NEUTRAL_EXTENSIONS = (".txt", ".text", ".dat", ".psv", ".log", ".out", ".tab", ".tbl", ".unl")
"""Extensions that say nothing of a format, and are no part of a table's name."""
_OTHER_EXTENSIONS = (
    # Checksums, signatures, encrypted files; marks of other programs that a file is there, or is not whole yet.
    frozenset({".md5", ".sha1", ".sha256", ".sha512", ".crc", ".sig", ".asc", ".gpg", ".pgp", ".p7m"})
    | frozenset({".ok", ".done", ".ready", ".trg", ".ctl", ".flag", ".lock", ".manifest"})
    | frozenset({".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".bak", ".swp"})
    # Documents, pictures, programs, databases, other archives.
    | frozenset({".pdf", ".doc", ".docx", ".ppt", ".pptx", ".rtf", ".html", ".htm", ".css", ".md"})
    | frozenset({".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".xml", ".xsd", ".proto"})
    | frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".mp3", ".mp4"})
    | frozenset(
        {".exe", ".dll", ".so", ".jar", ".class", ".py", ".sh", ".sql", ".js", ".yaml", ".yml", ".toml", ".ini"}
    )
    | frozenset({".db", ".sqlite", ".7z", ".rar", ".cab", ".iso", ".bin", ".pkl", ".npy", ".h5", ".idx", ".z"})
)
"""Extensions that say what a file is, and that it holds no rows of a format that is told."""


def recognise_told(key: str, told: FileFormat) -> RecognisedKey | None:
    """A file whose format a configuration tells: an extension that says nothing does not outweigh that.

    ``export.txt``, ``0000_part_00.gz``, ``orders.20261128`` and ``KONTO.A01`` are of the told format, ``orders.json``
    is JSON all the same, and None is given for ``orders.pdf`` and ``orders.csv.md5``. Only extensions that always say
    nothing are cut off: ``KONTO.A01`` and ``KONTO.A02`` are two files.
    """
    known = recognise(key)
    if known is not None:
        return known
    path, compression = split_compression(key)
    name = path.rpartition("/")[2].lower()
    extension = _extension_of(name)
    is_packed_around = words_of(told).compresses_inside and compression is not Compression.NONE
    says_something_else = extension in _OTHER_EXTENSIONS or is_archive(key)
    if not name or is_packed_around or says_something_else:
        return None
    if extension in NEUTRAL_EXTENSIONS:
        path = path[: -len(extension)]
    return RecognisedKey(told, compression, path)


def _extension_of(name: str) -> str:
    """What a name ends in, with its dot; ``.txt`` is all of a name, and no extension."""
    stem, dot, extension = name.rpartition(".")
    return dot + extension if stem else ""


def with_extensions(options: ReadOptions, found: RecognisedKey) -> ReadOptions:
    """Options with what a key's extensions add: its compression, and its delimiter where none is given."""
    return replace(options, compression=found.compression, delimiter=options.delimiter or found.delimiter)


def is_archive(key: str) -> bool:
    """Whether a key names an archive of files."""
    return key.lower().endswith(ARCHIVE_EXTENSIONS)


def without_archive_extension(name: str) -> str:
    """An archive's name without what says that it is one."""
    # Of ".tar.gz" and ".gz" the longer is meant.
    for extension in sorted(ARCHIVE_EXTENSIONS, key=len, reverse=True):
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return name


def is_hidden_segment(segment: str) -> bool:
    """Whether a part of a name hides what it names, by the convention of Hadoop, Spark, Hive and Delta.

    ``.`` and ``..`` are no names but ways.
    """
    return segment.startswith(("_", ".")) and segment not in {".", ".."}
