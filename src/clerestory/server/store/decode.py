r"""How the engine turns a request's bytes into rows: SQL text only.

    ingest -> [store: file of bytes -> fresh -> logs] -> query -> api

A value of `attrs` is text that keeps its JSON type. A string is stored as it is, unless it could
be read as something else: one that begins with a digit, `-`, `[`, `{` or `"`, or is `true`,
`false` or `null`, stands between two quotes (without escapes). Everything else is raw JSON.

    "abc" -> abc        "42" -> "42"        42 -> 42        null -> null        [1] -> [1]

Invariant: a row that cannot be stored has a `reason`, and its line is kept.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from typing import Final

from clerestory.model.severity import LEVELS

ARRIVAL: Final = "{arrival:Int64}"
NS_MAX: Final = 5_600_000_000_000_000_000  # a partition's day ends in 2149
REJECTED_CHARACTERS_KEPT: Final = 65_536

_NAMES: Final = str(list(LEVELS))
_NUMBERS: Final = str(list(LEVELS.values()))
_AMBIGUOUS: Final = "(34,45,48,49,50,51,52,53,54,55,56,57,91,123)"  # " - 0-9 [ {
_AMBIGUOUS_INSIDE: Final = "(45,48,49,50,51,52,53,54,55,56,57,91,123)"  # a quote is escaped there

RECORDS_STRUCTURE: Final = "resource String, spool String, first UInt64, lines String"


def _is_word(text: str, quote: str = "") -> str:
    # three comparisons cost a tenth of IN with three texts
    return " OR ".join(f"{text} = '{quote}{word}{quote}'" for word in ("true", "false", "null"))


def wrapped(text: str) -> str:
    """Return SQL for a string's stored form."""
    return (
        f"if(ascii({text}) IN {_AMBIGUOUS} OR {_is_word(text)}, concat('\"', {text}, '\"'), {text})"
    )


def _stored(raw: str) -> str:
    """Return SQL for the stored form of a raw JSON value."""
    inside, quote = f"substring({raw}, 2, length({raw}) - 2)", '"'
    return (
        f"multiIf(ascii({raw}) != 34, {raw}, "
        f"position({raw}, '\\\\') != 0, {wrapped(f'JSONExtractString({raw})')}, "
        f"ascii(substring({raw}, 2, 1)) IN {_AMBIGUOUS_INSIDE} "
        f"OR {_is_word(raw, quote)}, {raw}, {inside})"
    )


def _plain(raw: str) -> str:
    """Return SQL for the text of a raw JSON value; null and a missing one are empty."""
    return (
        f"multiIf({raw} = 'null', '', ascii({raw}) != 34, {raw}, "
        f"position({raw}, '\\\\') != 0, JSONExtractString({raw}), "
        f"substring({raw}, 2, length({raw}) - 2))"
    )


def _stored_map(pairs: str) -> str:
    return f"mapFromArrays({key_array(f'{pairs}.1')}, arrayMap(r -> {_stored('r')}, {pairs}.2))"


def key_array(names: str) -> str:
    """Return SQL for the keys of a map."""
    return f"CAST({names}, 'Array(LowCardinality(String))')"


_LEVEL: Final = (
    "transform(upper(trimBoth(said)), "
    "['', 'WARN', 'FATAL', 'CRIT', 'ERR', 'PANIC', 'EMERG', 'INFORMATION'], "
    "['INFO', 'WARNING', 'CRITICAL', 'CRITICAL', 'ERROR', 'EMERGENCY', 'EMERGENCY', 'INFO'], "
    f"transform(said, arrayMap(n -> toString(n), {_NUMBERS}), {_NAMES}, upper(trimBoth(said))))"
)
_SEVERITY: Final = (
    f"transform(level, {_NAMES}, {_NUMBERS}, toUInt8(least(ifNull(toUInt64OrNull(level), 20), 99)))"
)
_WHEN: Final = f"fromUnixTimestamp64Nano(if(ns BETWEEN 0 AND {NS_MAX}, ns, {ARRIVAL}), 'UTC')"
_NS: Final = (
    "ifNull(multiIf(t = '', NULL, ascii(t) != 34, toInt64OrNull(t), "
    "toUnixTimestamp64Nano(parseDateTime64BestEffortOrNull("
    "substring(t, 2, length(t) - 2), 9, 'UTC'))), -1)"
)
_OWN: Final = "('timestamp', 'level', 'logger', 'message', 'trace_id', 'span_id')"


def records_select(path: str, *, line_bytes_max: int, fields_max: int) -> str:
    """Return the SELECT from a file of batches to rows of `fresh`.

    Args:
        path: A file in RowBinary, of `RECORDS_STRUCTURE`.
        line_bytes_max: A longer line gets the reason `line_too_long`.
        fields_max: A record with more members gets the reason `too_many_fields`.
    """
    return f"""
SELECT {_WHEN} AS ts, {_LEVEL} AS level, {_SEVERITY} AS severity, service,
  {_plain("m['logger']")} AS logger, {_plain("m['message']")} AS message,
  lower({_plain("m['trace_id']")}) AS trace_id, lower({_plain("m['span_id']")}) AS span_id,
  {_stored_map("rest")} AS attrs, resource, spool, seq, reason,
  if(reason = '', '', substringUTF8(line, 1, {REJECTED_CHARACTERS_KEPT})) AS line
FROM (
  SELECT *, m['timestamp'] AS t, {_NS} AS ns, {_plain("m['level']")} AS said,
    arrayFilter(x -> x.1 NOT IN {_OWN}, pairs) AS rest
  FROM (
    SELECT *, CAST(pairs, 'Map(String, String)') AS m,
      multiIf(length(line) > {line_bytes_max}, 'line_too_long',
        length(pairs) > {fields_max}, 'too_many_fields',
        length(pairs) > 0, '', not isValidJSON(line), 'not_json',
        JSONType(line) != 'Object', 'not_an_object', '') AS reason
    FROM (
      SELECT service, resource, spool, first + i - 1 AS seq, line,
        if(length(line) > {line_bytes_max}, [], JSONExtractKeysAndValuesRaw(line)) AS pairs
      FROM (
        SELECT spool, first, splitByChar('\\n', lines) AS split,
          {_stored_map("JSONExtractKeysAndValuesRaw(resource)")} AS resource,
          JSONExtractString(file.resource, 'service.name') AS service
        FROM file('{path}', 'RowBinary', '{RECORDS_STRUCTURE}') AS file
      )
      ARRAY JOIN split AS line, arrayEnumerate(split) AS i
      WHERE trimBoth(line, ' \\t\\r') != ''
    )
  )
)"""


EVENTS_STRUCTURE: Final = (
    "spool String, first UInt64, log_group String, log_stream String, "
    "times Array(Int64), messages Array(String)"
)
_EVENT_OWN: Final = "('level', 'logger', 'message', 'trace_id', 'span_id')"
_SAID_CHARACTERS_MAX: Final = 20


def _kept_apart(pair: str) -> str:
    """Return SQL that is true for a member that its column tells whole."""
    return (
        f"{pair}.1 IN {_EVENT_OWN} AND ascii({pair}.2) = 34 AND multiIf("
        f"{pair}.1 = 'level', {pair}.2 = concat('\"', level, '\"'), "
        f"{pair}.1 = 'trace_id', {pair}.2 = concat('\"', trace_id, '\"'), "
        f"{pair}.1 = 'span_id', {pair}.2 = concat('\"', span_id, '\"'), 1)"
    )


_TAKEN: Final = f"fromUnixTimestamp64Milli(intDiv({ARRIVAL}, 1000000), 'UTC')"


def _events(path: str) -> str:
    """Return the SELECT of single events; what a request shares is made once for it."""
    return f"""
SELECT spool, first + i - 1 AS seq, log_group, log_stream, resource,
  fromUnixTimestamp64Nano(time * 1000000, 'UTC') AS ts, raw
FROM (
  SELECT *, CAST(map('aws.log.group.names', {wrapped("log_group")},
    'aws.log.stream.names', {wrapped("log_stream")}),
    'Map(LowCardinality(String), String)') AS resource
  FROM file('{path}', 'MsgPack', '{EVENTS_STRUCTURE}')
)
ARRAY JOIN times AS time, messages AS raw, arrayEnumerate(times) AS i"""


def texts_select(path: str, *, fields_max: int) -> str:  # noqa: ARG001 - as events_select
    """Return the SELECT from a file of events, none of them JSON, to rows of `fresh`."""
    return f"""
SELECT ts, 'INFO' AS level, {LEVELS["INFO"]} AS severity, log_group AS service, '' AS logger,
  raw AS message, '' AS trace_id, '' AS span_id,
  CAST(map(), 'Map(LowCardinality(String), String)') AS attrs,
  resource, spool, seq, log_group, log_stream, raw, {_TAKEN} AS ingested,
  '' AS reason, '' AS line
FROM ({_events(path)})"""


def events_select(path: str, *, fields_max: int) -> str:
    """Return the SELECT from a file of events of PutLogEvents to rows of `fresh`.

    A message that is a JSON object is taken apart as our own lines are; every other message is
    the record's message. A member that its column tells in other words, such as a level `warn`,
    stays among the attributes, too.

    Args:
        path: A file in MessagePack, of `EVENTS_STRUCTURE`.
        fields_max: An object with more members is not taken apart.
    """
    return f"""
SELECT ts, level, {_SEVERITY} AS severity, log_group AS service, logger, message, trace_id,
  span_id, {_stored_map("rest")} AS attrs, resource, spool, seq, log_group, log_stream, raw,
  {_TAKEN} AS ingested, '' AS reason, '' AS line
FROM (
  SELECT *, {_LEVEL} AS level, arrayFilter(x -> NOT ({_kept_apart("x")}), pairs) AS rest
  FROM (
    SELECT *, {_plain("m['logger']")} AS logger,
      multiIf(m['message'] != '', {_plain("m['message']")},
        m['msg'] != '', {_plain("m['msg']")}, raw) AS message,
      lower({_plain("m['trace_id']")}) AS trace_id, lower({_plain("m['span_id']")}) AS span_id,
      multiIf(m['level'] != '', m['level'], m['levelname'] != '', m['levelname'],
        m['severity']) AS told,
      if(ascii(told) IN (91, 123) OR length(told) > {_SAID_CHARACTERS_MAX}, '',
        {_plain("told")}) AS said
    FROM (
      SELECT *, CAST(pairs, 'Map(String, String)') AS m
      FROM (
        SELECT *,
          if(ascii(raw) = 123 OR (ascii(raw) <= 32 AND ascii(trimLeft(raw, ' \\t\\r\\n')) = 123),
            JSONExtractKeysAndValuesRaw(raw), []) AS found,
          if(length(found) > {fields_max}, [], found) AS pairs
        FROM ({_events(path)})
      )
    )
  )
)"""


PROTO: Final = """syntax = "proto3";
message Request {
  repeated ResourceLogs resource_logs = 1; uint64 first = 1000; string spool = 1001;
}
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message Scope { string name = 1; }
message LogRecord {
  fixed64 time_unix_nano = 1; uint32 severity_number = 2; string severity_text = 3;
  AnyValue body = 5; repeated KeyValue attributes = 6; bytes trace_id = 9; bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11; string event_name = 12;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value {
  string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  bytes array_value = 5; bytes kvlist_value = 6; bytes bytes_value = 7;
} }
"""
_ANY: Final = (
    "Tuple(value Enum8('no' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, "
    "'double_value' = 4, 'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7), "
    "string_value String, bool_value Bool, int_value Int64, double_value Float64, "
    "array_value String, kvlist_value String, bytes_value String)"
)
_PAIRS: Final = f"Array(Tuple(key String, value {_ANY}))"
_REQUEST: Final = (
    f"resource_logs Array(Tuple(resource Tuple(attributes {_PAIRS}), "
    "scope_logs Array(Tuple(scope Tuple(name String), log_records Array(Tuple("
    "time_unix_nano UInt64, severity_number UInt32, "
    f"body {_ANY}, attributes {_PAIRS}, trace_id String, span_id String, "
    "observed_time_unix_nano UInt64, event_name String)))))), first UInt64, spool String"
)
OTLP_STRUCTURE: Final = _REQUEST.replace("'", "\\'")


def json_double(value: str) -> str:
    """Return SQL for a double as JSON; what JSON has no number for is text."""
    # from 1e21 on toString writes an exponent
    return (
        f"multiIf(NOT isFinite({value}), concat('\"', toString({value}), '\"'), "
        f"round({value}) = {value} AND abs({value}) < 1e21, concat(toString({value}), '.0'), "
        f"toString({value}))"
    )


_MEMBERS: Final = {
    "t": "value",
    "s": "string_value",
    "i": "int_value",
    "b": "bool_value",
    "d": "double_value",
    "y": "bytes_value",
}


def _any(string: str) -> str:
    """Return SQL for a value whose members are called t, s, i, b, d and y."""
    return (
        f"multiIf(t = 'string_value', {string}, t = 'int_value', toString(i), "
        f"t = 'double_value', {json_double('d')}, t = 'bool_value', if(b, 'true', 'false'), "
        f"t = 'bytes_value', {wrapped('base64Encode(y)')}, t = 'no', 'null', "
        "toString(throwIf(t IN ('array_value', 'kvlist_value'), "
        "'a list or a map: decoded outside')))"
    )


def _any_map(pairs: str) -> str:
    # members as arrays of their own: planning lambdas over tuples costs several times as much
    members = ", ".join(f"{pairs}.value.{member}" for member in _MEMBERS.values())
    names = ", ".join(_MEMBERS)
    values = f"arrayMap(({names}) -> {_any(wrapped('s'))}, {members})"
    return f"mapFromArrays({key_array(f'{pairs}.key')}, {values})"


def unquoted(stored: str) -> str:
    """Return SQL for the text of a stored string."""
    return f"if(ascii({stored}) = 34, substring({stored}, 2, length({stored}) - 2), {stored})"


_OTEL_LEVEL: Final = (
    "multiIf(n = 0, 'INFO', n < 5, 'TRACE', n < 8, 'DEBUG', n = 8, 'VERBOSE', n = 9, 'INFO', "
    "n < 13, 'NOTICE', n < 17, 'WARNING', n < 19, 'ERROR', n < 21, 'ALERT', n < 24, 'CRITICAL', "
    "'EMERGENCY')"
)
_BODY_MEMBERS: Final = ", ".join(f"lr.body.{name} AS {short}" for short, name in _MEMBERS.items())
_BODY: Final = f"if(t = 'no', '', {_any('s')})"


def otlp_select(path: str) -> str:
    """Return the SELECT from a file with one OTLP logs request to rows of `fresh`.

    The file holds our identity (fields 1000 and 1001 of `PROTO`) followed by request bodies.
    A value that is a list or a map makes it fail; such a request is decoded in Python.
    """
    return f"""
SELECT fromUnixTimestamp64Nano(toInt64(multiIf(
    lr.time_unix_nano BETWEEN 1 AND {NS_MAX}, lr.time_unix_nano,
    lr.observed_time_unix_nano BETWEEN 1 AND {NS_MAX}, lr.observed_time_unix_nano,
    toUInt64({ARRIVAL}))), 'UTC') AS ts,
  {_OTEL_LEVEL} AS level, {_SEVERITY} AS severity,
  if(mapContains(resource, 'service.name'), {unquoted("resource['service.name']")},
    'unknown_service') AS service,
  scope AS logger, {_BODY} AS message,
  lower(hex(lr.trace_id)) AS trace_id, lower(hex(lr.span_id)) AS span_id,
  if(lr.event_name = '', plain, mapUpdate(plain,
    CAST(map('event.name', {wrapped("lr.event_name")}),
    'Map(LowCardinality(String), String)'))) AS attrs,
  resource, spool, first + rowNumberInAllBlocks() AS seq, '' AS reason, '' AS line
FROM (
  SELECT spool, first, resource, scope, lr, lr.severity_number AS n, {_BODY_MEMBERS},
    {_any_map("lr.attributes")} AS plain
  FROM (
    SELECT spool, first, resource, sl.scope.name AS scope, arrayJoin(sl.log_records) AS lr
    FROM (
      SELECT spool, first, {_any_map("rl.resource.attributes")} AS resource,
        arrayJoin(rl.scope_logs) AS sl
      FROM (
        SELECT spool, first, arrayJoin(resource_logs) AS rl
        FROM file('{path}', 'ProtobufSingle', '{OTLP_STRUCTURE}')
      )
    )
  )
)"""
