"""The tables, as the engine is told about them.

    ingest -> [store] -> query -> api

`fresh` holds the rows of the commit that is under way: they are decoded into it once, and from
there go to `logs`, to `rejected` and to the live tails.

The order of `logs` is the one that pages read in, so the newest rows are read, not sought. Its
granules and blocks are small, because a row that an attribute finds costs the reading of a granule.

`log_group` and `log_stream` say where PutLogEvents put an event, and `raw` is its message byte for
byte; they are empty in the records of our own road. `ingested` is when the server took it.

`spans` has the shape of `logs`, and its order: of a million spans the newest failed ones are read
in 4 ms and a trace of a thousand in 7; in the order of trace ids it would be 12 and 4. What a
search calls message, level and severity are other names of its columns there. `events` and `links`
are JSON as it came. `id_hash` and `caller_hash` find the calls between services: `caller_hash` is
the parent's `id_hash`, or 0 where there is no parent or one of the same service came with the same
commit. `raw` is the document of X-Ray that a span came as, byte for byte. `fresh_mixed` takes lines
of which some are spans, `fresh_spans` the spans of the commit that is under way.

Invariant: `LOG_COLUMNS` names the columns of `logs` in order, `SPAN_COLUMNS` those of `spans`;
every insert uses them.
"""

from typing import Final

DATABASE: Final = "clerestory"

LOG_COLUMNS: Final = (
    "ts",
    "level",
    "severity",
    "service",
    "logger",
    "message",
    "trace_id",
    "span_id",
    "attrs",
    "resource",
    "spool",
    "seq",
    "log_group",
    "log_stream",
    "raw",
    "ingested",
)

SPAN_COLUMNS: Final = (
    "ts",
    "duration_ns",
    "name",
    "service",
    "logger",
    "kind",
    "status",
    "status_message",
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_state",
    "attrs",
    "resource",
    "events",
    "links",
    "peer",
    "peer_kind",
    "pending",
    "dropped",
    "spool",
    "seq",
    "raw",
    "ingested",
)

_LOGS: Final = """
CREATE TABLE IF NOT EXISTS logs (
  ts       DateTime64(9, 'UTC')     CODEC(Delta(8), ZSTD(1)),
  level    LowCardinality(String)   CODEC(ZSTD(1)),
  severity UInt8                    CODEC(ZSTD(1)),
  service  LowCardinality(String)   CODEC(ZSTD(1)),
  logger   LowCardinality(String)   CODEC(ZSTD(1)),
  message  String                   CODEC(ZSTD(1)),
  trace_id String                   CODEC(ZSTD(1)),
  span_id  String                   CODEC(ZSTD(1)),
  attrs    Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  resource Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  spool    LowCardinality(String)   CODEC(ZSTD(1)),
  seq      UInt64                   CODEC(Delta(8), ZSTD(1)),
  INDEX ix_message lower(message) TYPE text(tokenizer = 'splitByNonAlpha') GRANULARITY 100000000,
  INDEX ix_keys    mapKeys(attrs)   TYPE bloom_filter(0.01)  GRANULARITY 1,
  INDEX ix_values  mapValues(attrs) TYPE bloom_filter(0.01)  GRANULARITY 1,
  INDEX ix_trace   trace_id         TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX ix_seq     seq              TYPE minmax              GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(ts) PRIMARY KEY ts ORDER BY (ts, spool, seq)
SETTINGS index_granularity = 1024, min_compress_block_size = 32768,
  fsync_after_insert = 1, fsync_part_directory = 1, min_parts_to_merge_at_once = 10
"""

_REJECTED: Final = """
CREATE TABLE IF NOT EXISTS rejected (
  at     DateTime64(3, 'UTC'),
  spool  LowCardinality(String),
  seq    UInt64,
  reason LowCardinality(String),
  line   String CODEC(ZSTD(1))
) ENGINE = MergeTree PARTITION BY toDate(at) ORDER BY at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""

_FRESH: Final = """
CREATE TABLE fresh (
  ts DateTime64(9, 'UTC'), level LowCardinality(String), severity UInt8,
  service LowCardinality(String), logger LowCardinality(String), message String,
  trace_id String, span_id String, attrs Map(LowCardinality(String), String),
  resource Map(LowCardinality(String), String), spool LowCardinality(String), seq UInt64,
  log_group LowCardinality(String), log_stream LowCardinality(String), raw String,
  ingested DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
  reason LowCardinality(String), line String
) ENGINE = Memory
"""

_SPANS: Final = """
CREATE TABLE IF NOT EXISTS spans (
  ts             DateTime64(9, 'UTC')   CODEC(Delta(8), ZSTD(1)),
  duration_ns    UInt64                 CODEC(ZSTD(1)),
  name           LowCardinality(String) CODEC(ZSTD(1)),
  service        LowCardinality(String) CODEC(ZSTD(1)),
  logger         LowCardinality(String) CODEC(ZSTD(1)),
  kind           LowCardinality(String) CODEC(ZSTD(1)),
  status         LowCardinality(String) CODEC(ZSTD(1)),
  status_message String                 CODEC(ZSTD(1)),
  trace_id       String                 CODEC(ZSTD(1)),
  span_id        String                 CODEC(ZSTD(1)),
  parent_span_id String                 CODEC(ZSTD(1)),
  trace_state    String                 CODEC(ZSTD(1)),
  attrs          Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  resource       Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  events         String                 CODEC(ZSTD(1)),
  links          String                 CODEC(ZSTD(1)),
  peer           LowCardinality(String) CODEC(ZSTD(1)),
  peer_kind      LowCardinality(String) CODEC(ZSTD(1)),
  pending        UInt8                  CODEC(ZSTD(1)),
  dropped        UInt32                 CODEC(ZSTD(1)),
  spool          LowCardinality(String) CODEC(ZSTD(1)),
  seq            UInt64                 CODEC(Delta(8), ZSTD(1)),
  ingested       DateTime64(3, 'UTC')   CODEC(Delta(8), ZSTD(1)),
  id_hash        UInt64 MATERIALIZED cityHash64(trace_id, span_id) CODEC(NONE),
  caller_hash    UInt64                 CODEC(ZSTD(1)),
  message  String ALIAS name,
  level    String ALIAS if(status = 'error', 'ERROR', 'INFO'),
  severity UInt8  ALIAS if(status = 'error', 40, 20),
  INDEX ix_keys   mapKeys(attrs)   TYPE bloom_filter(0.01)  GRANULARITY 1,
  INDEX ix_values mapValues(attrs) TYPE bloom_filter(0.01)  GRANULARITY 1,
  INDEX ix_trace  trace_id         TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX ix_seq    seq              TYPE minmax              GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(ts) PRIMARY KEY ts ORDER BY (ts, spool, seq)
SETTINGS index_granularity = 1024, min_compress_block_size = 32768,
  fsync_after_insert = 1, fsync_part_directory = 1, min_parts_to_merge_at_once = 10
"""

_FRESH_SPANS: Final = """
CREATE TABLE fresh_spans (
  ts DateTime64(9, 'UTC'), duration_ns UInt64, name LowCardinality(String),
  service LowCardinality(String), logger LowCardinality(String), kind LowCardinality(String),
  status LowCardinality(String), status_message String, trace_id String, span_id String,
  parent_span_id String, trace_state String, attrs Map(LowCardinality(String), String),
  resource Map(LowCardinality(String), String), events String, links String,
  peer LowCardinality(String), peer_kind LowCardinality(String), pending UInt8,
  dropped UInt32, spool LowCardinality(String), seq UInt64, raw String,
  ingested DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
) ENGINE = Memory
"""

# Directories of an earlier release get these; a new one gets them in the same way.
_ADDED: Final = (
    "log_group LowCardinality(String) CODEC(ZSTD(1))",
    "log_stream LowCardinality(String) CODEC(ZSTD(1))",
    "raw String CODEC(ZSTD(1))",
    "ingested DateTime64(3, 'UTC') DEFAULT toDateTime64(ts, 3, 'UTC') CODEC(Delta(8), ZSTD(1))",
)
_ADD_COLUMNS: Final = "ALTER TABLE logs " + ", ".join(
    f"ADD COLUMN IF NOT EXISTS {column}" for column in _ADDED
)
_ADD_INDEX: Final = (
    "ALTER TABLE logs ADD INDEX IF NOT EXISTS ix_group log_group TYPE set(16) GRANULARITY 1"
)
_ADD_RAW: Final = "ALTER TABLE spans ADD COLUMN IF NOT EXISTS raw String CODEC(ZSTD(1))"
# How much each group has in each minute; 0.002 bytes a record.
_ADD_COUNTED: Final = (
    "ALTER TABLE logs ADD PROJECTION IF NOT EXISTS counted (SELECT toStartOfMinute(ts), log_group, "
    "service, count(), min(ts), sum(length(message)), sum(length(raw)) "
    "GROUP BY toStartOfMinute(ts), log_group, service)"
)

STATEMENTS: Final = (
    f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic",
    f"USE {DATABASE}",
    _LOGS,
    _ADD_COLUMNS,
    _ADD_INDEX,
    _ADD_COUNTED,
    _REJECTED,
    "DROP TABLE IF EXISTS fresh SYNC",
    _FRESH,
    "DROP TABLE IF EXISTS fresh_mixed SYNC",
    "CREATE TABLE fresh_mixed AS fresh",
    _SPANS,
    _ADD_RAW,
    "DROP TABLE IF EXISTS fresh_spans SYNC",
    _FRESH_SPANS,
)

# What the SELECTs of records and OTLP requests fill; the other columns have their defaults.
FRESH_COLUMNS: Final = (*LOG_COLUMNS[: LOG_COLUMNS.index("log_group")], "reason", "line")
FRESH_EVENT_COLUMNS: Final = (*LOG_COLUMNS, "reason", "line")
