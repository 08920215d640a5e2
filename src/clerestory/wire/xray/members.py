"""Which member of a segment document is which attribute of a span.

    segment <- [members] -> document

    document                              span
    http.request.method                   http.request.method
    http.request.url                      url.full
    http.request.user_agent               user_agent.original
    http.request.client_ip                client.address
    http.request.x_forwarded_for, traced  aws.xray.http.x_forwarded_for, aws.xray.http.traced
    http.response.status                  http.response.status_code
    http.response.content_length          http.response.body.size
    aws.account_id, region, operation     cloud.account.id, cloud.region, rpc.method
    aws.request_id, queue_url, table_name aws.request_id, aws.sqs.queue.url, aws.table_name
    aws.ec2.instance_id                   host.id
    aws.ec2.availability_zone             cloud.availability_zone
    aws.xray.sdk, sdk_version             aws.xray.sdk, aws.xray.sdk_version
    sql.url, sanitized_query              db.connection_string, db.query.text
    sql.database_type, user               db.system, db.user
    user                                  enduser.id
    origin, resource_arn, traced          aws.xray.origin, aws.xray.resource_arn, aws.xray.traced
    error, fault, throttle                aws.xray.error, aws.xray.fault, aws.xray.throttle
    precursor_ids                         aws.xray.precursor_ids
    cause (an id)                         aws.xray.cause
    cause.working_directory, paths        aws.xray.cause.working_directory, aws.xray.cause.paths
    cause.exceptions                      events `exception`; what OpenTelemetry has no name for is
                                          in their attribute `aws.xray.exception`
    annotations.K                         annotation.K; `aws.xray.annotations` lists these names
    metadata.N                            aws.xray.metadata.N
    links                                 links
    (segment, or part of one)             aws.xray.type: `segment` or `subsegment`
    every other member                    aws.xray.document

Invariant: a member that has not the type that stands here stays in `aws.xray.document` as it is,
so nothing of a document is lost.
"""

from __future__ import annotations

from typing import Final

TEXT: Final = "text"
FLAG: Final = "flag"
NUMBER: Final = "number"
TEXTS: Final = "texts"

# Path in the document, attribute, type.
SCALARS: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (("http", "request", "method"), "http.request.method", TEXT),
    (("http", "request", "url"), "url.full", TEXT),
    (("http", "request", "user_agent"), "user_agent.original", TEXT),
    (("http", "request", "client_ip"), "client.address", TEXT),
    (("http", "request", "x_forwarded_for"), "aws.xray.http.x_forwarded_for", FLAG),
    (("http", "request", "traced"), "aws.xray.http.traced", FLAG),
    (("http", "response", "status"), "http.response.status_code", NUMBER),
    (("http", "response", "content_length"), "http.response.body.size", NUMBER),
    (("aws", "account_id"), "cloud.account.id", TEXT),
    (("aws", "region"), "cloud.region", TEXT),
    (("aws", "operation"), "rpc.method", TEXT),
    (("aws", "request_id"), "aws.request_id", TEXT),
    (("aws", "queue_url"), "aws.sqs.queue.url", TEXT),
    (("aws", "table_name"), "aws.table_name", TEXT),
    (("aws", "ec2", "instance_id"), "host.id", TEXT),
    (("aws", "ec2", "availability_zone"), "cloud.availability_zone", TEXT),
    (("aws", "xray", "sdk"), "aws.xray.sdk", TEXT),
    (("aws", "xray", "sdk_version"), "aws.xray.sdk_version", TEXT),
    (("sql", "url"), "db.connection_string", TEXT),
    (("sql", "sanitized_query"), "db.query.text", TEXT),
    (("sql", "database_type"), "db.system", TEXT),
    (("sql", "user"), "db.user", TEXT),
    (("user",), "enduser.id", TEXT),
    (("origin",), "aws.xray.origin", TEXT),
    (("resource_arn",), "aws.xray.resource_arn", TEXT),
    (("traced",), "aws.xray.traced", FLAG),
    (("error",), "aws.xray.error", FLAG),
    (("fault",), "aws.xray.fault", FLAG),
    (("throttle",), "aws.xray.throttle", FLAG),
    (("precursor_ids",), "aws.xray.precursor_ids", TEXTS),
    (("cause", "working_directory"), "aws.xray.cause.working_directory", TEXT),
    (("cause", "paths"), "aws.xray.cause.paths", TEXTS),
)
# What a program's `cloud.platform` is called as a segment's origin.
ORIGINS: Final = {
    "aws_ec2": "AWS::EC2::Instance",
    "aws_ecs": "AWS::ECS::Container",
    "aws_eks": "AWS::EKS::Container",
    "aws_elastic_beanstalk": "AWS::ElasticBeanstalk::Environment",
    "aws_app_runner": "AWS::AppRunner::Service",
    "aws_lambda": "AWS::Lambda::Function",
}
ANNOTATION: Final = "annotation."
ANNOTATIONS: Final = "aws.xray.annotations"
METADATA: Final = "aws.xray.metadata."
CAUSE: Final = "aws.xray.cause"
DOCUMENT: Final = "aws.xray.document"
EXCEPTION: Final = "aws.xray.exception"
TYPE: Final = "aws.xray.type"
SEGMENT: Final = "segment"
SUBSEGMENT: Final = "subsegment"
LOGGER: Final = "xray"
NS: Final = 10**9


def fits(value: object, kind: str) -> bool:
    """Return whether a value has the type that the table names."""
    if kind == TEXTS:
        return type(value) is list and all(type(one) is str for one in value)
    return type(value) is {TEXT: str, FLAG: bool, NUMBER: int}[kind]


def is_plain(value: object) -> bool:
    """Return whether a value can be an annotation: text, a number, true or false."""
    return type(value) in (str, int, float, bool)


def ns_of(seconds: float) -> int:
    """Return nanoseconds of seconds since the epoch.

    Microseconds, where they tell the same float: a float of today has no more digits than these.

    >>> ns_of(1478293361.271)
    1478293361271000000
    """
    microseconds = round(seconds * 10**6)
    if microseconds / 10**6 == seconds:
        return microseconds * 1000
    whole = int(seconds)
    return whole * NS + round((seconds - whole) * NS)


def shown_trace_id(known: str) -> str:
    """Return a trace id of 32 digits in X-Ray's form.

    >>> shown_trace_id("5759e988bd862e3fe1be46a994272793")
    '1-5759e988-bd862e3fe1be46a994272793'
    """
    return f"1-{known[:8]}-{known[8:]}" if len(known) == 32 else known
