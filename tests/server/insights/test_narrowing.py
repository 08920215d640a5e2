"""What the scan leaves out is what the filter would drop."""

import pytest

from clerestory.server.insights import Scope, compile_query, run
from tests.server.insights.store import BASE_MS, Filled

CONDITIONS = [
    'level = "ERROR"',
    '"ERROR" = level',
    'level in ["ERROR", "warn"]',
    'level = "warn" or a = "x"',
    'level = "ERROR" and a = "x"',
    'message = "no card"',
    'service = "shop"',
    'a = "true"',
    'a = "[1]"',
    'a in ["x", "[1]"]',
    'action = "REJECT"',
    'trace_id = "ab"',
    "`host.name` = 'host-1'",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_filter_that_narrows_the_scan_keeps_the_rows_of_one_that_does_not(
    filled: Filled, condition: str
):
    """A double `not` means the same and is not answered from an index."""
    filled.clear()
    filled.own(
        [
            {"level": "ERROR", "message": "no card", "a": "x", "trace_id": "ab"},
            {"level": "INFO", "a": "true"},
            {"level": "ERROR", "a": True},
            {"level": "INFO", "a": "[1]"},
            {"level": "INFO", "a": [1]},
        ]
    )
    filled.sent(
        [
            (0, '{"level": "warn", "message": "no card", "a": "x", "service": "shop"}'),
            (1, '{"level": "ERROR", "a": "[1]", "trace_id": "ab"}'),
            (2, "2 123456789012 eni-0a1 10.0.0.1 10.0.0.2 1 22 6 3 9 1 2 REJECT OK"),
        ]
    )
    connection = filled.querying()

    narrowed, plain = (
        run(connection, f"filter {text}", start_ms=BASE_MS, end_ms=BASE_MS + 9, scope=Scope()).rows
        for text in (condition, f"not (not ({condition}))")
    )

    connection.close()
    assert narrowed == plain
    assert narrowed


def test_an_equal_on_an_attribute_is_answered_from_the_attribute_index():
    """Without the condition on the map every record would be read."""
    program = compile_query(
        'filter user_id = "u1" | stats count(*)', start_ms=0, end_ms=1, now_ms=0, scope=Scope()
    )

    assert "attrs[{" in program.sql.split(" WHERE ")[1].split("), ")[0]
