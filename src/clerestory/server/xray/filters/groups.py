"""Groups in filter expressions: a group stands for its own expression.

catalog -> [groups] -> selection
"""

from collections.abc import Mapping

from clerestory.model.errors import QueryError
from clerestory.server.xray.catalog.catalog import Group
from clerestory.server.xray.filters import tree
from clerestory.server.xray.filters.parser import parse
from clerestory.server.xray.filters.tree import ALWAYS, Expression
from clerestory.server.xray.names import named_by


def expression_of(group: Group) -> Expression:
    """Return what a group's traces have to fulfil."""
    return parse(group.expression) if group.expression else ALWAYS


def resolved(expression: Expression, groups: Mapping[str, Group]) -> Expression:
    """Return an expression with every group as its own expression.

    Raises:
        QueryError: There is no such group.
    """
    if isinstance(expression, tree.Every):
        return tree.Every(tuple(resolved(part, groups) for part in expression.parts))
    if isinstance(expression, tree.Some):
        return tree.Some(tuple(resolved(part, groups) for part in expression.parts))
    if isinstance(expression, tree.Not):
        return tree.Not(resolved(expression.part, groups))
    if not isinstance(expression, tree.Compared) or expression.keyword not in tree.GROUPS:
        return expression
    told = str(expression.value)
    name = told if expression.keyword == "group.name" else named_by(told)[1]
    if name not in groups:
        raise QueryError(f"there is no group {told[:100]!r}", position=0)
    found = expression_of(groups[name])
    return found if expression.op == "=" else tree.Not(found)
