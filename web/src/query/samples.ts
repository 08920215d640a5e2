/* Queries to begin with, for the page that has none yet and for the palette. */

export interface Sample {
  name: string;
  query: string;
}

export const SAMPLES: Sample[] = [
  { name: "The newest records", query: "fields @timestamp, level, service, message\n| limit 100" },
  { name: "Errors, newest first", query: 'filter level in ["ERROR", "ALERT", "CRITICAL", "EMERGENCY"]\n| fields @timestamp, service, message\n| limit 100' },
  { name: "Records over time, a line for each level", query: "stats count(*) as records by bin(1m), level" },
  { name: "Which services say most", query: "stats count(*) as records by service\n| sort records desc" },
  { name: "Texts that differ only in numbers and ids", query: "pattern @message\n| limit 50" },
  { name: "Which loggers fail most", query: 'filter level = "ERROR"\n| stats count(*) as errors by logger\n| sort errors desc\n| limit 20' },
];
