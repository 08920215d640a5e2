"""Segment documents, drawn: as the SDKs write them, with every member that X-Ray documents."""

import copy
from typing import Any

from hypothesis import strategies as st

HEX = "0123456789abcdef"
EPOCH_S = 1_795_314_823.25


def ids(digits):
    return st.text(HEX, min_size=digits, max_size=digits)


texts = st.text(max_size=12)
flags = st.booleans()
trace_ids = st.builds(lambda first, last: f"1-{first}-{last}", ids(8), ids(24))
times = st.floats(1_400_000_000, 2_000_000_000) | st.integers(1_400_000_000, 2_000_000_000)
plain = (
    texts | flags | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
)
json_values = st.recursive(
    st.none() | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=30)
requests = st.fixed_dictionaries(
    {},
    optional={
        "method": texts, "url": texts, "user_agent": texts, "client_ip": texts,
        "x_forwarded_for": flags, "traced": flags,
    },
)  # fmt: skip
responses = st.fixed_dictionaries(
    {}, optional={"status": st.integers(100, 599), "content_length": st.integers(0, 2**40) | texts}
)
https = st.fixed_dictionaries({}, optional={"request": requests, "response": responses})
aws = st.fixed_dictionaries(
    {},
    optional={
        "account_id": texts, "operation": texts, "region": texts, "request_id": texts,
        "queue_url": texts, "table_name": texts,
        "xray": st.fixed_dictionaries({}, optional={"sdk": texts, "sdk_version": texts}),
        "ec2": st.fixed_dictionaries({}, optional={"instance_id": texts, "ami_id": texts}),
        "ecs": st.fixed_dictionaries({}, optional={"container": texts}),
        "cloudwatch_logs": st.lists(st.fixed_dictionaries({"log_group": texts}), max_size=2),
    },
)  # fmt: skip
stacks = st.lists(
    st.fixed_dictionaries({"path": texts, "line": st.integers(0, 9999), "label": texts}), max_size=3
)
exceptions = st.fixed_dictionaries(
    {"id": ids(16)},
    optional={
        "message": texts, "type": texts, "remote": flags, "truncated": st.integers(0, 9),
        "skipped": st.integers(0, 9), "cause": ids(16), "stack": stacks,
    },
)  # fmt: skip
causes = ids(16) | st.fixed_dictionaries(
    {},
    optional={
        "working_directory": texts,
        "paths": st.lists(texts, max_size=2),
        "exceptions": st.lists(exceptions, max_size=2),
    },
)
links = st.fixed_dictionaries(
    {"trace_id": trace_ids, "id": ids(16)},
    optional={"attributes": st.dictionaries(texts, plain, max_size=2)},
)
_SHARED = {
    "http": https, "aws": aws, "error": flags, "throttle": flags, "fault": flags, "cause": causes,
    "annotations": st.dictionaries(texts, plain, max_size=3),
    "metadata": st.dictionaries(texts, json_values, max_size=3),
    "links": st.lists(links, max_size=2),
}  # fmt: skip
_OF_SEGMENT = {
    "service": st.fixed_dictionaries({}, optional={"version": texts, "runtime": texts}),
    "user": texts, "origin": texts, "resource_arn": texts, "parent_id": ids(16),
}  # fmt: skip
_OF_PART = {
    "namespace": st.sampled_from(["aws", "remote"]), "traced": flags,
    "precursor_ids": st.lists(ids(16), max_size=2),
    "sql": st.fixed_dictionaries(
        {},
        optional={
            "url": texts, "connection_string": texts, "preparation": texts, "database_type": texts,
            "database_version": texts, "user": texts, "sanitized_query": texts,
        },
    ),
}  # fmt: skip


@st.composite
def spans(draw, optional):
    """What a segment and a subsegment have in common, with some of the optional members."""
    start = draw(times)
    told: dict[str, Any] = {"name": draw(names), "id": draw(ids(16)), "start_time": start}
    if draw(flags):
        told["in_progress"] = True
    else:
        told["end_time"] = start + draw(st.floats(-1, 100))
    return told | draw(st.fixed_dictionaries({}, optional=_SHARED | optional))


parts = st.recursive(
    spans(_OF_PART),
    lambda inner: st.builds(
        lambda one, below: one | {"subsegments": below},
        spans(_OF_PART),
        st.lists(inner, max_size=3),
    ),
    max_leaves=4,
)


@st.composite
def documents(draw):
    """A segment, or a subsegment of its own, with subsegments inside; each has its own id."""
    if draw(st.integers(0, 3)):
        document = draw(spans(_OF_SEGMENT))
    else:
        document = draw(spans(_OF_PART)) | {"type": "subsegment", "parent_id": "0" * 16}
    document |= {"trace_id": draw(trace_ids)}
    if draw(flags):
        document["subsegments"] = draw(st.lists(parts, max_size=3))
    waiting, number = [document], 1
    while waiting:
        one = waiting.pop()
        one["id"] = f"{number:016x}"
        number += 1
        waiting += one.get("subsegments", [])
    return copy.deepcopy(document)
