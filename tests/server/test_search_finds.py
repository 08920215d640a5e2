"""The store finds exactly what the plain reference finds."""

# ruff: noqa: E501 - tables of cases read better in one line

import json
import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.server.query.parser import parse
from tests.server.reference import matches

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "200"))
MESSAGES = [
    "", "Smtp timeout while sending", "timeout smtp", "smtp-timeout: order_42 (late)", "Ärger im Büro",
    "100% done_here", "a\\b 'quoted' \"text\"", "time out", "-", "日本 語", "x" * 3000, "tab\there",
]  # fmt: skip
VALUES = [
    "api",
    "42",
    42,
    42.5,
    -1,
    True,
    False,
    None,
    "",
    "true",
    "a b",
    "/health",
    "100%",
    "ä",
    0,
]
LEVELS = ["TRACE", "INFO", "NOTICE", "WARNING", "ERROR", "ALERT", "EMERGENCY"]
WORDS = ["smtp", "TIMEOUT", "time*", "*out*", "order", "order_42", "smtp-timeout", '"timeout smtp"',
         "Büro", "büro", "100%", "-", '""', "語", '"a\\\\b"', "x", "*", "'quoted'", "_", '"("']  # fmt: skip
SIMPLE = ["api", "42", '"42"', "42.5", "-1", "true", "null", '""', '"a b"', "/health", "/h*", "a*", "*",
          "100%", "ä", "0", "42,api", "1*0%"]  # fmt: skip

records = st.fixed_dictionaries(
    {
        "message": st.sampled_from(MESSAGES),
        "level": st.sampled_from(LEVELS),
        "attrs": st.dictionaries(st.sampled_from(["k", "path", "n"]), st.sampled_from(VALUES)),
    }
)
terms = st.one_of(
    st.sampled_from(WORDS),
    st.builds("{}{}{}".format, st.sampled_from(["k", "path", "n", "absent"]),
              st.sampled_from([":", "=", "!="]), st.sampled_from(SIMPLE)),
    st.builds("{}{}{}".format, st.sampled_from(["k", "n"]), st.sampled_from([">", ">=", "<", "<="]),
              st.sampled_from(["42", "0", "-1", "41.9"])),
    st.builds("level{}{}".format, st.sampled_from([":", "=", "!=", ">=", "<"]),
              st.sampled_from(["warn", "INFO", "alert"])),
    st.builds("has:{}".format, st.sampled_from(["k", "n", "absent"])),
    st.builds("message{}{}".format, st.sampled_from([":", "=", "!="]), st.sampled_from(WORDS)),
)  # fmt: skip
searches = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


def test_a_search_finds_what_the_reference_finds(server, service):
    """Random searches meet the corners that nobody thought of."""
    stored = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(records)
    def collect(record):
        stored.append(record)

    collect()
    lines = [
        {"timestamp": time.time_ns(), "level": one["level"], "message": one["message"], "i": i}
        | one["attrs"]
        for i, one in enumerate(stored)
    ]
    server.send(lines, resource={"service.name": service})

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(searches)
    def check(text):
        wanted = [i for i, one in enumerate(stored) if matches(parse(text), one)]
        found = server.rows(f"service:{service} ({text})")
        assert sorted(row["attrs"]["i"] for row in found) == wanted, json.dumps(text)

    check()
