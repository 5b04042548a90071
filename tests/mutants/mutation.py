"""Which small faults can be put into a module: pure, from source text to source text.

A mutant changes one node of the syntax tree, in the text itself. What cannot change behaviour is passed over:
docstrings, annotations, messages for people, decorators, protocols and what runs for type checkers alone.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_OTHER_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small fault: where it is, what it changes, and the module's text with it."""

    module: str
    function: str
    line: int
    lines: frozenset[int]
    """Those of the statement that is changed: a test that runs none of them cannot notice."""
    before: str
    after: str
    source: str
    around: str
    """The text of its function as it is without the fault: what is known of a mutant is true while this is the same."""
    number: int = 1
    """Which one it is among those of its function that read alike."""

    @property
    def key(self) -> str:
        """What a list of explained survivors calls it; holds no line number, so that it outlives other changes."""
        which = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}{which}"


def find_mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its text; the lines of functions keep their numbers."""
    lines = source.encode().splitlines(keepends=True)
    alike: Counter[tuple[str, str, str]] = Counter()
    for place in _places(ast.parse(source)):
        for replacement in _replacements(place.node):
            mutant = _to_mutant(module, place, replacement, lines)
            name = (mutant.function, mutant.before, mutant.after)
            alike[name] += 1
            yield replace(mutant, number=alike[name])


def _to_mutant(module: str, place: _Place, replacement: ast.AST, lines: list[bytes]) -> Mutant:
    node = place.node
    first, last = place.around.lineno - 1, place.around.end_lineno
    return Mutant(
        module=module,
        function=place.function,
        line=node.lineno,
        lines=_header(place.statement) | _header(node),
        before=_line(node),
        after=_line(replacement),
        source=_splice(lines, node, replacement),
        around=b"".join(lines[first:last]).decode(),
    )


def _header(node: ast.expr | ast.stmt) -> frozenset[int]:
    """The lines of a node, but not those of a block inside it. Example: of an `if` the lines of its condition."""
    last = node.end_lineno or node.lineno
    if isinstance(node, ast.Match):
        last = node.subject.end_lineno or node.lineno
    elif isinstance(node, ast.stmt) and hasattr(node, "body"):
        last = max(node.lineno, node.body[0].lineno - 1)
    return frozenset(range(node.lineno, last + 1))


def _splice(lines: list[bytes], node: ast.expr | ast.stmt, replacement: ast.AST) -> str:
    """The text with one node replaced. Example: `if a < b:` becomes `if (a <= b):`.

    What spanned several lines is followed by as many line ends, so that all below keeps its line.
    """
    if isinstance(node, ast.If) and isinstance(replacement, ast.If):
        node, replacement = node.test, replacement.test
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    text = ast.unparse(replacement).encode() + b"\n" * (last - first)
    if isinstance(node, ast.expr):
        text = b"(" + text + b")"
    before, behind = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], before, text, behind, *lines[last + 1 :]]).decode()


def _line(node: ast.AST) -> str:
    text = f"if {ast.unparse(node.test)}:" if isinstance(node, ast.If) else ast.unparse(node)
    return " ".join(text.split())[:120]


_NO_BEHAVIOUR = {"annotation", "returns", "decorator_list", "type_params", "bases"}


@dataclass(frozen=True, slots=True)
class _Place:
    """An expression or statement, the innermost statement with it, and the innermost function or class around it."""

    function: str
    around: ast.stmt
    statement: ast.stmt
    node: ast.expr | ast.stmt


def _places(tree: ast.Module) -> Iterator[_Place]:
    """Every place inside a function or class, in the order of the text."""
    for statement in tree.body:
        yield from _places_below(statement, _Place("", statement, statement, statement))


def _places_below(node: ast.AST, place: _Place) -> Iterator[_Place]:
    if _is_passed_over(node):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = replace(place, function=f"{place.function}.{node.name}".lstrip("."), around=node)
    for child in _children(node):
        if _is_guard(child):
            continue
        inner = place
        if isinstance(child, ast.expr | ast.stmt):
            statement = child if isinstance(child, ast.stmt) else place.statement
            inner = replace(place, statement=statement, node=child)
            if place.function:
                yield inner
        yield from _places_below(child, inner)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        values = value if isinstance(value, list) else [value]
        if name not in _NO_BEHAVIOUR:
            yield from (child for child in values if isinstance(child, ast.AST))


def _is_passed_over(node: ast.AST) -> bool:
    """Protocols, messages and docstrings: nothing of them decides anything."""
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    # What is raised is told apart by its type; its message is for people.
    return isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert)


def _is_guard(node: ast.AST) -> bool:
    """What only a mistake of our own would reach: `assert_never(...)`, `zip(..., strict=True)`."""
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "assert_never"


def _replacements(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    """What may stand in place of a node. Example: `a < b` gives `a <= b`; `a and b` gives `a or b`, `b` and `a`."""
    if isinstance(node, ast.stmt):
        yield from _replaced_statements(node)
    else:
        yield from _replaced_values(node)


def _replaced_values(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            yield _changed(node, ops=[_COMPARISONS[type(operator)]()])
        case ast.BoolOp():
            yield from _replaced_logic(node)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not _is_text(node):
            yield _changed(node, op=_ARITHMETIC[type(node.op)]())
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Constant(value=bool()):
            yield _changed(node, value=not node.value)
        case ast.Constant(value=int() | float() as number):
            yield _changed(node, value=number + 1)
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_FUNCTIONS:
            yield _changed(node, func=ast.Name(id=_OTHER_FUNCTIONS[name], ctx=ast.Load()))


def _replaced_logic(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield _changed(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    for index in range(len(node.values)):
        rest = [value for at, value in enumerate(node.values) if at != index]
        yield rest[0] if len(rest) == 1 else _changed(node, values=rest)


def _replaced_statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.If() if not _is_for_types(node):
            yield _changed(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
        case ast.Expr(value=ast.Call()):
            yield ast.copy_location(ast.Pass(), node)
        case ast.Continue():
            yield ast.copy_location(ast.Break(), node)
        case ast.Return(value=ast.expr() as value) if not _is_none_or_bool(value):
            yield _changed(node, value=ast.Constant(value=None))


def _is_none_or_bool(node: ast.expr) -> bool:
    """None in place of False decides the same; that False becomes True is a mutant of its own."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _is_text(node: ast.BinOp) -> bool:
    """Sums and unions of text or types have no other operator."""
    parts = (node.left, node.right)
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in parts
    )


def _is_for_types(node: ast.If) -> bool:
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
