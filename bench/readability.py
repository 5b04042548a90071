"""How the code reads to a stranger, in figures: `python bench/readability.py [DIR] [--list MEASURE] [--json]`.

Counts what a reader stumbles over: loose modules, floors of imports, dense expressions, missing reasons, names that
are no nouns or verbs, doubled class names, functions that are complex or long. Needs the standard library and radon.
Another codebase is measured with the same rules by naming its folder.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import statistics
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from radon.complexity import cc_visit

ROOT = Path(__file__).parents[1]
OWN_FOLDERS = ("functions", "infra")
MOST_COMPLEX = 8
MOST_LINES = 30
MOST_COLUMNS = 100
PARTICIPLES = re.compile(r"^_*[a-z]+(?:ed|en|un|ut)$|^_*(?:made|told|known|found|kept|held|said|read_back|sent|put)$")
"""Function names that are one bare participle: `judged`, `written`, `told`."""
NOT_PARTICIPLES = frozenset({"open", "feed", "need", "listen", "run", "input", "output", "cut"})
PRONOUNS = frozenset(
    {
        "one",
        "found",
        "known",
        "told",
        "made",
        "place",
        "other",
        "others",
        "here",
        "there",
        "each",
        "own",
        "mine",
        "theirs",
    }
)
"""Variable names that say nothing of what they hold."""


@dataclass
class Measures:
    """What was counted over all files of a codebase; each list holds `path:line name` of what counts against it."""

    lines: int = 0
    conditional: list[str] = field(default_factory=list)
    comprehensions: list[str] = field(default_factory=list)
    lambdas: list[str] = field(default_factory=list)
    comments: int = 0
    functions: list[str] = field(default_factory=list)
    participles: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    pronouns: list[str] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    complex_functions: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    long_functions: list[str] = field(default_factory=list)
    wide_lines: list[str] = field(default_factory=list)

    def doubled_classes(self) -> list[str]:
        """Class names that stand for two things or more."""
        return [f"{name}: {', '.join(places)}" for name, places in sorted(self.classes.items()) if len(places) > 1]


def python_files(root: Path) -> list[Path]:
    """The project's own folders, or every Python file of another codebase; tests are left out of both."""
    folders = [root / name for name in OWN_FOLDERS if (root / name).is_dir()] or [root]
    files = {path for folder in folders for path in folder.rglob("*.py")}
    return sorted(path for path in files if not {"tests", "test", ".venv"} & set(path.relative_to(root).parts))


def measure(root: Path) -> Measures:
    """Read every file once and count."""
    measures = Measures()
    for path in python_files(root):
        text = path.read_text()
        name = str(path.relative_to(root))
        _count_lines(measures, name, text)
        for node in ast.walk(ast.parse(text)):
            _count_node(measures, name, node)
        for block in cc_visit(text):
            if block.letter in {"F", "M"} and block.complexity > MOST_COMPLEX:
                measures.complex_functions.append(f"{name}:{block.lineno} {block.fullname} {block.complexity}")
    return measures


def _count_lines(measures: Measures, name: str, text: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        measures.lines += bool(line.strip())
        if len(line) > MOST_COLUMNS:
            measures.wide_lines.append(f"{name}:{number}")
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    measures.comments += sum(not re.match(r"#\s*(noqa|type:|pragma)", token.string) for token in comments)


def _count_node(measures: Measures, name: str, node: ast.AST) -> None:
    match node:
        case ast.IfExp():
            measures.conditional.append(f"{name}:{node.lineno}")
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            measures.comprehensions.append(f"{name}:{node.lineno}")
        case ast.Lambda():
            measures.lambdas.append(f"{name}:{node.lineno}")
        case ast.ClassDef():
            measures.classes[node.name.lstrip("_")].append(f"{name}:{node.lineno}")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _count_function(measures, name, node)


def _count_function(measures: Measures, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    where = f"{name}:{node.lineno} {node.name}"
    measures.functions.append(where)
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    measures.lengths.append(length)
    if length > MOST_LINES:
        measures.long_functions.append(f"{where} {length}")
    if PARTICIPLES.match(node.name) and node.name.lstrip("_") not in NOT_PARTICIPLES and not _is_property(node):
        measures.participles.append(where)
    for variable, line in _variables(node):
        measures.variables.append(variable)
        if variable in PRONOUNS:
            measures.pronouns.append(f"{name}:{line} {variable}")


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(mark, ast.Name) and mark.id in {"property", "cached_property"} for mark in node.decorator_list
    )


def _variables(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, int]]:
    """Names that a function's statements bind; those of a comprehension live for one line and do not count."""
    inside = {id(name) for part in ast.walk(function) if isinstance(part, ast.comprehension) for name in ast.walk(part)}
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        yield argument.arg, argument.lineno
    for part in ast.walk(function):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and id(part) not in inside:
            yield part.id, part.lineno


def count_loose_modules(root: Path) -> int:
    """The most modules that lie side by side in one folder."""
    folders = Counter(path.parent for path in python_files(root) if path.name != "__init__.py")
    return max(folders.values(), default=0)


def count_floors(root: Path) -> int:
    """The longest chain of imports between the library's rooms: a folder, or a module that lies beside folders."""
    library = root / "functions" / "millrace"
    if not library.is_dir():
        return 0
    rooms = {path.stem if path.is_file() else path.name for path in library.iterdir() if _is_room(path)}
    needs = {room: set(_imported_rooms(library, room, rooms)) - {room} for room in rooms}
    depths: dict[str, int] = {}

    def depth(room: str, above: tuple[str, ...] = ()) -> int:
        if room in above:
            raise SystemExit(f"a circle of imports: {' -> '.join((*above, room))}")
        if room not in depths:
            depths[room] = 1 + max((depth(lower, (*above, room)) for lower in needs[room]), default=0)
        return depths[room]

    return max(map(depth, rooms))


def _is_room(path: Path) -> bool:
    return (path.is_dir() and (path / "__init__.py").is_file()) or (path.suffix == ".py" and path.stem != "__init__")


def _imported_rooms(library: Path, room: str, rooms: set[str]) -> Iterator[str]:
    place = library / room
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("millrace."):
                target = node.module.split(".")[1]
                if target in rooms:
                    yield target


def table(root: Path) -> dict[str, float]:
    """The measures under their names."""
    measures = measure(root)
    thousands = measures.lines / 1000
    return {
        "modules side by side": count_loose_modules(root),
        "floors": count_floors(root),
        "conditional expressions per 1,000 lines": round(len(measures.conditional) / thousands, 1),
        "comprehensions per 1,000 lines": round(len(measures.comprehensions) / thousands, 1),
        "lambdas per 1,000 lines": round(len(measures.lambdas) / thousands, 1),
        "comment lines, %": round(100 * measures.comments / measures.lines, 1),
        "function names that are participles, %": _share(measures.participles, measures.functions),
        "variables that are pronouns, %": _share(measures.pronouns, measures.variables),
        "class names that stand for two things": len(measures.doubled_classes()),
        f"functions of complexity > {MOST_COMPLEX}": len(measures.complex_functions),
        f"functions > {MOST_LINES} lines": len(measures.long_functions),
        "function lines, 90th percentile": statistics.quantiles(measures.lengths, n=10)[-1] if measures.lengths else 0,
        f"lines > {MOST_COLUMNS} columns": len(measures.wide_lines),
        "lines of code": measures.lines,
    }


def _share(part: list[str], whole: list[str]) -> float:
    return round(100 * len(part) / max(1, len(whole)), 1)


def _listed(measures: Measures, name: str) -> Iterable[str]:
    if name == "doubled_classes":
        return measures.doubled_classes()
    listed: list[str] = getattr(measures, name)
    return listed


def main() -> None:
    """Print the table, or what counts against one measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="the codebase; default: this project")
    lists = ("conditional", "comprehensions", "lambdas", "participles", "pronouns", "doubled_classes")
    lists += ("complex_functions", "long_functions", "wide_lines")
    parser.add_argument("--list", choices=lists, help="print the places that count against one measure")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    given = parser.parse_args()
    if given.list:
        print(*_listed(measure(given.folder), given.list), sep="\n")
    elif given.json:
        print(json.dumps(table(given.folder), indent=2))
    else:
        for name, value in table(given.folder).items():
            print(f"{name:45} {value:>8}")


if __name__ == "__main__":
    main()
