"""Which small faults can be put into a module: pure, from source text to source text.

A mutant changes one node of the syntax tree. What cannot change behaviour is passed over: docstrings, annotations,
messages for people, decorators, protocols and what runs for type checkers alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

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
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """What a list of explained survivors calls it; holds no line number, so that it outlives other changes."""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}"


def find_mutants(module: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its text."""
    tree = ast.parse(source)
    for function, parent, name, index in _places(tree):
        node = _at(parent, name, index)
        for replacement in _replacements(node):
            _put(parent, name, index, replacement)
            text = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, name, index, node)
            yield Mutant(module, function, node.lineno, _line(node), _line(replacement), text)


def _line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:120]


def _at(parent: ast.AST, name: str, index: int | None) -> ast.expr | ast.stmt:
    value = getattr(parent, name)
    found: ast.expr | ast.stmt = value if index is None else value[index]
    return found


def _put(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


_NO_BEHAVIOUR = {"annotation", "returns", "decorator_list", "type_params", "bases"}


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.AST, str, int | None]]:
    """Where an expression or statement stands: the function around it, its parent, the field and the index in it."""

    def visit(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST, str, int | None]]:
        if _is_passed_over(node):
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        for name, value in ast.iter_fields(node):
            if name in _NO_BEHAVIOUR:
                continue
            children = value if isinstance(value, list) else [value]
            for index, child in enumerate(children):
                if isinstance(child, ast.expr | ast.stmt) and function:
                    yield function, node, name, index if isinstance(value, list) else None
                if isinstance(child, ast.AST):
                    yield from visit(child, function)

    yield from visit(tree, "")


def _is_passed_over(node: ast.AST) -> bool:
    """Protocols, messages and docstrings: nothing of them decides anything."""
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    # What is raised is told apart by its type; its message is for people.
    return isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert)


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
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield _changed(node, value=ast.Constant(value=None))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


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
