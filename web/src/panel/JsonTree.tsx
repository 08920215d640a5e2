/* A record's attributes as a tree; every leaf can be searched for, excluded or made a column. */

import { useSignal } from "@preact/signals";

import { path as page } from "../address/address.ts";
import { copy } from "../parts/clipboard.ts";
import { oneLine, valueText } from "../parts/text.ts";
import { toggleColumn } from "../records/TableHead.tsx";
import { chooseValue } from "../search/apply.ts";

const NODES_MAX = 400;
const CHILDREN_MAX = 200;

interface Node {
  path: string;
  name: string;
  value: unknown;
  depth: number;
  isBranch: boolean;
}

function childrenOf(value: object): [string, unknown][] {
  return Object.entries(value).slice(0, CHILDREN_MAX);
}

/* The lines that are open, top to bottom, at most a few hundred whatever the record holds. */
function linesOf(root: Record<string, unknown>, open: Record<string, boolean>): Node[] {
  const lines: Node[] = [];
  const walk = (value: object, path: string, depth: number) => {
    for (const [name, child] of childrenOf(value)) {
      if (lines.length >= NODES_MAX) return;
      const here = path === "" ? name : `${path}.${name}`;
      const isBranch = child !== null && typeof child === "object" && Object.keys(child).length > 0;
      lines.push({ path: here, name, value: child, depth, isBranch });
      if (isBranch && open[here]) walk(child as object, here, depth + 1);
    }
  };
  walk(root, "", 0);
  return lines;
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value === "string") return <span class="str">"{valueText(value)}"</span>;
  if (typeof value === "number") return <span class="nu">{String(value)}</span>;
  if (value === null || typeof value === "boolean") return <span class="wd">{String(value)}</span>;
  const size = Array.isArray(value) ? `[${value.length}]` : `{${Object.keys(value as object).length}}`;
  return <span class="sum">{size} {valueText(value, 120)}</span>;
}

export function JsonTree({ root }: { root: Record<string, unknown> }) {
  const open = useSignal<Record<string, boolean>>({});
  const under = useSignal("");
  const lines = linesOf(root, open.value);
  const turn = (path: string) => { open.value = { ...open.value, [path]: !open.value[path] }; };
  return (
    <div class="tree" role="group" aria-label="Fields" onMouseLeave={() => { under.value = ""; }}>
      {lines.map((node) => (
        <Line key={node.path} node={node} isOpen={open.value[node.path] ?? false} isUnder={under.value === node.path}
          onEnter={() => { under.value = node.path; }} onTurn={() => turn(node.path)} />
      ))}
      {lines.length >= NODES_MAX && <div class="n muted">cut after {NODES_MAX} lines; the rest is in JSON</div>}
    </div>
  );
}

interface LineProps {
  node: Node;
  isOpen: boolean;
  isUnder: boolean;
  onEnter: () => void;
  onTurn: () => void;
}

function Line({ node, isOpen, isUnder, onEnter, onTurn }: LineProps) {
  const { path, name, value, depth, isBranch } = node;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.key !== "Enter" || !isBranch) return;
    onTurn();
    event.stopPropagation();
  };
  return (
    <div class={`n${isUnder ? " hover" : ""}`} style={{ "--d": depth }} tabIndex={0} onMouseEnter={onEnter}
      onFocusCapture={onEnter} onKeyDown={onKeyDown} data-field={isBranch ? undefined : path}
      data-value={isBranch ? undefined : text}>
      {isBranch
        ? <button class="c" aria-label={isOpen ? "Fold" : "Unfold"} onClick={onTurn}>{isOpen ? "▾" : "▸"}</button>
        : <span class="c" />}
      <span class="key2" title={oneLine(path, 300)}>{oneLine(name, 200)}</span>
      {isBranch && isOpen ? <span class="sum">{Array.isArray(value) ? `[${value.length}]` : `{${Object.keys(value as object).length}}`}</span>
        : <Leaf value={value} />}
      {isUnder && !isBranch && <Actions path={path} name={oneLine(name, 40)} text={text} />}
    </div>
  );
}

function Actions({ path, name, text }: { path: string; name: string; text: string }) {
  return (
    <span class="acts">
      <button aria-label={`Only ${path} with this value`} onClick={() => chooseValue(path, text, "only")}>=</button>
      <button aria-label={`Not ${path} with this value`} onClick={() => chooseValue(path, text, "not")}>≠</button>
      <button aria-label={`Copy ${path}`} onClick={() => void copy(text, name)}>copy</button>
      {page.value === "/logs" && <button aria-label={`Column ${path}`} onClick={() => toggleColumn(path)}>column</button>}
    </span>
  );
}
