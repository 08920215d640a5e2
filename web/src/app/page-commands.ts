/* Commands that a page of its own chunk brings along while it is open. */

import { signal } from "@preact/signals";

export interface Command {
  key: string;
  name: string;
  run: () => void;
}

export const pageCommands = signal<Command[]>([]);
