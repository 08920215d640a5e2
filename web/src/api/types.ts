/* What the server's JSON API answers; times in nanoseconds are strings. */

export interface Row {
  id: string;
  ts: string;
  level: string;
  service: string;
  logger: string;
  message: string;
  trace_id: string;
  span_id: string;
  attrs: Record<string, unknown>;
}

export interface FullRecord extends Row {
  resource?: Record<string, unknown>;
}

export interface LogsPage {
  rows: Row[];
  next: string | null;
  elapsed_ms: number;
}

export interface RecordInContext {
  record: FullRecord;
  before: Row[];
  after: Row[];
}

/** [start in ms, fatal, error, warn, info, debug] */
export type Bucket = [number, number, number, number, number, number];

export interface Histogram {
  from_ms: number;
  to_ms: number;
  step_ms: number;
  classes: string[];
  buckets: Bucket[];
  matched: number;
  total: number;
  oldest_ms: number | null;
}

export interface FacetCount {
  value: unknown;
  count: number;
}

export interface Facet {
  field: string;
  distinct: number;
  values: FacetCount[];
}

export interface Suggestion {
  value: string;
  count: number;
}

export interface Status {
  version: string;
  started_ms: number;
  now_ms: number;
  total_records: number;
  total_spans: number;
  records_per_s: number | null;
  /** Unknown until something has arrived. */
  lag_s: number | null;
  store_bytes: number;
  disk_free_bytes: number;
  dropped: number;
  rejected: number;
  refused: Record<string, number>;
  doors: { port: number; what: string; open: boolean; why: string }[];
  retention_days: number;
  data_dir: string;
}

export interface DestinationCounts {
  sent_records: number;
  retries: number;
  dead_lettered: number;
  oldest_age_s: number;
  hold: boolean;
  worker_alive: boolean;
  last_error: string;
}

export interface Program {
  spool: string;
  service: string;
  host: string;
  pid: number | null;
  seen_s_ago: number;
  counts: {
    made_records?: number;
    backlog_bytes?: number;
    dropped?: Record<string, number>;
    suppressed?: Record<string, number>;
    masked?: Record<string, number>;
    destinations?: Record<string, DestinationCounts>;
  };
}

export interface Setting {
  key: string;
  value: unknown;
  default: unknown;
  origin: string;
  unit: string;
  help: string;
}

export interface TailFrame {
  cursor: string;
  rows: Row[];
  skipped?: number;
}
