import { useMemo } from "react";
import type { Graph } from "../api";
import { useTheme } from "../app/theme";
import { colors } from "../lib/color";
import { signs } from "../lib/signs";
import { look, type SignName, type Tone } from "../lib/states";
import type { Glyph, Look, Palette } from "./painter";
import { Scene, type SceneEdge, type SceneGroup, type SceneNode } from "./scene";

/** The tones of states, in the order in which a palette has them. */
const tones: Tone[] = ["wait", "soon", "live", "hold", "good", "bad", "cut", "off"];

/** What of a group decides how it looks: trouble before work before rest. */
const weight: Record<Tone, number> = { bad: 7, cut: 6, live: 5, hold: 4, soon: 3, wait: 2, good: 1, off: 0 };

/** sceneOf takes over a layout that the server made. */
export function sceneOf(g: Graph): Scene {
  const group = new Array<string>(g.ids.length).fill("");
  for (const one of g.groups) for (const m of one.members) group[m] = one.id; // inner ones come later
  const nodes: SceneNode[] = g.ids.map((id, i) => ({
    id, label: id, kind: g.kinds[g.kind[i]!] ?? "", tasks: [i], group: group[i]!, closed: false,
    x: g.x[i]!, y: g.y[i]!, w: g.w[i]!, h: g.height,
  }));
  const edges: SceneEdge[] = g.from.map((from, k) => {
    const to = g.to[k]!;
    const a = nodes[from]!;
    const b = nodes[to]!;
    return { from, to, points: [a.x + a.w, a.y + a.h / 2, ...(g.via[k] ?? []), b.x, b.y + b.h / 2] };
  });
  const groups: SceneGroup[] = g.groups.map((one) => ({ id: one.id, label: one.label, members: one.members }));
  return new Scene(nodes, edges, groups);
}

/** What is known of the tasks of a graph. */
export interface TaskStates {
  /** A letter per task. */
  states: string;
  /** What stands under a task's name; undefined says its state. */
  under?(task: number): string | undefined;
}

/** looksOf says how the nodes of a scene look, closed groups by what they hold. */
export function looksOf(scene: Scene, t: TaskStates | undefined): Look[] {
  return scene.nodes.map((n) => {
    if (!t) return { tone: 0, sign: "ring", under: n.kind, mix: [] };
    if (!n.closed) {
      const l = look(t.states[n.tasks[0]!] ?? "w");
      return { tone: tones.indexOf(l.tone), sign: l.sign, under: t.under?.(n.tasks[0]!) ?? l.word, mix: [] };
    }
    const counts = new Map<Tone, number>();
    let worst = look("w");
    let first = true;
    const words = new Map<string, number>();
    for (const i of n.tasks) {
      const l = look(t.states[i] ?? "w");
      counts.set(l.tone, (counts.get(l.tone) ?? 0) + 1);
      words.set(l.word, (words.get(l.word) ?? 0) + 1);
      if (first || weight[l.tone] > weight[worst.tone]) worst = l;
      first = false;
    }
    const mix = tones.filter((x) => counts.has(x)).map<[number, number]>((x) => [tones.indexOf(x), counts.get(x)! / n.tasks.length]);
    const told = [...words].sort((a, b) => b[1] - a[1]).slice(0, 2).map(([w, c]) => `${c} ${w}`);
    return { tone: tones.indexOf(worst.tone), sign: worst.sign, under: told.join(", "), mix };
  });
}

const shapes = new Map<string, Path2D>();

/** glyph draws the sign of a state on a disc of its colour. */
export const glyph: Glyph = (c, l, colour, ink, x, y, r) => {
  const shape = signs[l.sign as SignName];
  let path = shapes.get(l.sign);
  if (!path) shapes.set(l.sign, (path = new Path2D(shape.d)));
  c.fillStyle = colour;
  c.beginPath();
  c.arc(x, y, r, 0, 2 * Math.PI);
  c.fill();
  c.save();
  c.translate(x - r * 0.8, y - r * 0.8);
  c.scale((r * 0.8) / 8, (r * 0.8) / 8);
  c.lineCap = c.lineJoin = "round";
  c.lineWidth = shape.solid ? 1 : 2.2;
  c.strokeStyle = c.fillStyle = ink;
  if (shape.solid) c.fill(path);
  c.stroke(path);
  c.restore();
};

/** usePalette returns the colours of the theme for a painter. */
export function usePalette(): Palette {
  const { shown } = useTheme();
  return useMemo(() => {
    const c = colors(["sheet", "raised", "edge", "edge-strong", "ink", "soft", "focus", "fill-ink", ...tones.map((t) => `${t}-fill` as const)]);
    return {
      ground: c.sheet, box: c.raised, border: c.edge, text: c.ink, soft: c.soft, edge: c["edge-strong"], accent: c.focus, ink: c["fill-ink"],
      font: getComputedStyle(document.body).fontFamily, tones: tones.map((t) => c[`${t}-fill`]),
    };
    // The colours follow the theme, which the names do not show.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shown]);
}
