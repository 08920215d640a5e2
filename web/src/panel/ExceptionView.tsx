/* An exception with its frames and causes, the cause that started it last. */

import { visible } from "../parts/text.ts";

export interface ExceptionValue {
  type?: string;
  message?: string;
  frames?: { file?: string; line?: number; function?: string; code?: string }[];
  cause?: ExceptionValue;
  context?: ExceptionValue;
}

const FRAMES_MAX = 60;
const CAUSES_MAX = 10;

/** The exception and its causes as a list, at most ten. */
export function chainOf(value: unknown): ExceptionValue[] {
  const chain: ExceptionValue[] = [];
  let one = value as ExceptionValue | undefined;
  while (one && typeof one === "object" && chain.length < CAUSES_MAX) {
    chain.push(one);
    one = one.cause ?? one.context;
  }
  return chain;
}

export function ExceptionView({ value }: { value: unknown }) {
  if (typeof value === "string") return <pre class="json">{visible(value.slice(0, 100_000))}</pre>;
  return (
    <div class="exception">
      {chainOf(value).map((one, i) => (
        <section class="section" key={i}>
          <h3>{i > 0 && <span class="muted">caused by</span>}<span class="state lv-error">{visible(String(one.type ?? "exception"))}</span></h3>
          <p class="pad reason">{visible(String(one.message ?? "").slice(0, 4000))}</p>
          {Array.isArray(one.frames) && <Frames frames={one.frames} />}
        </section>
      ))}
    </div>
  );
}

function Frames({ frames }: { frames: NonNullable<ExceptionValue["frames"]> }) {
  return (
    <ol class="frames">
      {frames.slice(-FRAMES_MAX).map((frame, i) => (
        <li key={i}>
          <div class="place"><span class="file">{visible(String(frame.file ?? "?"))}</span>:{frame.line ?? "?"} <b>{visible(String(frame.function ?? ""))}</b></div>
          {frame.code && <pre>{visible(String(frame.code).slice(0, 500))}</pre>}
        </li>
      ))}
    </ol>
  );
}
