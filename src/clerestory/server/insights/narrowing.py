"""Let the scan skip records that a filter would drop anyway.

    commands/rows -> [narrowing] -> builder -> program

The conditions made here are ones the engine can answer from its indexes.

Invariant: a condition never drops a record that the filter keeps; the filter itself still runs.
"""

from clerestory.server.insights import columns
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.tree import Binary, Literal, Name, Node, Within
from clerestory.server.insights.values import number_of


def narrow(builder: Builder, node: Node) -> None:
    """Add what can be known of a filter's condition to the scan."""
    if not builder.open or builder.matched is not None:
        return
    if condition := _condition(builder, node):
        builder.narrow(condition)


def _condition(builder: Builder, node: Node) -> str:
    if isinstance(node, Binary) and node.op in ("and", "or"):
        sides = [_condition(builder, side) for side in (node.left, node.right)]
        if node.op == "or":
            return f"({sides[0]} OR {sides[1]})" if all(sides) else ""
        return " AND ".join(side for side in sides if side)
    if isinstance(node, Binary) and node.op == "=":
        return _equal(builder, node.left, (node.right,)) or _equal(
            builder, node.right, (node.left,)
        )
    if isinstance(node, Within) and not node.negated and isinstance(node.items, tuple):
        return _equal(builder, node.operand, node.items)
    return ""


def _equal(builder: Builder, name: Node, items: tuple[Node, ...]) -> str:
    if not isinstance(name, Name) or len(name.path) > 1 or name.text.startswith("@"):
        return ""
    if name.text in builder.env and builder.env[name.text] != builder.event_field(name):
        return ""
    texts = [item.value for item in items if isinstance(item, Literal)]
    plain = [text for text in texts if isinstance(text, str) and _is_plain(text)]
    if len(plain) != len(items):
        return ""
    forms = [builder.parameter(form) for text in plain for form in (text, f'"{text}"')]
    return columns.one_of(builder, name.text, ", ".join(forms))


def _is_plain(text: str) -> bool:
    """Whether only this very text equals it: it is no number, and no empty text."""
    return bool(text) and number_of(text) is None
