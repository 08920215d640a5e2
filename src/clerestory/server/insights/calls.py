"""Turn expressions into typed SQL: operators here, functions from the registry.

    tree -> [calls] -> builder -> program -> run

Invariant: every value that was typed travels as a parameter; the SQL text is made of our words
and of numbers.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import (
    Binary,
    Call,
    Duration,
    Literal,
    Name,
    Node,
    Query,
    Regex,
    Star,
    Unary,
    Within,
)
from clerestory.server.insights.registry import Function, describe_call, functions, nearest
from clerestory.server.insights.values import Sql

_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})


def value_of(builder: Builder, node: Node) -> Sql:
    """Return the SQL of an expression.

    Raises:
        QueryError: A function is unknown or misused, or a name stands for nothing.
    """
    if isinstance(node, Literal):
        return literal(builder, node)
    if isinstance(node, Name):
        return builder.field(node)
    if isinstance(node, Call):
        return builder.result(node.at) or _call(builder, node)
    if isinstance(node, Unary):
        return _unary(builder, node)
    if isinstance(node, Binary):
        return _binary(builder, node)
    if isinstance(node, Within):
        return _within(builder, node)
    raise _misplaced(node)


def literal(builder: Builder, node: Literal) -> Sql:
    """Return the SQL of a value that is spelled out."""
    if isinstance(node.value, bool):
        return Sql("bool", "1" if node.value else "0", node.value)
    if isinstance(node.value, str):
        return Sql("text", builder.parameter(node.value), node.value)
    if node.value in (float("inf"), float("-inf")):
        raise wrong("the number is too large", node.at)
    return Sql("number", repr(node.value), node.value)


def _misplaced(node: Node) -> Exception:
    if isinstance(node, Regex):
        hint = "a regular expression stands after `like`, `=~` or `parse`"
        return wrong("a regular expression has no value of its own", node.at, hint)
    if isinstance(node, Duration):
        hint = "a duration belongs into bin(5m), datefloor(t, 1h) and the like"
        return wrong("a duration has no value of its own", node.at, hint)
    return wrong("`*` belongs into count(*)", node.at)


def _unary(builder: Builder, node: Unary) -> Sql:
    operand = value_of(builder, node.operand)
    if node.op == "not":
        return Sql("bool", f"(NOT {values.truth(builder, operand)})")
    if isinstance(operand.constant, float):
        return Sql("number", f"({-operand.constant!r})", -operand.constant)
    return Sql("number", f"(- {values.number(builder, operand)})")


def _binary(builder: Builder, node: Binary) -> Sql:
    if node.op in ("like", "not like", "=~"):
        return _like(builder, node)
    left, right = value_of(builder, node.left), value_of(builder, node.right)
    if node.op in ("and", "or"):
        sides = [values.truth(builder, side) for side in (left, right)]
        return Sql("bool", f"({sides[0]} {node.op.upper()} {sides[1]})")
    if node.op in _COMPARISONS:
        return values.compare(builder, node.op, left, right)
    return _arithmetic(builder, node.op, left, right)


def _arithmetic(builder: Builder, op: str, left: Sql, right: Sql) -> Sql:
    first, second = values.number(builder, left), values.number(builder, right)
    if op in "+-*":
        made = f"({first} {op} {second})"
    elif op == "^":
        made = f"pow({first}, {second})"
    elif op == "/":
        second = second if right.constant is not None else builder.bind(second)
        made = f"if({second} = 0, NULL, {first} / {second})"
    else:
        # the engine's remainder is rounded away where the quotient has more digits than a number
        first, second = builder.bind(first), builder.bind(second)
        beyond = f"abs({first} / {second}) >= {values.QUOTIENT_MAX}"
        made = f"if({second} = 0 OR {beyond}, NULL, modulo({first}, {second}))"
    return Sql("number", made if op in "+-" else values.finite(builder, made))


def _like(builder: Builder, node: Binary) -> Sql:
    text = values.text_of(builder, value_of(builder, node.left))
    if isinstance(node.right, Regex):
        found = f"match({text}, {builder.regex(node.right.pattern, node.right.at)})"
    else:
        needle = values.text_of(builder, value_of(builder, node.right))
        found = f"position({text}, {needle}) > 0"
    if node.op == "not like":
        return Sql("bool", f"ifNull(NOT {found}, 0)")
    return Sql("bool", f"ifNull({found}, 0)")


def _within(builder: Builder, node: Within) -> Sql:
    operand = builder.held(value_of(builder, node.operand))
    if isinstance(node.items, Query):
        return _within_query(builder, node, operand, node.items)
    same: list[str] = []
    texts: list[str] = []
    numbers: list[str] = []
    for item in node.items:
        value = value_of(builder, item)
        if isinstance(value.constant, str) and operand.kind in ("any", "text"):
            texts.append(value.text)
            exact = values.number_of(value.constant)
            if exact is not None and abs(exact) < values.EXACT_MAX:
                numbers.append(repr(exact))
        elif isinstance(value.constant, float) and operand.kind in ("any", "text"):
            numbers.append(value.text)
        else:
            same.append(values.compare(builder, "=", operand, value).text)
    text = values.text_of(builder, operand)
    if texts:
        same.append(f"ifNull({text} IN ({', '.join(texts)}), 0)")
    if numbers:
        same.append(f"ifNull({values.number(builder, operand)} IN ({', '.join(numbers)}), 0)")
    any_of = f"({' OR '.join(same)})"
    if not node.negated:
        return Sql("bool", any_of)
    return Sql("bool", f"(isNotNull({text}) AND NOT {any_of})")


def _within_query(builder: Builder, node: Within, operand: Sql, query: Query) -> Sql:
    inner = builder.subquery(query)
    outputs = [one for one in inner.outputs() if one[0] != "@ptr"]
    if len(outputs) != 1:
        labels = ", ".join(label for label, _value in outputs)
        message = f"the subquery of `in` gives {len(outputs)} columns ({labels}); it must give one"
        raise wrong(message, query.at, "name one with `fields` or `display`")
    column = values.shown_of(inner, outputs[0][1])
    inner.flush()
    table = builder.around.name("q")
    text = f"{inner.tables()} SELECT {column} AS x FROM {inner.relation}{inner.ordered(10_000)}"
    builder.before.append(lambda: f"{table} AS ({text})")
    left = builder.bind(values.text_of(builder, operand))
    found = f"ifNull({left} IN (SELECT x FROM {table} WHERE isNotNull(x)), 0)"
    if node.negated:
        return Sql("bool", f"(isNotNull({left}) AND NOT {found})")
    return Sql("bool", found)


def function_of(call: Call) -> Function:
    """Return the function that a call names.

    Raises:
        QueryError: There is none, it is refused, or the number of arguments is wrong.
    """
    known = functions()
    function = known.get(call.name)
    at = call.at
    if function is None:
        close = nearest(call.name, known)
        hint = f"did you mean `{close}`?" if close else "the manual lists the functions"
        raise wrong(f"there is no function `{call.name}`", (at[0], at[0] + len(call.name)), hint)
    if function.refusal:
        message = f"the function `{function.name}` is not supported"
        raise wrong(message, at, function.refusal)
    if problem := describe_call(call, function):
        raise wrong(problem, at, f"as in {function.example}")
    return function


def _call(builder: Builder, call: Call) -> Sql:
    function = function_of(call)
    if function.aggregate:
        hint = "aggregates belong into `stats`, as in stats count(*) by level"
        raise wrong(f"`{function.name}` cannot be used here", call.at, hint)
    return built(builder, call, function)


def built(builder: Builder, call: Call, function: Function) -> Sql:
    """Return what a function gives for its arguments."""
    kinds = function.kinds(len(call.arguments))
    given = [
        _argument(builder, node, kind, function)
        for node, kind in zip(call.arguments, kinds, strict=True)
    ]
    assert function.build is not None
    return function.build(builder, call, *given)


def _argument(builder: Builder, node: Node, kind: str, function: Function) -> object:
    """Return an argument as its parameter wants it: SQL text, a value, or the node itself."""
    if kind == "duration":
        if not isinstance(node, Duration):
            raise wrong(f"{function.name} wants a period here, such as 5m or 1h", node.at)
        return node
    if kind == "regex":
        return _regex(node, function)
    if kind == "star" and isinstance(node, Star):
        return None
    value = value_of(builder, node)
    if kind in ("value", "star"):
        return builder.held(value) if value.constant is None else value
    if kind == "constant":
        if not isinstance(node, Literal):
            hint = f"as in {function.example}"
            raise wrong(f"{function.name} wants a value that is spelled out here", node.at, hint)
        return node
    convert = {
        "text": values.text_of,
        "number": values.number,
        "bool": values.truth,
        "time": values.time_of,
    }[kind]
    return convert(builder, value)


def _regex(node: Node, function: Function) -> Regex:
    if isinstance(node, Regex):
        return node
    if isinstance(node, Literal) and isinstance(node.value, str):
        return Regex(node.value, node.at)
    raise wrong(f"{function.name} wants a regular expression here, as /../ or as text", node.at)
