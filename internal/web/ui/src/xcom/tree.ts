/** The JSON values of tasks as rows of a tree. */

export type Json = null | boolean | number | string | Exact | Json[] | { [key: string]: Json };

/** An Exact is a number that JavaScript would write in another way, such as one of more digits than it counts with. */
export class Exact {
  constructor(readonly text: string) {}
}

// While JSON is read or written an Exact is a text that begins with a sign
// which others do not: those that do are given one more.
const sign = "\0";
const token = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const signed = /"\\u0000(\\u0000)?([^"\\]*"?)/g;

/** read returns the value of JSON with its numbers as they are written. */
export function read(text: string): Json {
  const safe = text.replace(token, (t) =>
    t.startsWith('"') ? (t.startsWith('"\\u0000') ? `"\\u0000${t.slice(1)}` : t) : String(Number(t)) === t ? t : `"\\u0000${t}"`,
  );
  return JSON.parse(safe, (_, v: unknown) => (typeof v !== "string" || !v.startsWith(sign) ? v : v.startsWith(sign + sign) ? v.slice(1) : new Exact(v.slice(1)))) as Json;
}

/** write returns a value as JSON over lines, with its numbers as they were. */
export function write(value: Json): string {
  const text = JSON.stringify(value, (_, v: unknown) => (v instanceof Exact ? sign + v.text : typeof v === "string" && v.startsWith(sign) ? sign + v : v), 2);
  return text.replace(signed, (_, twice: string | undefined, rest: string) => (twice ? `"\\u0000${rest}` : rest.slice(0, -1)));
}

export interface Row {
  /** Steps from the value itself to the row. */
  path: (string | number)[];
  /** The path as one text, which names the row among all. */
  id: string;
  depth: number;
  name: string;
  kind: "object" | "array" | "string" | "number" | "boolean" | "null" | "more";
  /** The value on one line. */
  brief: string;
  /** How many members there are; 0 of what has none. */
  size: number;
  open: boolean;
  /** Place among its siblings, from 1, and how many they are. */
  place: number;
  of: number;
}

/** Members of one value that are shown; the rest must be read elsewhere. */
const maxMembers = 2000;
/** Rows that are shown in all. */
const maxRows = 50_000;

/** rowsOf lists what of a value is to be seen when the rows in `open` are open. */
export function rowsOf(value: Json, name: string, open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const add = (v: Json, key: string | number, path: (string | number)[], depth: number, place: number, of: number) => {
    if (rows.length >= maxRows) return;
    const id = JSON.stringify(path);
    const size = sizeOf(v);
    const isOpen = size > 0 && open.has(id);
    rows.push({ path, id, depth, name: String(key), kind: kindOf(v), brief: brief(v), size, open: isOpen, place, of });
    if (!isOpen) return;
    const members: [string | number, Json][] = Array.isArray(v) ? v.map((m, i) => [i, m]) : Object.entries(v as object);
    const shown = Math.min(members.length, maxMembers);
    for (let i = 0; i < shown; i++) add(members[i]![1], members[i]![0], [...path, members[i]![0]], depth + 1, i + 1, members.length);
    if (shown < members.length && rows.length < maxRows) {
      rows.push({
        path, id: id + "+", depth: depth + 1, name: "…", kind: "more", brief: `${members.length - shown} more, in the copied value`,
        size: 0, open: false, place: shown + 1, of: members.length,
      });
    }
  };
  add(value, name, [], 0, 1, 1);
  return rows;
}

/** at returns what a path leads to. */
export function at(value: Json, path: (string | number)[]): Json {
  let v: Json = value;
  for (const step of path) v = (v as Record<string | number, Json>)[step] ?? null;
  return v;
}

/** template returns the expression by which a task's template reads the value. */
export function template(task: string, key: string, path: (string | number)[]): string {
  const named = key === "return_value" ? "" : `, key=${quote(key)}`;
  return `{{ ti.xcom_pull(task_ids=${quote(task)}${named})${path.map((s) => `[${typeof s === "number" ? s : quote(s)}]`).join("")} }}`;
}

/** allOpen returns the rows to open so that a value is seen whole, down to a depth. */
export function allOpen(value: Json, depth: number, most = 2000): Set<string> {
  const open = new Set<string>();
  let queue: [Json, (string | number)[]][] = [[value, []]];
  for (let d = 0; d < depth && queue.length > 0; d++) {
    const next: typeof queue = [];
    for (const [v, path] of queue) {
      if (sizeOf(v) === 0) continue;
      if (open.size >= most) return open;
      open.add(JSON.stringify(path));
      if (Array.isArray(v)) v.slice(0, maxMembers).forEach((m, i) => next.push([m, [...path, i]]));
      else for (const [k, m] of Object.entries(v as object).slice(0, maxMembers)) next.push([m as Json, [...path, k]]);
    }
    queue = next;
  }
  return open;
}

function quote(s: string): string {
  return "'" + s.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n") + "'";
}

function kindOf(v: Json): Row["kind"] {
  if (v === null) return "null";
  if (v instanceof Exact) return "number";
  if (Array.isArray(v)) return "array";
  return typeof v as "object" | "string" | "number" | "boolean";
}

function sizeOf(v: Json): number {
  if (v === null || typeof v !== "object" || v instanceof Exact) return 0;
  return Array.isArray(v) ? v.length : Object.keys(v).length;
}

function brief(v: Json): string {
  if (v instanceof Exact) return v.text;
  if (Array.isArray(v)) return v.length === 0 ? "[]" : `[ ${v.length} ]`;
  if (v !== null && typeof v === "object") {
    const keys = Object.keys(v);
    if (keys.length === 0) return "{}";
    const text = keys.slice(0, 6).join(", ");
    return `{ ${text.length > 60 ? text.slice(0, 60) : text}${keys.length > 6 || text.length > 60 ? ", …" : ""} }`;
  }
  const text = JSON.stringify(v);
  return text.length > 4000 ? text.slice(0, 4000) + "…" : text;
}
