"""Filter patterns: what each form means, and that the engine and Python mean the same.

What AWS does where its documentation is silent is taken from public recordings of its answers.
"""

import itertools
import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.patterns.parser import parse_pattern
from clerestory.server.aws.patterns.predicate import extract, matches
from tests.server.aws.conftest import now_ms

EVENT = json.dumps(
    {
        "level": "ERROR", "n": 12, "f": 1.5, "yes": True, "no": False, "nil": None, "text": "123",
        "deep": {"list": [1, {"k": "v"}], "a b": 1}, "empty": "",
    }
)  # fmt: skip
LINE = '1.2.3.4 bob [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 404 5'


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERROR }", True),
        ("{ $.level = error }", False),
        ("{ $.level = ERR* }", True),
        ('{ $.level = "*ROR" }', True),
        ("{ $.level = *RR* }", True),
        ("{ $.level != INFO }", True),
        ("{ $.level = %^E.{3}R$% }", True),
        ("{ $.level = %^R% }", False),
        ("{ $.n = 12 }", True),
        ("{ $.n = 12.0 }", True),
        ("{ $.n = 1.2e1 }", True),
        ('{ $.n = "12" }', True),
        ('{ $.n = "12.0" }', False),
        ("{ $.n > 11 && $.n < 13 }", True),
        ("{ $.n >= 12 && $.n <= 11 }", False),
        ("{ $.n != 12 }", False),
        ("{ $.n != 13 }", True),
        ("{ $.f = 1.5 }", True),
        ("{ $.f = * }", True),
        ("{ $.nosuch = * }", False),
        ("{ $.text > 5 }", False),
        ("{ $.text = 123 }", False),
        ("{ $.yes IS TRUE }", True),
        ("{ $.no IS FALSE }", True),
        ("{ $.yes IS FALSE }", False),
        ("{ $.nil IS NULL }", True),
        ("{ $.n IS NULL }", False),
        ("{ $.nosuch IS NULL }", False),
        ("{ $.nosuch NOT EXISTS }", True),
        ("{ $.nil NOT EXISTS }", False),
        ("{ $.nosuch != 1 }", False),
        ("{ $.deep != 1 }", False),
        ("{ $.deep.list != 1 }", False),
        ("{ $.deep.list[0] = 1 }", True),
        ("{ $.deep.list[1].k = v }", True),
        ("{ $.deep.list[2] NOT EXISTS }", True),
        ("{ $.deep[0] NOT EXISTS }", True),
        ("{ $.deep['a b'] = 1 }", True),
        ('{ $.empty = "" }', True),
        ("{ $.level = INFO && $.n = 12 || $.f = 1.5 }", True),
        ("{ $.level = INFO && ($.n = 12 || $.f = 1.5) }", False),
        ("{$.level=ERROR&&$.n=12}", True),
        ("ERROR", True),
        ("ERROR text", True),
        ("ERROR nosuch", False),
        ("?nosuch ?ERROR", True),
        ("?nosuch ?neither", False),
        ("ERROR -text", False),
        ("-nosuch", True),
        ("?nosuch ERROR", True),
        ('"\\"n\\": 12"', True),
        ("%ER+OR%", True),
        ("%\\d{4}%", False),
        ("", True),
        (" ", True),
        ('" "', True),
    ],
)
def test_a_pattern_of_json_or_words_means(logs, pattern, wanted):
    """Many of these surprise, and AWS does just so."""
    answer = logs.test_metric_filter(filterPattern=pattern, logEventMessages=[EVENT])

    assert bool(answer["matches"]) == wanted


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        (
            "[ip, user, time, request, status = 4*, bytes]",
            {
                "$ip": "1.2.3.4", "$user": "bob", "$time": "10/Oct/2000:13:55:36 -0700",
                "$request": "GET / HTTP/1.0", "$status": "404", "$bytes": "5",
            },
        ),
        ("[..., status, bytes > 4]", {"$status": "404", "$bytes": "5"}),
        ("[ip, ..., bytes < 5]", None),
        ("[ip, ...]", {"$ip": "1.2.3.4"}),
        ("[ip, user]", None),
        ("[ip = %^1[.]%, ...]", {"$ip": "1.2.3.4"}),
        ("[ip, user = alice || user = bob, ...]", {"$ip": "1.2.3.4", "$user": "bob"}),
        ("[ip, user != bob, ...]", None),
        ("[ip, user, ..., status >= 400 && status < 500, bytes]",
         {"$ip": "1.2.3.4", "$user": "bob", "$status": "404", "$bytes": "5"}),
        ("[..., status = 404.0, bytes]", {"$status": "404", "$bytes": "5"}),
    ],
)  # fmt: skip
def test_a_pattern_of_fields_takes_out(logs, pattern, values):
    """Fields are counted from both ends around the dots."""
    answer = logs.test_metric_filter(filterPattern=pattern, logEventMessages=[LINE])

    assert [one["extractedValues"] for one in answer["matches"]] == ([values] if values else [])


def test_only_matching_events_are_told_with_their_number(logs):
    """The number is the place in the request, from one."""
    answer = logs.test_metric_filter(filterPattern="{ $.n > 1 }", logEventMessages=[
        '{"n": 1}', '{"n": 2}', "no json", '{"n": 3}',
    ])  # fmt: skip

    assert [(one["eventNumber"], one["extractedValues"]) for one in answer["matches"]] == [
        (2, {"$.n": "2"}),
        (4, {"$.n": "3"}),
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a }", "{ $.a = }", "{ $.a = 1", "$.a = 1 }", "{ $.a > x }", '{ $.a >= "1" }',
        "{ $.a IS NOT NULL }", "{ $.a EXISTS }", "{ $.a = a*b }", "{ a = 1 }", "{ $ = 1 }",
        "{ $.a = 1 } x", "{ ($.a = 1 }", "{ $.a[x] = 1 }", "{ $.a = 1e999 }", "{ }",
        "foo-bar", "a:b", '"open', "%open", "%(group)%", "%[a%", "%a**%", "%*%", "%a{2,1}%",
        "%\\q%", "%a% %b% %c%", "[a, b", "[a, a]", "[..., ...]", "[a > x]", "[a] b",
    ],
)  # fmt: skip
def test_a_pattern_that_cannot_be_read_is_an_error(logs, pattern):
    """It never matches something else instead."""
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.test_metric_filter(filterPattern=pattern, logEventMessages=["x"])


@pytest.mark.parametrize(
    ("pattern", "sign"), [("a:b", ":"), ("x (y", "("), ('{ $."sc" = 5* }', '"'), ("%a b%", " ")]
)
def test_a_character_that_needs_quotes_is_named(logs, pattern, sign):
    """In AWS's words, which people search for."""
    with pytest.raises(logs.exceptions.InvalidParameterException) as error:
        logs.test_metric_filter(filterPattern=pattern, logEventMessages=["x"])

    assert f"Invalid character(s) in term '{sign}'" in str(error.value)


@given(st.text(alphabet=' {}[]()$.="%*?-<>!&|,\\aE1IS', max_size=30))
def test_reading_a_pattern_raises_nothing_but_its_own_error(text):
    """Whatever is typed; and what is read can be asked of anything."""
    try:
        tree = parse_pattern(text)
    except AwsError:
        return
    extract(tree, EVENT)
    extract(tree, LINE)


@pytest.mark.parametrize(
    "event",
    [
        '{"a":1,"a":2}', '{"a":"\\ud800"}', '{"a":NaN}', '{"a":1e400}', '{"a":01}', '{"a":1} x',
        '[{"a":1}]', ' {"a":1}', '{"a":18446744073709551616}', '{"a":-9223372036854775809}',
        '{"a":-0}', '{"a":"1\\u0000"}', '"a"', "1", "null", '{"a":1.0}', '{"a":"x\ty"}', "{", "",
        '{"a":9007199254740993}', '{"a":"\\u00e9\U0001f600"}', '\ufeff{"a":1}', '{"a":{"a":1}}',
    ],
)  # fmt: skip
def test_odd_json_matches_for_the_engine_as_for_python(same, event):
    """Two JSON parsers agree on the usual; this is the rest."""
    patterns = [
        "{ $.a = 1 }", "{ $.a != 1 }", "{ $.a NOT EXISTS }", "{ $[0].a = 1 }", "{ $.a = 1* }",
        "{ $.a = 9007199254740992 }", "{ $.a = %.% }", "{ $.a > 0 }",
    ]  # fmt: skip

    same([event or "x"], patterns)


@pytest.fixture(scope="module")
def same(server):
    """Ask both of events and patterns, and compare."""
    from tests.server.aws.conftest import client

    logs, numbers = client(server.url), itertools.count()
    logs.create_log_group(logGroupName="/test/patterns")

    def check(events, patterns):
        stream = f"s{next(numbers)}"
        place = {"logGroupName": "/test/patterns", "logStreamName": stream}
        logs.create_log_stream(**place)
        now = now_ms()
        logs.put_log_events(
            **place, logEvents=[{"timestamp": now, "message": event} for event in events]
        )
        for pattern in patterns:
            answer = logs.filter_log_events(
                logGroupName="/test/patterns", logStreamNames=[stream], filterPattern=pattern
            )
            tree = parse_pattern(pattern)
            wanted = [event for event in events if matches(tree, event)]
            assert [one["message"] for one in answer["events"]] == wanted, pattern

    return check


WORDS = ["ERROR", "a", "ab", "4", "404", "4.0", "-1", "1e2", "é", "x y", "%", "\\", "[q]", "*"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 500), st.sampled_from([2**53 + 1, 2**64, 10**30]),
    st.sampled_from([1.0, 1.5, 4.0, 1e22, -0.0, 1e-7]), st.sampled_from(WORDS), st.text(max_size=4),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda one: st.lists(one, max_size=2) | st.dictionaries(st.sampled_from("ab"), one),
    max_leaves=4,
)
JSON_EVENTS = st.dictionaries(st.sampled_from(["a", "b", "c d"]), VALUES, max_size=3).map(
    json.dumps
)
TEXT_EVENTS = st.lists(
    st.sampled_from([*WORDS, '"in quotes"', "[in brackets]", '"open', "[open", "]", "\t", "\n"]),
    min_size=1, max_size=6,
).map(" ".join)  # fmt: skip
EVENTS = st.lists(
    (JSON_EVENTS | TEXT_EVENTS | st.text(min_size=1, max_size=12)).filter(
        lambda text: text.isprintable() or "\n" in text or "\t" in text
    ),
    min_size=1, max_size=12,
)  # fmt: skip
REGEXES = st.sampled_from(
    ["%a%", "%^4%", "%4$%", "%[0-9]+%", "%\\d{2,}%", "%.b?%", "%^[^a]%", "%\\S\\s\\S%", "%\\w|\\W%",
     "%[\\D\\-x]%", "%é.%", "%^.$%", "%\\*%", "%[^\\W]x*%"]
)  # fmt: skip
OPERANDS = st.one_of(
    st.sampled_from(["1", "4.0", "-1", "1e2", "404", "9007199254740993", "1e22"]),
    st.sampled_from(
        [
            '"4"',
            '"a"',
            '"4.0"',
            '"true"',
            '""',
            '"\\""',
            '"x y"',
            '"a*"',
            '"*"',
            "a*",
            "*b",
            "*4*",
            "true",
            "*",
        ]
    ),
    REGEXES,
)
NUMBERS = st.sampled_from(["1", "4.0", "-1", "100", "9007199254740992"])
SELECTORS = st.sampled_from(
    ["$.a", "$.b", "$['c d']", "$.a.b", "$.a[0]", "$.a[1].b", "$.b.a", "$[0]"]
)
TESTS = st.one_of(
    st.tuples(SELECTORS, st.sampled_from(["=", "!="]), OPERANDS).map(" ".join),
    st.tuples(SELECTORS, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), NUMBERS).map(" ".join),
    st.tuples(SELECTORS, st.sampled_from(["IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS"])).map(
        " ".join
    ),
)
TREES = st.recursive(
    TESTS,
    lambda one: st.tuples(one, st.sampled_from(["&&", "||"]), one).map(
        lambda t: f"({t[0]}) {t[1]} {t[2]}"
    ),
    max_leaves=3,
)
FIELD_TESTS = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from([" = ", " != "]), OPERANDS).map("".join),
    st.tuples(st.sampled_from([" < ", " >= "]), NUMBERS).map("".join),
)


@st.composite
def field_patterns(draw):
    tests = draw(st.lists(FIELD_TESTS, min_size=1, max_size=4))
    parts = [f"f{number}{test}" for number, test in enumerate(tests)]
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), "...")
    return f"[{', '.join(parts)}]"


TERMS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "?", "-"]),
        st.sampled_from(["a", "ERROR", '"x y"', '"%"', '"\\\\"', "404", "é"]) | REGEXES,
    ).map("".join),
    min_size=1, max_size=3,
).map(" ".join)  # fmt: skip
PATTERNS = st.one_of(TREES.map(lambda tree: f"{{ {tree} }}"), field_patterns(), TERMS).filter(
    lambda text: text.count("%") <= 5
)


@example(events=['{"a":1}'], patterns=["{ $.a = 1 }"])
@given(events=EVENTS, patterns=st.lists(PATTERNS, min_size=1, max_size=6))
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_engine_finds_exactly_what_the_predicate_matches(same, events, patterns):
    """FilterLogEvents asks the engine; TestMetricFilter asks Python."""
    readable = []
    for pattern in patterns:
        try:
            parse_pattern(pattern)
        except AwsError:
            continue
        readable.append(pattern)

    same(events, readable)
