"""Random data and random queries over it, as the property test needs them."""

import json
from typing import Any

from hypothesis import strategies as st

FIELDS = ("a", "b", "c", "n", "a.b", "c.0", "level", "message", "nope")
TEXTS = (
    "x", "yy", "abc", "ABC", "10", "9", "1.5", " 7", "-3", "1e2", "", " ", "true", "null",
    "Äö€", "9007199254740993", "9007199254740992", "a=1, b=2", "[1]", '{"b":1}', 'say "hi"',
    "back\\slash", "nan", "inf", "0x10", "%_%", "tab\there", "new\nline", "{p1:String}",
)  # fmt: skip
numbers = st.sampled_from([0, 1, 2, 3, 10, -3, 1.5, 0.25, -0.5, 100, 9007199254740993, 2.5e30])
scalars = st.one_of(st.sampled_from(TEXTS), numbers, st.booleans(), st.none())
nested = st.one_of(
    scalars,
    st.dictionaries(st.sampled_from(["b", "c", "x"]), scalars, max_size=2),
    st.lists(scalars, max_size=3),
)
MESSAGES = ("", "user=bob, time=12 ms", "user=eve, time=7 ms", "ERROR timeout", "Äöü 42", "line\n2")


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """Return a record of ours."""
    record: dict[str, Any] = {"at": draw(st.sampled_from([0, 1, 500, 1000, 61_000, 3_700_000]))}
    record["level"] = draw(st.sampled_from(["INFO", "ERROR"]))
    record["message"] = draw(st.sampled_from(MESSAGES))
    for name in ("a", "b", "c", "n"):
        if draw(st.booleans()):
            record[name] = draw(nested)
    return record


@st.composite
def events(draw: st.DrawFn) -> tuple[int, str]:
    """Return an event of PutLogEvents: a JSON object or a text."""
    record = draw(records())
    at = record.pop("at")
    if draw(st.booleans()):
        return at, json.dumps(record, ensure_ascii=False)
    return at, draw(st.sampled_from([text for text in MESSAGES if text]))


datasets = st.tuples(st.lists(records(), min_size=1, max_size=10), st.lists(events(), max_size=6))


# ------------------------------------------------------------------ queries

names = st.sampled_from(["a", "b", "c", "n", "a.b", "c.0", "level", "message", "nope", "@message"])
quoted = st.sampled_from(TEXTS).map(lambda text: json.dumps(text, ensure_ascii=False))
figures = st.sampled_from(["0", "1", "2", "3", "10", "-3", "1.5", "100", "9007199254740992", "1e2"])
patterns = st.sampled_from(["/a/", "/^[0-9]+$/", "/(?i)abc/", "/b.c|x/", "/time=([0-9]+)/", "/ö/"])


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.sampled_from(
        ["abs", "ceil", "floor", "sqrt", "round", "toNumber", "toInt", "strlen", "toupper",
         "tolower", "trim", "isempty", "isblank", "isNumeric", "ispresent", "messageSize"]
    )  # fmt: skip
    two = st.sampled_from(["strcontains", "startsWith", "endsWith", "concat", "greatest", "least"])
    return st.one_of(
        st.builds("{}({})".format, one, inner),
        st.builds("{}({}, {})".format, two, inner, inner),
        st.builds("replace({}, {}, {})".format, inner, quoted, quoted),
        st.builds("substr({}, {}, {})".format, inner, figures, figures),
        st.builds("round({}, {})".format, inner, st.sampled_from(["0", "1", "2"])),
        st.builds("coalesce({}, {})".format, names, names),
        st.builds("coalesce({}, {})".format, names, quoted),
        st.builds("if({}, {}, {})".format, inner, quoted, quoted),
        st.builds("case({}, {}, {}, {}, {})".format, inner, quoted, inner, quoted, quoted),
        st.builds("ltrim({}, {})".format, inner, st.sampled_from(["'a'", "'1 '"])),
    )


def compounds(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arithmetic = st.sampled_from("+-*/%")
    return st.one_of(calls(inner), st.builds("({} {} {})".format, inner, arithmetic, inner))


values = st.recursive(st.one_of(names, names, quoted, figures), compounds, max_leaves=3)
comparisons = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
# what the engine's indexes may answer before the filter itself runs
indexed = st.sampled_from(
    [
        'level = "ERROR"',
        '"ERROR timeout" = message',
        'level in ["ERROR", "WARN"] and message != ""',
        'a = "x" or b = "abc"',
        'a in ["x", "abc", "Äö€"]',
        'n = "true"',
        'level = "ERROR" and a = "yy"',
    ]
)
subqueries = st.builds(
    "{} {} (filter {} | display {})".format,
    names,
    st.sampled_from(["in", "not in"]),
    indexed,
    names,
)
tests = st.one_of(
    indexed,
    subqueries,
    st.builds("{} {} {}".format, values, comparisons, values),
    st.builds("{} {} {}".format, names, comparisons, st.one_of(quoted, figures)),
    st.builds("{} like {}".format, names, st.one_of(quoted, patterns)),
    st.builds("{} not like {}".format, names, st.one_of(quoted, patterns)),
    st.builds("{} in [{}, {}]".format, names, st.one_of(quoted, figures), quoted),
    st.builds("{} not in [{}, {}]".format, names, st.one_of(quoted, figures), quoted),
    st.builds("ispresent({})".format, names),
    values,
)
conditions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=2,
)
periods = st.sampled_from(["1s", "5m", "1h", "1d", "300s", "1w", "500ms"])
aggregates = st.one_of(
    st.just("count(*)"),
    st.builds(
        "{}({})".format,
        st.sampled_from(
            ["count", "count_distinct", "avg", "sum", "min", "max", "median", "stddev",
             "earliest", "latest", "sortsFirst", "sortsLast"]
        ),
        names,
    ),
    st.builds("pct({}, {})".format, names, st.sampled_from(["0", "50", "99", "100"])),
    st.builds("max({}) - min({})".format, names, names),
)  # fmt: skip
keys = st.one_of(names, st.builds("bin({})".format, periods))
filters = st.builds("filter {}".format, st.one_of(indexed, tests, conditions))
projections = st.builds("fields {}, {} as y".format, names, values)
parses = st.sampled_from(
    [
        'parse @message "user=*, time=* ms" as user, time',
        'parse message "user=*," as user',
        'parse message "*=*" as k, v',
        "parse message /time=(?<time>[0-9]+)(?<unit> ms)?/",
        "parse a /(?<user>[a-z]+)/",
    ]
)
unnests = st.builds("unnest {} into item".format, st.sampled_from(["a", "c", "n"]))
sorts = st.builds(
    "sort {} {}, {} {}".format,
    values,
    st.sampled_from(["asc", "desc", ""]),
    names,
    st.sampled_from(["asc", "desc"]),
)
limits = st.builds("limit {}".format, st.integers(1, 6))
dedups = st.builds("dedup {}".format, st.sampled_from(["a", "b", "a, n", "level"]))
row_steps = st.one_of(filters, filters, projections, parses)


@st.composite
def stats(draw: st.DrawFn) -> str:
    """Return a stats with aliases, and what may stand behind it."""
    results = draw(st.lists(aggregates, min_size=1, max_size=3))
    text = "stats " + ", ".join(f"{one} as r{index}" for index, one in enumerate(results))
    if draw(st.booleans()):
        text += ", r0 * 2 as twice"
    by = draw(st.lists(keys, max_size=2, unique=True))
    if by:
        text += " by " + ", ".join(f"{one} as k{index}" for index, one in enumerate(by))
    if draw(st.booleans()):
        text += draw(st.sampled_from([" | sort r0 desc", " | filter r0 > 1", " | sort r0 asc"]))
    if draw(st.booleans()):
        text += " | limit 3"
    return text


@st.composite
def queries(draw: st.DrawFn) -> str:
    """Return a query."""
    steps = draw(st.lists(row_steps, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        steps.append(draw(unnests))
    if draw(st.booleans()):
        steps.append(draw(stats()))
        return " | ".join(steps)
    if draw(st.integers(0, 4)):
        # a whole record as its JSON line costs the engine most of the time
        steps.insert(0, "fields a, level")
    if draw(st.booleans()):
        steps.append(draw(sorts))
    if draw(st.integers(0, 3)) == 0:
        steps.append(draw(dedups))
        return " | ".join([*steps, *draw(st.lists(limits, max_size=1))])
    if draw(st.booleans()):
        steps.append(draw(limits))
    if draw(st.booleans()):
        steps.append(draw(st.builds("display {}, {} as z".format, names, values)))
    return " | ".join(steps) or "fields @timestamp, a"
