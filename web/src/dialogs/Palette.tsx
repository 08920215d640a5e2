/* Ctrl K: every command by its name. */

import { useSignal } from "@preact/signals";

import { commands } from "../app/commands.ts";
import { isOffered } from "../app/keys.ts";
import { pageCommands } from "../app/page-commands.ts";
import { Dialog } from "./Dialog.tsx";

/* What the open page brings along, and of the rest what works there. */
function offered() {
  const own = new Set(pageCommands.value.map((one) => one.key));
  const rest = commands.filter((one) => one.key.length !== 1 || (isOffered(one.key) && !own.has(one.key)));
  return [...pageCommands.value, ...rest];
}

export function Palette({ onClose }: { onClose: () => void }) {
  const typed = useSignal("");
  const chosen = useSignal(0);
  const found = offered().filter((one) => one.name.toLowerCase().includes(typed.value.trim().toLowerCase()));
  const run = (index: number) => {
    const command = found[index];
    if (!command) return;
    onClose();
    // After the dialog has given the focus back, for the command may want to move it.
    setTimeout(command.run, 0);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") chosen.value = Math.min(found.length - 1, chosen.value + 1);
    else if (event.key === "ArrowUp") chosen.value = Math.max(0, chosen.value - 1);
    else if (event.key === "Enter") run(chosen.value);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Commands" onClose={onClose}>
      <input class="control palette-input" placeholder="What do you want to do?" aria-label="Command" autofocus
        role="combobox" aria-expanded={true} aria-controls="commands" aria-activedescendant={`command-${chosen.value}`}
        onKeyDown={onKeyDown} onInput={(event) => { typed.value = event.currentTarget.value; chosen.value = 0; }} />
      <div class="palette" id="commands" role="listbox" aria-label="Commands">
        {found.map((command, i) => (
          <div class="option" role="option" id={`command-${i}`} key={command.key + command.name} aria-selected={i === chosen.value} onClick={() => run(i)}>
            <span>{command.name}</span><kbd class="key">{command.key}</kbd>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
