"""Filter expressions, drawn: every keyword, operator, block and value, and damaged ones."""

from hypothesis import strategies as st

BOOLEANS = [
    "ok",
    "error",
    "throttle",
    "fault",
    "partial",
    "inferred",
    "first",
    "last",
    "remote",
    "root",
]
NUMBERS = ["responsetime", "duration", "http.status", "index", "coverage"]
TEXTS = [
    "http.url", "http.method", "http.useragent", "http.clientip", "user", "name", "type", "message",
    "availabilityzone", "instance.id", "resource.arn",
]  # fmt: skip
NAMES = ["web", "api", "db@host", "DynamoDB", "nobody"]
WORDS = [*NAMES, "ann", "GET", "http://web/a", "gold", "7", ""]
KEYS = ["tier", "count", "new", "missing"]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


spaces = st.sampled_from(["", " "])
texts = st.sampled_from(WORDS).map(quoted) | st.text(max_size=5).map(quoted)
numbers = st.sampled_from(["0", "1", "3.5", "0.1", "200", "404", "502", "-1", "1e2"])
words = st.sampled_from(BOOLEANS + NUMBERS + TEXTS)


def joined(*parts):
    return st.builds(
        lambda *found: "".join(found),
        *(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts),
    )


booleans = st.sampled_from(BOOLEANS) | joined(
    st.sampled_from(BOOLEANS), spaces, st.sampled_from(["=", "!="]), spaces,
    st.sampled_from(["true", "false"]),
)  # fmt: skip
compared = joined(
    st.sampled_from(NUMBERS), spaces, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), spaces,
    numbers,
) | joined(
    st.sampled_from(TEXTS), " ",
    st.sampled_from(["=", "!=", "CONTAINS", "beginswith", "ENDSWITH"]), " ", texts,
)  # fmt: skip
named = st.sampled_from(NAMES).map(quoted)
nodes = named | joined("id(name: ", named, ")") | joined("id(type:", texts, ",name:", named, ")")
keys = st.sampled_from(KEYS).map(lambda key: f"annotation.{key}") | st.sampled_from(KEYS).map(
    lambda key: f"annotation[{key}]"
)
annotations = (
    keys
    | joined(keys, st.sampled_from(["=", "!=", "<", ">="]), numbers)
    | joined(keys, " ", st.sampled_from(["=", "!=", "CONTAINS", "BEGINSWITH"]), " ", texts)
    | joined(keys, st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"]))
)


def with_operators(one):
    return st.recursive(
        one,
        lambda inner: joined("(", inner, ")") | joined("!", inner)
        | joined(inner, st.sampled_from([" AND ", " OR ", " "]), inner),
        max_leaves=4,
    )  # fmt: skip


blocks = st.just("") | joined(" {", with_operators(booleans | compared), "}")
causes = joined(
    "rootcause.", st.sampled_from(["fault", "error", "responsetime"]), ".",
    st.sampled_from(["service", "entity", "exception"]), blocks,
)  # fmt: skip
services = joined("service(", nodes | st.just(""), ")", blocks)
edges = joined("edge(", nodes, ", ", nodes, ")", blocks)
expressions = with_operators(booleans | compared | annotations | services | edges | causes)
_PIECES = (
    *(
        "(",
        ")",
        "{",
        "}",
        "!",
        "=",
        "<",
        '"',
        "\\",
        "#[",
        "annotation[",
        "]",
        "AND",
        "or",
        " ",
        ".",
    ),
    *("service(", "edge(", "id(", "rootcause.", "rootcause.json = #[", "1e999", "\ud800", "é", "'"),
)
damaged = st.lists(expressions | words | st.sampled_from(_PIECES) | texts, max_size=6).map("".join)
