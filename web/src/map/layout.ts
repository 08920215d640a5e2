/* Asks the worker for a layout; the last question wins.

     graph -> [layout] -> worker -> places */

export interface Wanted {
  number: number;
  nodes: string[];
  edges: [string, string][];
  width: number;
  height: number;
  /** Room that the words on a call take; 0 for none. */
  label: number;
}

export interface Layout {
  places: Record<string, [number, number]>;
  /** Where a call runs, by "from to" as JSON; the last point is that of its words. */
  ways: Record<string, [number, number][]>;
  width: number;
  height: number;
}

export function wayOf(from: string, to: string): string {
  return JSON.stringify([from, to]);
}

let worker: Worker | null = null;
let asked = 0;

/** The places of a graph's nodes; null when a later question has overtaken this one. */
export function layOut(wanted: Omit<Wanted, "number">): Promise<Layout | null> {
  worker ??= new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
  const here = worker;
  const number = (asked += 1);
  return new Promise((resolve, reject) => {
    const done = () => {
      here.removeEventListener("message", take);
      here.removeEventListener("error", fail);
    };
    const take = (event: MessageEvent<{ number: number; layout: Layout }>) => {
      if (event.data.number !== number) return;
      done();
      resolve(number === asked ? event.data.layout : null);
    };
    const fail = () => {
      done();
      worker = null;
      reject(new Error("the map could not be laid out; its table shows the same figures"));
    };
    here.addEventListener("message", take);
    here.addEventListener("error", fail);
    here.postMessage({ ...wanted, number });
  });
}
