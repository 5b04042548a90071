"""What is known of JSON fields as a document that another process reads: the same ``Node`` comes out of it.

Worked example: of the rows ``{"a": 1}`` and ``{"a": 2.50}`` the document is ``{"children": [["a", {"kinds": ["int",
"number"], "ends": [0, 1], "numbers": [2, 2, 2, 4]}]]}``. Names are in a list, since their order is that of the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from millrace.engine.formats.json.types import Kept, Node, Number, Numbers
from millrace.engine.parts.documents import Document, Json, get_document, get_items

_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    Number: "number",
    str: "text",
    dict: "object",
    list: "list",
}
_KINDS = {name: kind for kind, name in _NAMES.items()}


def to_document(node: Node) -> Document:
    """All that is known; what is as before anything was seen is left out."""
    document = dict[str, Json]()
    if node.kinds:
        document["kinds"] = sorted(map(_NAMES.__getitem__, node.kinds))
    if node.low or node.high:
        document["ends"] = [node.low, node.high]
    if node.numbers is not None:
        document["numbers"] = _to_list(node.numbers)
    if node.children:
        document["children"] = list(map(_to_pair, node.children, node.children.values()))
    if node.item is not None:
        document["item"] = to_document(node.item)
    return document


def _to_list(numbers: Numbers) -> Json:
    return [int(numbers.bare), int(numbers.dotted), numbers.scale, numbers.digits]


def _to_pair(name: str, child: Node) -> Json:
    return [name, to_document(child)]


def from_document(document: Document) -> Node:
    """The node that gave the document."""
    node = Node()
    if "kinds" in document:
        node.kinds = {_KINDS[str(name)] for name in get_items(document, "kinds")}
    if "ends" in document:
        node.low, node.high = cast("Sequence[int]", document["ends"])
    if "numbers" in document:
        bare, dotted, scale, digits = cast("tuple[int, int, int | None, int]", document["numbers"])
        node.numbers = Numbers(Kept(bare), Kept(dotted), scale, digits)
    if "children" in document:
        members = cast("Sequence[tuple[str, Document]]", document["children"])
        node.children = {name: from_document(child) for name, child in members}
    if "item" in document:
        node.item = from_document(get_document(document, "item"))
    return node
