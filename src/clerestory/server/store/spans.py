r"""How the engine turns spans into rows: SQL text only.

    ingest -> [store: fresh_mixed or a file of bytes -> fresh_spans -> spans] -> traces -> api

Spans come as lines among log lines, and as OTLP requests in protobuf. Values are stored as those
of log records are (see decode). A request's lists, maps and bytes are made JSON in Python, as the
member `raw_json`, which OTLP does not have; the engine then decodes every request in the same way.
What a commit costs is the planning of these expressions: 40 ms, as much as decoding 15,000 spans.

Invariant: a line is a span if its `kind` says so and it has an id and a duration, or is pending;
every other line stays a log record.
"""

# ruff: noqa: S608 - SQL is made of our own words

from typing import Final

from clerestory.server.store.decode import (
    ARRIVAL,
    NS_MAX,
    json_double,
    key_array,
    unquoted,
    wrapped,
)
from clerestory.server.store.schema import SPAN_COLUMNS

MARK: Final = b'"kind":"span"'  # stands in every line that is a span
PROTO_FILE: Final = "otlp_spans.proto"  # holds PROTO, beside the engine's files
RAW_JSON_FIELD: Final = 100

_KINDS: Final = "['server', 'client', 'producer', 'consumer']"
_FRESH_COLUMNS: Final = ", ".join(SPAN_COLUMNS[:-1])
FRESH_SPANS: Final = f"INSERT INTO fresh_spans ({_FRESH_COLUMNS})"
STORE_SPANS: Final = (
    f"INSERT INTO spans ({', '.join(SPAN_COLUMNS)}, caller_hash) "
    f"SELECT {', '.join(SPAN_COLUMNS)}, if(parent_span_id = '' OR "
    "cityHash64(service, trace_id, parent_span_id) IN "
    "(SELECT cityHash64(service, trace_id, span_id) FROM fresh_spans), 0, "
    "cityHash64(trace_id, parent_span_id)) FROM fresh_spans"
)
IS_SPAN: Final = (
    "(reason = '' AND attrs['kind'] = 'span' AND span_id != '' "
    "AND (mapContains(attrs, 'duration_ns') OR attrs['span.pending'] = 'true'))"
)
_OWN: Final = (
    "('kind', 'parent_span_id', 'span.kind', 'duration_ns', 'span.status', "
    "'span.status_message', 'trace_state', 'span.events', 'span.links', 'span.pending', "
    "'span.dropped')"
)
_DOCUMENT: Final = "mapContains(told, 'aws.xray.type')"


def _said(key: str, told: str = "attrs") -> str:
    return unquoted(f"{told}['{key}']")


# The attribute that tells what a client called, the first that is there; its kind; and the one
# that is told after a stroke.
_PEERS: Final = {
    "peer.service": ("service", ""),
    "db.system.name": ("database", "db.namespace"),
    "db.system": ("database", "db.name"),
    "messaging.system": ("messaging", "messaging.destination.name"),
    "rpc.service": ("rpc", ""),
    "server.address": ("host", ""),
    "net.peer.name": ("host", ""),
    "http.host": ("host", ""),
}
_PEER_KEYS: Final = str(list(_PEERS))
_PEER_KEY: Final = (
    "arrayFirst(k -> mapContains(attrs, k), "
    f"if(kind IN ('client', 'producer'), {_PEER_KEYS}, [])) AS peer_key, "
    f"transform(peer_key, {_PEER_KEYS}, {[part for _, part in _PEERS.values()]}, '') AS peer_part, "
    f"transform(peer_key, {_PEER_KEYS}, {[kind for kind, _ in _PEERS.values()]}, '') AS peer_kind"
)
_PEER: Final = (
    f"if(peer_key = '', '', concat({unquoted('attrs[peer_key]')}, "
    f"if(peer_part != '' AND mapContains(attrs, peer_part), "
    f"concat('/', {unquoted('attrs[peer_part]')}), '')))"
)


def _own(key: str) -> str:
    return _said(key, "told")


def _list_of(key: str) -> str:
    return f"if(startsWith(told['{key}'], '[{{'), told['{key}'], '')"


def lines_select() -> str:
    """Return the SELECT from `fresh_mixed` to the rows of `fresh_spans`."""
    return f"""
SELECT ts, duration_ns, name, service, logger, kind, status, status_message, trace_id, span_id,
  parent_span_id, trace_state, attrs, resource, events, links, {_PEER} AS peer,
  peer_kind, pending, dropped, spool, seq, raw
FROM (
  SELECT ts, ifNull(toUInt64OrNull({_own("duration_ns")}), 0) AS duration_ns, message AS name,
    service, logger,
    transform(lower({_own("span.kind")}), {_KINDS}, {_KINDS}, 'internal') AS kind,
    transform(lower({_own("span.status")}), ['ok', 'error'], ['ok', 'error'], 'unset') AS status,
    {_own("span.status_message")} AS status_message, trace_id, span_id,
    lower({_own("parent_span_id")}) AS parent_span_id, {_own("trace_state")} AS trace_state,
    {_list_of("span.events")} AS events, {_list_of("span.links")} AS links,
    mapFilter((k, v) -> k NOT IN {_OWN} AND NOT (k = 'span.raw' AND {_DOCUMENT}), told) AS attrs,
    {_PEER_KEY},
    resource, told['span.pending'] = 'true' AS pending,
    arraySum(arrayMap(p -> toUInt32OrZero(p.2), JSONExtractKeysAndValuesRaw(told['span.dropped'])))
      AS dropped, spool, seq, if({_DOCUMENT}, {_own("span.raw")}, '') AS raw
  FROM (
    SELECT * EXCEPT (attrs, raw), attrs AS told FROM fresh_mixed WHERE {IS_SPAN}
  )
)"""


PROTO: Final = f"""syntax = "proto3";
message Request {{
  repeated ResourceSpans resource_spans = 1; uint64 first = 1000; string spool = 1001;
}}
message ResourceSpans {{ Resource resource = 1; repeated ScopeSpans scope_spans = 2; }}
message Resource {{ repeated KeyValue attributes = 1; }}
message ScopeSpans {{ Scope scope = 1; repeated Span spans = 2; }}
message Scope {{ string name = 1; }}
message Span {{
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated Event events = 11; uint32 dropped_events_count = 12;
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15;
}}
message Event {{
  fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3;
}}
message Link {{
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
}}
message Status {{ string message = 2; int32 code = 3; }}
message KeyValue {{ string key = 1; AnyValue value = 2; }}
message AnyValue {{ oneof value {{
  string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  bytes array_value = 5; bytes kvlist_value = 6; bytes bytes_value = 7;
  string raw_json = {RAW_JSON_FIELD};
}} }}
"""
_MEMBERS: Final = {
    "t": "value",
    "s": "string_value",
    "i": "int_value",
    "b": "bool_value",
    "d": "double_value",
    "r": "raw_json",
}
_ANY: Final = (
    "Tuple(value Enum8('no' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, "
    "'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7, "
    f"'raw_json' = {RAW_JSON_FIELD}), "
    "string_value String, bool_value Bool, int_value Int64, double_value Float64, "
    "array_value String, kvlist_value String, bytes_value String, raw_json String)"
)
_PAIRS: Final = f"Array(Tuple(key String, value {_ANY}))"
_STRUCTURE: Final = (
    f"resource_spans Array(Tuple(resource Tuple(attributes {_PAIRS}), "
    "scope_spans Array(Tuple(scope Tuple(name String), spans Array(Tuple("
    "trace_id String, span_id String, trace_state String, parent_span_id String, name String, "
    "kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64, "
    f"attributes {_PAIRS}, dropped_attributes_count UInt32, "
    f"events Array(Tuple(time_unix_nano UInt64, name String, attributes {_PAIRS})), "
    "dropped_events_count UInt32, links Array(Tuple(trace_id String, span_id String, "
    f"trace_state String, attributes {_PAIRS})), dropped_links_count UInt32, "
    "status Tuple(message String, code Int32))))))), first UInt64, spool String"
).replace("'", "\\'")


def _any(string: str) -> str:
    """Return SQL for a value whose members are called t, s, i, b, d and r."""
    return (
        f"multiIf(t = 'string_value', {string}, t = 'int_value', toString(i), "
        f"t = 'double_value', {json_double('d')}, t = 'bool_value', if(b, 'true', 'false'), "
        # what says it is JSON is believed only if it is
        "t = 'raw_json' AND isValidJSON(r), r, t IN ('no', 'raw_json'), 'null', "
        "toString(throwIf(t IN ('array_value', 'kvlist_value', 'bytes_value'), "
        "'a list, a map or bytes: made plain outside')))"
    )


def _each(pairs: str, value: str, *, key: bool = False) -> str:
    members = ", ".join(f"{pairs}.value.{member}" for member in _MEMBERS.values())
    names = ", ".join(_MEMBERS)
    if key:
        return f"arrayMap((k, {names}) -> {value}, {pairs}.key, {members})"
    return f"arrayMap(({names}) -> {value}, {members})"


def _map(pairs: str) -> str:
    return f"mapFromArrays({key_array(f'{pairs}.key')}, {_each(pairs, _any(wrapped('s')))})"


def _object(pairs: str) -> str:
    """Return SQL for attributes as a JSON object."""
    value = f"concat(toJSONString(k), ':', {_any('toJSONString(s)')})"
    return f"concat('{{', arrayStringConcat({_each(pairs, value, key=True)}, ','), '}}')"


_EVENTS: Final = (
    "if(empty(sp.events), '', concat('[', arrayStringConcat(arrayMap(e -> concat("
    "'{\"name\":', toJSONString(e.name), ',\"timestamp\":', toString(e.time_unix_nano), "
    f"',\"attributes\":', {_object('e.attributes')}, '}}'), sp.events), ','), ']'))"
)
_LINKS: Final = (
    "if(empty(sp.links), '', concat('[', arrayStringConcat(arrayMap(l -> concat("
    '\'{"trace_id":"\', lower(hex(l.trace_id)), \'","span_id":"\', lower(hex(l.span_id)), \'"\', '
    "if(l.trace_state = '', '', concat(',\"trace_state\":', toJSONString(l.trace_state))), "
    f"',\"attributes\":', {_object('l.attributes')}, '}}'), sp.links), ','), ']'))"
)


def otlp_select(path: str, proto: str) -> str:
    """Return the SELECT from a file with one OTLP trace request to rows of `fresh_spans`.

    The file holds our identity (fields 1000 and 1001 of `PROTO`) followed by request bodies.
    A value that is a list, a map or bytes makes it fail. A span without an end is pending.

    Args:
        path: The file.
        proto: A file that holds `PROTO`.
    """
    return f"""
SELECT ts, duration_ns, name, service, logger, kind, status, status_message, trace_id, span_id,
  parent_span_id, trace_state, attrs, resource, events, links, {_PEER} AS peer,
  peer_kind, pending, dropped, spool, seq, '' AS raw
FROM (
  SELECT
    fromUnixTimestamp64Nano(toInt64(multiIf(
      sp.start_time_unix_nano BETWEEN 1 AND {NS_MAX}, sp.start_time_unix_nano,
      sp.end_time_unix_nano BETWEEN 1 AND {NS_MAX}, sp.end_time_unix_nano,
      toUInt64({ARRIVAL}))), 'UTC') AS ts,
    if(sp.end_time_unix_nano > sp.start_time_unix_nano AND sp.start_time_unix_nano > 0,
      sp.end_time_unix_nano - sp.start_time_unix_nano, 0) AS duration_ns,
    sp.name AS name,
    if(mapContains(resource, 'service.name'), {unquoted("resource['service.name']")},
      'unknown_service') AS service,
    scope AS logger, transform(sp.kind, [2, 3, 4, 5], {_KINDS}, 'internal') AS kind,
    transform(sp.status.code, [1, 2], ['ok', 'error'], 'unset') AS status,
    sp.status.message AS status_message,
    lower(hex(sp.trace_id)) AS trace_id, lower(hex(sp.span_id)) AS span_id,
    lower(hex(sp.parent_span_id)) AS parent_span_id, sp.trace_state AS trace_state,
    attrs, resource, {_EVENTS} AS events, {_LINKS} AS links, {_PEER_KEY},
    sp.dropped_attributes_count + sp.dropped_events_count + sp.dropped_links_count AS dropped,
    sp.end_time_unix_nano = 0 AS pending, spool, first + rowNumberInAllBlocks() AS seq
  FROM (
    SELECT spool, first, resource, scope, sp, {_map("sp.attributes")} AS attrs
    FROM (
      SELECT spool, first, resource, ss.scope.name AS scope, arrayJoin(ss.spans) AS sp
      FROM (
        SELECT spool, first, {_map("rs.resource.attributes")} AS resource,
          arrayJoin(rs.scope_spans) AS ss
        FROM (
          SELECT spool, first, arrayJoin(resource_spans) AS rs
          FROM file('{path}', 'ProtobufSingle', '{_STRUCTURE}')
        )
      )
    )
  )
)
SETTINGS format_schema = '{proto}:Request'"""
