/* The lines to paste, one set for each way a Python program may already speak. */

export interface Way {
  name: string;
  lines: string;
  /** What must be true before the lines work. */
  note: string;
}

/** The ways, with the server's own address in those that need one. */
export function waysOf(origin: string): Way[] {
  return [
    {
      name: "Python",
      note: "Any program on this machine; nothing else to set up.",
      lines: 'from clerestory import get_logger\nlog = get_logger("shop")\nlog.info("order placed", order=88417, amount=59.90)',
    },
    {
      name: "logging",
      note: "The standard library's loggers, and with them most libraries, arrive here.",
      lines: 'import logging, clerestory\nclerestory.configure(service="shop")\nlogging.getLogger("shop").warning("stock is low")',
    },
    {
      name: "Flask",
      note: "Flask logs through the standard library; its app.logger arrives as it is.",
      lines: 'import clerestory, flask\nclerestory.configure(service="shop")\napp = flask.Flask("shop")\napp.logger.warning("order placed")',
    },
    {
      name: "OpenTelemetry",
      note: "Any language's SDK; set the address before the program starts.",
      lines: `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_ENDPOINT=${origin}`,
    },
  ];
}

const TOKEN = /("[^"\n]*")|\b(from|import|export)\b|\b(\d+(?:\.\d+)?)\b|\b([a-z_]\w*)(?=\()/gi;

/** The lines as pieces with the class that colours each; "" for plain ink. */
export function colourOf(lines: string): [string, string][] {
  const pieces: [string, string][] = [];
  let at = 0;
  for (const match of lines.matchAll(TOKEN)) {
    pieces.push([lines.slice(at, match.index), ""]);
    const look = match[1] ? "str" : match[2] ? "wd" : match[3] ? "nu" : "fn";
    pieces.push([match[0], look]);
    at = match.index + match[0].length;
  }
  pieces.push([lines.slice(at), ""]);
  return pieces;
}
