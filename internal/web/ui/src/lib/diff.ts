// Differences between two texts, line by line.

/** A Line of a diff: of both texts, of the old one or of the new one. */
export interface Line {
  kind: "same" | "old" | "new";
  text: string;
  /** 1-based numbers in the texts; 0 where the line is not in one. */
  a: number;
  b: number;
}

/** How many differing lines are looked for exactly; beyond it, what is left counts as replaced. */
const most = 1500;

/** diff returns the lines of both texts in order, by the shortest script of Myers. */
export function diff(before: string, after: string): Line[] {
  const a = lines(before);
  const b = lines(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;

  const found: Line[] = [];
  const same = (i: number, j: number) => found.push({ kind: "same", text: a[i] ?? "", a: i + 1, b: j + 1 });
  for (let i = 0; i < head; i++) same(i, i);
  for (const [i, j] of steps(a.slice(head, a.length - tail), b.slice(head, b.length - tail))) {
    if (i >= 0 && j >= 0) same(head + i, head + j);
    else if (i >= 0) found.push({ kind: "old", text: a[head + i] ?? "", a: head + i + 1, b: 0 });
    else found.push({ kind: "new", text: b[head + j] ?? "", a: 0, b: head + j + 1 });
  }
  for (let k = tail; k > 0; k--) same(a.length - k, b.length - k);
  return found;
}

function lines(text: string): string[] {
  const all = text.split(/\r?\n/);
  if (all.at(-1) === "") all.pop();
  return all;
}

/** steps pairs indexes of both, with -1 where a line is in one alone. */
function steps(a: readonly string[], b: readonly string[]): [number, number][] {
  const n = a.length;
  const m = b.length;
  const limit = Math.min(n + m, most);
  const trace: Int32Array[] = [];
  const size = 2 * limit + 3;
  const mid = limit + 1;
  const v = new Int32Array(size);
  let depth = -1;
  search: for (let d = 0; d <= limit; d++) {
    trace.push(v.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (v[mid + k - 1] ?? 0) < (v[mid + k + 1] ?? 0));
      let x = down ? (v[mid + k + 1] ?? 0) : (v[mid + k - 1] ?? 0) + 1;
      let y = x - k;
      while (x < n && y < m && a[x] === b[y]) {
        x++;
        y++;
      }
      v[mid + k] = x;
      if (x >= n && y >= m) {
        depth = d;
        break search;
      }
    }
  }
  const replaced = (): [number, number][] => [...a.map((_, i): [number, number] => [i, -1]), ...b.map((_, j): [number, number] => [-1, j])];
  if (depth < 0) return replaced();
  const back: [number, number][] = [];
  let x = n;
  let y = m;
  for (let d = depth; d >= 0; d--) {
    const w = trace[d];
    if (!w) return replaced();
    const k = x - y;
    const down = k === -d || (k !== d && (w[mid + k - 1] ?? 0) < (w[mid + k + 1] ?? 0));
    const from = down ? k + 1 : k - 1;
    const px = w[mid + from] ?? 0;
    const py = px - from;
    while (x > px && y > py && x > 0 && y > 0) back.push([--x, --y]);
    if (d > 0) {
      if (down) back.push([-1, --y]);
      else back.push([--x, -1]);
    }
  }
  return back.reverse();
}

/** A Part of a line, and whether the other line has it too. */
export interface Part {
  text: string;
  changed: boolean;
}

/** within tells which words of two lines differ; null when they share too little to say. */
export function within(before: string, after: string): { before: Part[]; after: Part[] } | null {
  const split = (s: string) => s.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const a = split(before);
  const b = split(after);
  if (a.length > 400 || b.length > 400) return null;
  const out = { before: [] as Part[], after: [] as Part[] };
  const add = (list: Part[], text: string, changed: boolean) => {
    const last = list.at(-1);
    if (last && last.changed === changed) last.text += text;
    else list.push({ text, changed });
  };
  let shared = 0;
  for (const [i, j] of steps(a, b)) {
    const text = (i >= 0 ? a[i] : b[j]) ?? "";
    if (i >= 0 && j >= 0) shared += text.trim().length;
    if (i >= 0) add(out.before, text, j < 0);
    if (j >= 0) add(out.after, text, i < 0);
  }
  return shared * 3 < Math.max(before.trim().length, after.trim().length) ? null : out;
}

/** A Block of a diff to show: lines, or a number of equal ones that are folded. */
export type Block = { lines: Line[] } | { folded: Line[] };

/** fold puts away equal lines that are further than `near` from a change. */
export function fold(all: readonly Line[], near = 4): Block[] {
  const keep = new Uint8Array(all.length);
  all.forEach((l, i) => {
    if (l.kind !== "same") keep.fill(1, Math.max(0, i - near), i + near + 1);
  });
  const blocks: Block[] = [];
  for (let i = 0; i < all.length; ) {
    let j = i;
    while (j < all.length && keep[j] === keep[i]) j++;
    const part = all.slice(i, j);
    blocks.push(keep[i] || part.length < 4 ? { lines: part } : { folded: part });
    i = j;
  }
  return blocks;
}
