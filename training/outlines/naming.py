"""What a definition is called, out of its node."""

import re
from typing import Any

Node = Any  # tree_sitter.Node

_RECEIVER = re.compile(r"(\w+)\s*(?:\[[^\]]*\])?\s*\)$")


def joined(scope: str, name: str) -> str:
    """A qualified name; either part may be empty."""
    return f"{scope}.{name}" if scope and name else scope or name


def own_name(node: Node) -> tuple[str, bool]:
    """A definition's own name, and whether it says that it is a method's."""
    receiver = node.child_by_field_name("receiver")
    named = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    name = declared(named) if named else ""
    if receiver:
        owner = _RECEIVER.search(receiver.text.decode())
        return joined(owner.group(1) if owner else "", name), True
    return name, named is not None and node.type == "function_definition" and "." in name


def declared(node: Node) -> str:
    """The name in a declarator, a type or a key: without stars, parameters and type arguments."""
    while inner := _within(node):
        node = inner
    if node.type == "qualified_identifier":
        scope, name = node.child_by_field_name("scope"), node.child_by_field_name("name")
        return joined(declared(scope) if scope else "", declared(name) if name else "")
    name = node.text.decode().strip("'\"")
    return re.sub(r"\s*(?:::|\.prototype\.|->)\s*", ".", name)


def _within(node: Node) -> Node | None:
    if node.type.endswith("declarator"):
        return node.child_by_field_name("declarator") or next(iter(node.named_children), None)
    if node.type in {"generic_type", "template_type", "template_function"}:
        return node.child_by_field_name("type") or node.child_by_field_name("name")
    return None
