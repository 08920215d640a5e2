/* Listens to new records over one WebSocket, and comes back by itself when it breaks.

     server /tail -> [tail] -> feed -> ring -> table

   Invariant: after a break it asks from the last cursor it saw, so nothing is passed over
   silently: what the server could not keep arrives as a number in `skipped`. */

import { signal } from "@preact/signals";

import { apiUrl } from "./client.ts";
import type { TailFrame } from "./types.ts";

export type TailState =
  | { kind: "off" }
  | { kind: "opening" }
  | { kind: "open" }
  | { kind: "waiting"; until_ms: number };

const WAIT_S_FIRST = 0.5;
const WAIT_S_MAX = 10;
/* Two heartbeats of 15 s may be late before a silent connection counts as dead. */
const SILENCE_S_MAX = 40;

export class Tail {
  readonly state = signal<TailState>({ kind: "off" });
  private socket: WebSocket | null = null;
  private cursor = "";
  private wait_s = WAIT_S_FIRST;
  private timer = 0;
  private heard_ms = 0;
  private watch = 0;

  constructor(
    private readonly onFrame: (frame: TailFrame) => void,
    private readonly onOpen: (isReturn: boolean) => void,
  ) {}

  /** Listen to what matches; a change of the search starts over without a cursor. */
  start(search: string): void {
    this.stop();
    this.cursor = "";
    this.wait_s = WAIT_S_FIRST;
    this.connect(search);
    this.watch = window.setInterval(() => this.checkSilence(), 5000);
  }

  stop(): void {
    clearTimeout(this.timer);
    clearInterval(this.watch);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.state.value = { kind: "off" };
  }

  /** Try again at once instead of waiting for the timer. */
  retryNow(search: string): void {
    if (this.state.peek().kind !== "waiting") return;
    clearTimeout(this.timer);
    this.connect(search);
  }

  private connect(search: string): void {
    const url = apiUrl("tail", { q: search, since: this.cursor });
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const isReturn = this.state.peek().kind === "waiting";
    const socket = new WebSocket(url);
    this.socket = socket;
    if (!isReturn) this.state.value = { kind: "opening" };
    socket.onopen = () => this.opened(socket, isReturn);
    socket.onmessage = (event) => this.heard(socket, event.data as string);
    socket.onclose = () => this.closed(socket, search);
  }

  private opened(socket: WebSocket, isReturn: boolean): void {
    if (socket !== this.socket) return;
    this.heard_ms = Date.now();
    this.wait_s = WAIT_S_FIRST;
    this.state.value = { kind: "open" };
    this.onOpen(isReturn);
  }

  private heard(socket: WebSocket, data: string): void {
    if (socket !== this.socket) return;
    this.heard_ms = Date.now();
    const frame = JSON.parse(data) as TailFrame;
    if (frame.cursor) this.cursor = frame.cursor;
    this.onFrame(frame);
  }

  private closed(socket: WebSocket, search: string): void {
    if (socket !== this.socket) return;
    this.socket = null;
    this.state.value = { kind: "waiting", until_ms: Date.now() + this.wait_s * 1000 };
    this.timer = window.setTimeout(() => this.connect(search), this.wait_s * 1000);
    this.wait_s = Math.min(WAIT_S_MAX, this.wait_s * 2);
  }

  private checkSilence(): void {
    const isSilent = Date.now() - this.heard_ms > SILENCE_S_MAX * 1000;
    if (this.state.peek().kind === "open" && isSilent) this.socket?.close();
  }
}
