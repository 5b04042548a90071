"""Which file of somebody's own goes where: by one clear rule, and refused if two places are possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.config.document import Document
from millrace.config.layout import Folder
from millrace.errors import UsageError
from millrace.objects.references import ObjectRef
from millrace.wording import join_names


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of this machine, and the object that it becomes."""

    file: Path
    ref: ObjectRef


def list_sources(document: Document) -> dict[str, Folder]:
    """The folder of each connection that an active sync reads, by the connection's name."""
    names = sorted(document.read_connections())
    return {name: document.connection(name).root for name in names}


def place_folders(given: Sequence[str], sources: Mapping[str, Folder]) -> list[SentFile]:
    """What becomes of the files of each ``--data``: ``DIR``, or ``CONNECTION=DIR``.

    With one source, all files of DIR go below its folder. With several, each sub-folder of DIR bears the name of one.
    Raises UsageError for a folder that is not there, for one without files, and if there are two readings.
    """
    sent: list[SentFile] = []
    for text in given:
        placed = list(_place_folder(text, sources))
        if not placed:
            raise UsageError(
                f"--data {text}: there is no file in it; files and folders that begin with a dot are not sent"
            )
        sent += placed
    _refuse_doubles(sent)
    return sent


def place_files(files: Sequence[Path], to: str | None, sources: Mapping[str, Folder]) -> list[SentFile]:
    """What becomes of single files: each goes below the folder of the source ``to``, or of the only one."""
    target = _choose_source(to, sources)
    sent = []
    for file in files:
        if not file.is_file():
            raise UsageError(f"--upload {file}: {'it is a folder; name its files' if file.is_dir() else 'not there'}")
        sent.append(SentFile(file, object_in(target, file.name)))
    _refuse_doubles(sent)
    return sent


def _place_folder(text: str, sources: Mapping[str, Folder]) -> Iterator[SentFile]:
    name, sign, rest = text.partition("=")
    if sign and name in sources:
        _refuse_both_forms(text, name, rest)
        return _place_all(_check_folder(Path(rest), text), sources[name])
    folder = _check_folder(Path(text), text)
    if len(sources) == 1:
        (target,) = sources.items()
        return _place_at_only(folder, *target)
    return _place_by_name(folder, sources)


def _refuse_both_forms(text: str, name: str, rest: str) -> None:
    """Raise UsageError for ``inbox=files`` if a folder is called just so."""
    if Path(text).exists():
        raise UsageError(
            f"--data {text}: a folder is called so, and {name!r} is a connection. "
            f"For the folder say --data ./{text}; for {rest} to the connection say --data {name}=./{rest}"
        )


def _place_at_only(folder: Path, name: str, target: Folder) -> Iterator[SentFile]:
    if (folder / name).is_dir():
        raise UsageError(_describe_doubt(folder, folder / name, target))
    return _place_all(folder, target)


def _place_by_name(folder: Path, sources: Mapping[str, Folder]) -> Iterator[SentFile]:
    _refuse_unnamed(folder, sources)
    for path in _list_entries(folder):
        yield from _place_all(path, sources[path.name])


def _check_folder(folder: Path, text: str) -> Path:
    if not folder.is_dir():
        raise UsageError(f"--data {text}: {folder} is not a folder")
    return folder


def _list_entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _place_all(folder: Path, target: Folder) -> Iterator[SentFile]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and not any(part.startswith(".") for part in name.parts):
            yield SentFile(file, object_in(target, name.as_posix()))


def object_in(folder: Folder, path: str) -> ObjectRef:
    """The object at a path below a folder."""
    return ObjectRef(folder.bucket, folder.prefix + path)


def _describe_doubt(folder: Path, named: Path, target: Folder) -> str:
    """One source, called ``inbox``, and a sub-folder ``inbox`` in what is sent to it."""
    as_connection, as_folder = f"{target}", f"{target}/{named.name}"
    return (
        f"--data {folder}: its folder {named.name!r} has the name of the connection. Its files may belong into "
        f"{as_connection} or into {as_folder}. For the first say --data {named.name}={named}, "
        f"for the second say --data {named.name}={folder}"
    )


def _refuse_unnamed(folder: Path, sources: Mapping[str, Folder]) -> None:
    """Raise UsageError for what no source's name says a place of."""
    unnamed = [path.name for path in _list_entries(folder) if not (path.is_dir() and path.name in sources)]
    if unnamed:
        places = "; ".join(f"--data {name}={folder} sends all to {root}" for name, root in sources.items())
        raise UsageError(
            f"--data {folder}: {join_names(unnamed[:5])} may go to any of the sources {join_names(sources)}. "
            f"Have a sub-folder with the name of each source, or say which is meant: {places}"
        )


def _choose_source(name: str | None, sources: Mapping[str, Folder]) -> Folder:
    if name is None and len(sources) == 1:
        (only,) = sources.values()
        return only
    if name is None:
        readings = "; ".join(f"--to {source} is {root}" for source, root in sources.items())
        raise UsageError(f"--upload: there are several sources; say which is meant: {readings}")
    if name not in sources:
        raise UsageError(f"--to {name}: no active sync reads such a connection; there are {join_names(sources)}")
    return sources[name]


def _refuse_doubles(sent: Sequence[SentFile]) -> None:
    """Raise UsageError if two files would be one object: the second would replace the first."""
    first: dict[ObjectRef, Path] = {}
    for each in sent:
        if each.ref in first:
            raise UsageError(f"{first[each.ref]} and {each.file} would both be {each.ref}; rename one of them")
        first[each.ref] = each.file
