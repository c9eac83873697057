/**
 * A scene is a graph that has been laid out: where the boxes of its nodes
 * are and how the edges run, in world pixels. It knows neither states nor
 * pixels of a screen. Edges point from left to right.
 */

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface SceneNode extends Box {
  id: string;
  label: string;
  /** What stands below the label while there is nothing better to say. */
  kind: string;
  /** Indices of the tasks behind the node: one, or those of a closed group. */
  tasks: number[];
  /** The group that the node belongs to or, closed, stands for; "" is none. */
  group: string;
  /** Whether the node stands for a closed group. */
  closed: boolean;
}

export interface SceneEdge {
  from: number;
  to: number;
  /** x, y, x, y…: both ends, and the places at which the edge passes others. */
  points: number[];
}

export interface SceneGroup {
  id: string;
  label: string;
  members: number[];
}

export class Scene {
  readonly nodes: SceneNode[];
  readonly edges: SceneEdge[];
  readonly groups: SceneGroup[];
  /** Edges by node, as indices into edges. */
  readonly into: number[][];
  readonly outOf: number[][];
  readonly bounds: Box;
  /** left, top, right, bottom of each edge. */
  readonly edgeBounds: Float32Array;
  /** The node that stands for a task. */
  readonly nodeOfTask: Int32Array;
  private readonly byId = new Map<string, number>();

  constructor(nodes: SceneNode[], edges: SceneEdge[], groups: SceneGroup[]) {
    this.nodes = nodes;
    this.edges = edges;
    this.groups = groups;
    this.into = nodes.map(() => []);
    this.outOf = nodes.map(() => []);
    let tasks = 0;
    nodes.forEach((n, i) => {
      this.byId.set(n.id, i);
      for (const t of n.tasks) tasks = Math.max(tasks, t + 1);
    });
    this.nodeOfTask = new Int32Array(tasks).fill(-1);
    nodes.forEach((n, i) => {
      for (const t of n.tasks) this.nodeOfTask[t] = i;
    });
    this.edgeBounds = new Float32Array(edges.length * 4);
    edges.forEach((e, i) => {
      this.outOf[e.from]!.push(i);
      this.into[e.to]!.push(i);
      let [l, t, r, b] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let k = 0; k < e.points.length; k += 2) {
        const x = e.points[k]!;
        const y = e.points[k + 1]!;
        l = Math.min(l, x);
        r = Math.max(r, x);
        t = Math.min(t, y);
        b = Math.max(b, y);
      }
      this.edgeBounds.set([l, t, r, b], i * 4);
    });
    this.bounds = boundsOf(nodes);
  }

  indexOf(id: string): number {
    return this.byId.get(id) ?? -1;
  }

  /** The node at a place of the world; -1 where there is none. */
  hit(x: number, y: number): number {
    for (let i = 0; i < this.nodes.length; i++) {
      const n = this.nodes[i]!;
      if (x >= n.x && x <= n.x + n.w && y >= n.y && y <= n.y + n.h) return i;
    }
    return -1;
  }

  /** The node that an arrow key leads to; the node itself at the end of the way. */
  step(from: number, way: "left" | "right" | "up" | "down"): number {
    const here = this.nodes[from];
    if (!here) return this.nodes.length > 0 ? 0 : -1;
    const mid = (n: SceneNode) => n.y + n.h / 2;
    const nearest = (all: number[]) => {
      let best = from;
      let least = Infinity;
      for (const i of all) {
        const d = Math.abs(mid(this.nodes[i]!) - mid(here));
        if (d < least) [best, least] = [i, d];
      }
      return best;
    };
    if (way === "left") return nearest(this.into[from]!.map((e) => this.edges[e]!.from));
    if (way === "right") return nearest(this.outOf[from]!.map((e) => this.edges[e]!.to));
    const column: number[] = [];
    this.nodes.forEach((n, i) => {
      const aside = n.x < here.x + here.w && n.x + n.w > here.x;
      const beyond = way === "down" ? mid(n) > mid(here) : mid(n) < mid(here);
      if (i !== from && aside && beyond) column.push(i);
    });
    return nearest(column);
  }

  /** All nodes that lead to a node, or that it leads to, with the edges between. */
  kin(of: number): { nodes: Set<number>; edges: Set<number> } {
    const nodes = new Set<number>([of]);
    const edges = new Set<number>();
    for (const [near, end] of [
      [this.into, "from"],
      [this.outOf, "to"],
    ] as const) {
      const seen = new Set<number>([of]);
      const queue = [of];
      for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
        for (const e of near[i]!) {
          edges.add(e);
          const next = this.edges[e]![end];
          if (!seen.has(next)) {
            seen.add(next);
            nodes.add(next);
            queue.push(next);
          }
        }
      }
    }
    return { nodes, edges };
  }
}

function boundsOf(boxes: Box[]): Box {
  let [l, t, r, b] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const n of boxes) {
    l = Math.min(l, n.x);
    t = Math.min(t, n.y);
    r = Math.max(r, n.x + n.w);
    b = Math.max(b, n.y + n.h);
  }
  return boxes.length === 0 ? { x: 0, y: 0, w: 1, h: 1 } : { x: l, y: t, w: r - l, h: b - t };
}

/** The distance that is kept where closing a group leaves room. */
const gap = 14;

/**
 * close returns the scene with some groups drawn as one node each. The order
 * of everything else stays as it was laid out, and room that nothing uses
 * any more is taken away, so that nobody has to lay the graph out again.
 */
export function close(scene: Scene, groups: ReadonlySet<string>): Scene {
  const closing = scene.groups.filter((g) => groups.has(g.id) && g.members.length > 1);
  if (closing.length === 0) return scene;
  const standsFor = new Int32Array(scene.nodes.length);
  const nodes: SceneNode[] = [];
  const hidden = new Map<number, SceneGroup>();
  // Outer groups come first, and hide inner ones.
  for (const g of closing) for (const m of g.members) if (!hidden.has(m)) hidden.set(m, g);
  const place = new Map<string, number>();
  scene.nodes.forEach((n, i) => {
    const g = hidden.get(i);
    if (!g) {
      standsFor[i] = nodes.push({ ...n }) - 1;
      return;
    }
    let at = place.get(g.id);
    if (at === undefined) {
      // The place of the middle member is free: its own members were there.
      const members = g.members.map((m) => scene.nodes[m]!).sort((a, b) => a.y - b.y);
      const mid = members[members.length >> 1]!;
      at =
        nodes.push({
          x: mid.x,
          y: mid.y,
          w: mid.w,
          h: mid.h,
          id: "group:" + g.id,
          label: g.label,
          kind: `${g.members.length} tasks`,
          tasks: g.members.flatMap((m) => scene.nodes[m]!.tasks),
          group: g.id,
          closed: true,
        }) - 1;
      place.set(g.id, at);
    }
    standsFor[i] = at;
  });
  const edges: SceneEdge[] = [];
  const drawn = new Set<number>();
  for (const e of scene.edges) {
    const from = standsFor[e.from]!;
    const to = standsFor[e.to]!;
    if (from === to) continue;
    const rerouted = nodes[from]!.closed || nodes[to]!.closed;
    const key = from * nodes.length + to;
    if (rerouted && drawn.has(key)) continue;
    drawn.add(key);
    edges.push({ from, to, points: rerouted ? [] : e.points.slice() });
  }
  const squashX = squash(nodes.map((n) => [n.x, n.x + n.w]));
  const squashY = squash(nodes.map((n) => [n.y, n.y + n.h]));
  for (const n of nodes) {
    n.x = squashX(n.x);
    n.y = squashY(n.y);
  }
  for (const e of edges) {
    if (e.points.length === 0) {
      const a = nodes[e.from]!;
      const b = nodes[e.to]!;
      e.points = [a.x + a.w, a.y + a.h / 2, b.x, b.y + b.h / 2];
      continue;
    }
    for (let k = 0; k < e.points.length; k += 2) {
      e.points[k] = squashX(e.points[k]!);
      e.points[k + 1] = squashY(e.points[k + 1]!);
    }
  }
  // The others may name members of groups by their old index.
  const open = scene.groups.map((g) => ({ ...g, members: [...new Set(g.members.map((m) => standsFor[m]!))] }));
  return new Scene(nodes, edges, open);
}

/** squash maps an axis onto itself without the stretches that no interval uses. */
function squash(used: [number, number][]): (at: number) => number {
  const sorted = used.slice().sort((a, b) => a[0] - b[0]);
  const starts: number[] = [];
  const shifts: number[] = [];
  let end = sorted[0]?.[0] ?? 0;
  let shift = 0;
  const room = 60; // between ranks there are edges to be seen
  for (const [from, to] of sorted) {
    if (from > end + room) {
      starts.push(end);
      shifts.push(shift);
      shift += from - end - gap;
      starts.push(from);
      shifts.push(shift);
    }
    end = Math.max(end, to);
  }
  return (at) => {
    let lo = 0;
    let hi = starts.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (starts[mid]! <= at) lo = mid + 1;
      else hi = mid;
    }
    if (lo === 0) return at;
    const k = lo - 1;
    if (k % 2 === 1) return at - shifts[k]!;
    // Within a stretch that is taken away: what passes there moves with it.
    const width = starts[k + 1]! - starts[k]!;
    return starts[k]! - shifts[k]! + ((at - starts[k]!) / width) * gap;
  };
}
