/* Every key of the page, and that each has a control to click. */

import { Keys } from "../parts/Key.tsx";
import { Dialog } from "./Dialog.tsx";

const GROUPS: [string, [string, string][]][] = [
  ["Records", [
    ["j k", "next, previous"], ["Enter", "open the record"], ["Esc", "close the record"],
    ["g", "first"], ["G", "last"], ["e E", "next, previous error"], ["w W", "next, previous warning"],
    ["t", "open its trace"], ["c", "copy the record as JSON"],
  ]],
  ["Search and time", [
    ["/", "search"], ["f x", "only, not the value under the pointer or focus"],
    ["Space", "live, pause"], ["[ ]", "earlier, later"], ["- +", "zoom out, in"],
  ]],
  ["Query", [
    ["Ctrl Enter", "run"], ["Esc", "stop, close the row"], ["Ctrl Space", "complete"], ["Tab", "take a completion or a suggestion"],
    ["/", "write the query"], ["s", "save"], ["j k", "next, previous row"], ["Enter", "open the row"],
  ]],
  ["Traces", [
    ["j k", "next, previous trace or span"], ["← →", "fold, unfold"], ["Enter", "open"], ["Esc", "close, back to the list"],
    ["t", "from a log to its trace, and back"], ["l", "to the logs"], ["z", "zoom to the span"], ["p", "critical path"],
    ["e E", "next, previous error"], ["c", "copy the span as JSON"], ["v V", "waterfall, by service, table"],
  ]],
  ["Page", [
    ["Ctrl K", "commands"], ["y", "copy link"], ["d", "day, night"], ["g l", "logs"], ["g t", "traces"], ["g m", "map"], ["g q", "query"], ["?", "this list"],
  ]],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <h2>Keys</h2>
      <div class="help">
        {GROUPS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            {keys.map(([of, text]) => <p key={of}><Keys of={of} text={text} /></p>)}
          </section>
        ))}
      </div>
      <form method="dialog"><button class="control">Close</button></form>
    </Dialog>
  );
}
