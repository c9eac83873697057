import type { Scene, SceneNode } from "./scene";
import type { Size, View } from "./view";

/** How a node looks. */
export interface Look {
  /** Which of the palette's tones. */
  tone: number;
  /** The name of the sign that says without colour what the tone says. */
  sign: string;
  /** The line below the label. */
  under: string;
  /** Shares of tones of a closed group, which sum to 1; empty of a task. */
  mix: [tone: number, share: number][];
}

/** The colours of a theme, as CSS writes them. */
export interface Palette {
  ground: string;
  box: string;
  border: string;
  text: string;
  soft: string;
  edge: string;
  accent: string;
  /** What signs on a tone are drawn in. */
  ink: string;
  font: string;
  tones: string[];
}

/** A Glyph draws a sign in a tone's colours around a centre. */
export type Glyph = (c: CanvasRenderingContext2D, look: Look, colour: string, ink: string, x: number, y: number, r: number) => void;

interface Tile {
  canvas: HTMLCanvasElement;
  /** The paint that the tile shows; an older one is drawn until it is redone. */
  stamp: number;
  used: number;
}

/** Width of a tile in pixels of the screen. */
const tileSize = 512;
/** How many tiles are kept: twice what a wide screen shows. */
const maxTiles = 72;
/** Milliseconds of a frame that tiles may take; the rest is for the browser. */
const budget = 7;

/**
 * A Painter draws a scene of any size at the pace of the screen. The picture
 * is made of tiles that are painted once, a few milliseconds a frame, and
 * then only moved; what is not painted yet is shown as it was at the last
 * scale. It owns the canvas.
 */
export class Painter {
  private readonly ctx: CanvasRenderingContext2D;
  private scene: Scene | undefined;
  private looks: Look[] = [];
  private palette: Palette | undefined;
  private dim: { nodes: Set<number>; edges: Set<number> } | undefined;
  private tiles = new Map<string, Tile>();
  private old: { tiles: Map<string, Tile>; k: number } | undefined;
  private k = 0;
  private ratio = 1;
  private size: Size = { w: 0, h: 0 };
  private stamp = 1;
  private clock = 0;
  private readonly spare: HTMLCanvasElement[] = [];
  private readonly fits = new Map<string, string>();
  private mini: { whole: HTMLCanvasElement; k: number; x: number; y: number } | undefined;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly glyph: Glyph,
  ) {
    this.ctx = canvas.getContext("2d", { alpha: false })!;
  }

  resize(size: Size, ratio: number): void {
    this.size = size;
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(size.w * ratio));
    this.canvas.height = Math.max(1, Math.round(size.h * ratio));
    this.forget();
  }

  show(scene: Scene, looks: Look[]): void {
    if (scene !== this.scene) this.forget();
    this.scene = scene;
    this.looks = looks;
    this.stamp++;
  }

  /** restyle repaints the nodes whose look has changed, and nothing else. */
  restyle(looks: Look[]): void {
    const s = this.scene;
    if (!s) return;
    const before = this.looks;
    this.looks = looks;
    const touched = new Set<string>();
    const width = tileSize / this.ratio / this.k;
    looks.forEach((l, i) => {
      if (same(l, before[i])) return;
      const n = s.nodes[i]!;
      for (let ty = Math.floor(n.y / width); ty <= Math.floor((n.y + n.h) / width); ty++) {
        for (let tx = Math.floor(n.x / width); tx <= Math.floor((n.x + n.w) / width); tx++) touched.add(tx + "/" + ty);
      }
    });
    for (const key of touched) {
      const t = this.tiles.get(key);
      if (t) t.stamp = 0;
    }
  }

  paintWith(palette: Palette): void {
    this.palette = palette;
    this.fits.clear();
    this.stamp++;
  }

  /** emphasise shows some nodes and edges as ever and the rest faintly. */
  emphasise(dim: { nodes: Set<number>; edges: Set<number> } | undefined): void {
    if (dim === this.dim) return;
    this.dim = dim;
    this.stamp++;
  }

  /** frame draws the view and reports whether more is to be painted. */
  frame(v: View, moving: boolean): boolean {
    const { ctx, scene, palette } = this;
    if (!scene || !palette || this.size.w === 0) return false;
    if (v.k !== this.k && !(moving && this.k > 0)) this.rescale(v.k);
    this.clock++;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.fillStyle = palette.ground;
    ctx.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.old) this.blit(this.old.tiles, this.old.k, v);
    const missing = this.blit(this.tiles, this.k, v);
    if (moving && v.k !== this.k) return true; // in the middle of a zoom
    const begun = performance.now();
    let left = missing.length;
    for (const [tx, ty] of missing) {
      if (left < missing.length && performance.now() - begun > budget) break;
      const tile = this.paintTile(tx, ty);
      this.put(tile, tx, ty, this.k, v);
      left--;
    }
    if (left === 0) {
      if (this.old) this.drop(this.old.tiles.values());
      this.old = undefined;
      this.evict();
    }
    return left > 0;
  }

  /** Whether everything in sight is painted as it should be. */
  get whole(): boolean {
    return this.old === undefined;
  }

  private forget(): void {
    this.drop(this.tiles.values());
    if (this.old) this.drop(this.old.tiles.values());
    this.tiles.clear();
    this.old = undefined;
    this.k = 0;
  }

  private rescale(k: number): void {
    if (this.tiles.size > 0) {
      if (this.old) this.drop(this.old.tiles.values());
      this.old = { tiles: this.tiles, k: this.k };
    }
    this.tiles = new Map();
    this.k = k;
  }

  /** Draws the tiles in sight and returns the places of those to be painted, nearest to the middle first. */
  private blit(tiles: Map<string, Tile>, k: number, v: View): [number, number][] {
    const width = tileSize / this.ratio / k; // of a tile, in the world
    const missing: [number, number][] = [];
    const right = v.x + this.size.w / v.k;
    const bottom = v.y + this.size.h / v.k;
    const world = this.scene!.bounds;
    const first = (a: number, lo: number) => Math.floor(Math.max(a, lo - 20) / width);
    const last = (b: number, hi: number) => Math.floor(Math.min(b, hi + 20) / width);
    for (let ty = first(v.y, world.y); ty <= last(bottom, world.y + world.h); ty++) {
      for (let tx = first(v.x, world.x); tx <= last(right, world.x + world.w); tx++) {
        const t = tiles.get(tx + "/" + ty);
        if (t) {
          this.put(t, tx, ty, k, v);
          t.used = this.clock;
        }
        if (!t || t.stamp !== this.stamp) missing.push([tx, ty]);
      }
    }
    const mx = (v.x + right) / 2 / width - 0.5;
    const my = (v.y + bottom) / 2 / width - 0.5;
    return missing.sort((a, b) => Math.hypot(a[0] - mx, a[1] - my) - Math.hypot(b[0] - mx, b[1] - my));
  }

  private put(t: Tile, tx: number, ty: number, k: number, v: View): void {
    const width = tileSize / this.ratio / k;
    const s = v.k * this.ratio;
    const x = (tx * width - v.x) * s;
    const y = (ty * width - v.y) * s;
    if (k === v.k) {
      this.ctx.drawImage(t.canvas, Math.round(x), Math.round(y));
      return;
    }
    const w = width * s;
    this.ctx.drawImage(t.canvas, x, y, w, w);
  }

  private evict(): void {
    if (this.tiles.size <= maxTiles) return;
    const byAge = [...this.tiles].sort((a, b) => a[1].used - b[1].used);
    for (const [key, t] of byAge.slice(0, this.tiles.size - maxTiles)) {
      this.tiles.delete(key);
      this.spare.push(t.canvas);
    }
  }

  /** Keeps the canvases of tiles that are not needed any more: new ones cost a frame. */
  private drop(tiles: Iterable<Tile>): void {
    for (const t of tiles) if (this.spare.length < maxTiles) this.spare.push(t.canvas);
  }

  private paintTile(tx: number, ty: number): Tile {
    const key = tx + "/" + ty;
    let t = this.tiles.get(key);
    if (!t) {
      t = { canvas: this.spare.pop() ?? newCanvas(), stamp: 0, used: this.clock };
      this.tiles.set(key, t);
    }
    t.stamp = this.stamp;
    const c = t.canvas.getContext("2d", { alpha: false })!;
    const s = this.k * this.ratio;
    const width = tileSize / s;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = this.palette!.ground;
    c.fillRect(0, 0, tileSize, tileSize);
    c.setTransform(s, 0, 0, s, -tx * tileSize, -ty * tileSize);
    this.paintRegion(c, tx * width, ty * width, (tx + 1) * width, (ty + 1) * width, this.k);
    return t;
  }

  private paintRegion(c: CanvasRenderingContext2D, l: number, t: number, r: number, b: number, k: number): void {
    this.paintEdges(c, l, t, r, b, k, false);
    if (this.dim) this.paintEdges(c, l, t, r, b, k, true);
    const s = this.scene!;
    if (k * 44 < 12) {
      this.paintSpecks(c, l, t, r, b, k);
      return;
    }
    for (let i = 0; i < s.nodes.length; i++) {
      const n = s.nodes[i]!;
      if (n.x + n.w + 8 < l || n.x - 8 > r || n.y + n.h + 8 < t || n.y - 8 > b) continue;
      c.globalAlpha = this.dim && !this.dim.nodes.has(i) ? 0.28 : 1;
      this.paintNode(c, n, this.looks[i]!, k);
    }
    c.globalAlpha = 1;
  }

  /** Nodes too small to be read: a rectangle each, all of a tone at once. */
  private paintSpecks(c: CanvasRenderingContext2D, l: number, t: number, r: number, b: number, k: number): void {
    const s = this.scene!;
    const grow = Math.max(0, (2.2 / k - 44) / 2); // at least two pixels high
    for (const faint of this.dim ? [true, false] : [false]) {
      c.globalAlpha = faint ? 0.25 : 1;
      this.palette!.tones.forEach((colour, tone) => {
        let any = false;
        for (let i = 0; i < s.nodes.length; i++) {
          const n = s.nodes[i]!;
          if (this.looks[i]!.tone !== tone || n.x + n.w < l || n.x > r || n.y + n.h + grow < t || n.y - grow > b) continue;
          if (this.dim && this.dim.nodes.has(i) === faint) continue;
          if (!any) c.beginPath();
          any = true;
          c.rect(n.x, n.y - grow, n.w, n.h + 2 * grow);
        }
        if (any) {
          c.fillStyle = colour;
          c.fill();
        }
      });
    }
    c.globalAlpha = 1;
  }

  private paintEdges(c: CanvasRenderingContext2D, l: number, t: number, r: number, b: number, k: number, strong: boolean): void {
    const s = this.scene!;
    const eb = s.edgeBounds;
    const margin = 6;
    c.beginPath();
    const heads = k > 0.3;
    for (let i = 0; i < s.edges.length; i++) {
      const o = i * 4;
      if (eb[o]! - margin > r || eb[o + 2]! + margin < l || eb[o + 1]! - margin > b || eb[o + 3]! + margin < t) continue;
      if (strong && !this.dim!.edges.has(i)) continue;
      trace(c, s.edges[i]!.points, k, heads);
    }
    c.strokeStyle = strong ? this.palette!.accent : this.palette!.edge;
    c.globalAlpha = strong ? 1 : this.dim ? 0.3 : Math.max(0.35, Math.min(1, k * 2));
    c.lineWidth = (strong ? 2 : 1.25) / Math.min(1, Math.max(k, 0.02)) ** 0.75;
    if (k < 0.3) c.lineWidth = (strong ? 1.5 : 0.75) / k;
    c.stroke();
    c.globalAlpha = 1;
  }

  private paintNode(c: CanvasRenderingContext2D, n: SceneNode, look: Look, k: number): void {
    const p = this.palette!;
    const tone = p.tones[look.tone]!;
    if (n.closed) {
      c.fillStyle = p.box;
      c.strokeStyle = p.border;
      c.lineWidth = 1;
      for (const off of [6, 3]) {
        c.beginPath();
        c.roundRect(n.x + off, n.y - off, n.w - off, n.h, 7);
        c.fill();
        c.stroke();
      }
    }
    c.beginPath();
    c.roundRect(n.x, n.y, n.w, n.h, 7);
    c.fillStyle = p.box;
    c.fill();
    c.strokeStyle = tone;
    c.lineWidth = Math.max(1.25, 1 / k);
    c.stroke();
    if (n.closed) {
      let x = n.x + 8;
      const whole = n.w - 16;
      for (const [m, share] of look.mix) {
        c.fillStyle = p.tones[m]!;
        c.fillRect(x, n.y + n.h - 7, whole * share, 3);
        x += whole * share;
      }
    }
    if (k < 0.34) {
      c.fillStyle = tone;
      c.fillRect(n.x + 6, n.y + 6, n.w - 12, n.h - 12);
      return;
    }
    const mid = n.y + n.h / 2;
    this.glyph(c, look, tone, p.ink, n.x + 19, mid, 8);
    const textX = n.x + 36;
    const room = n.w - 44;
    c.textBaseline = "middle";
    c.fillStyle = p.text;
    c.font = `600 13px ${p.font}`;
    c.fillText(this.fitted(c, n.label, room, "b"), textX, mid - 7.5);
    c.fillStyle = p.soft;
    c.font = `11.5px ${p.font}`;
    c.fillText(this.fitted(c, look.under || n.kind, room, "s"), textX, mid + 9);
  }

  /** The text, cut in the middle to a width: names differ at both ends. */
  private fitted(c: CanvasRenderingContext2D, text: string, room: number, font: string): string {
    const key = font + room + text;
    const known = this.fits.get(key);
    if (known !== undefined) return known;
    let out = text;
    if (c.measureText(text).width > room) {
      let lo = 1;
      let hi = text.length;
      while (lo < hi) {
        const mid = (lo + hi + 1) >> 1;
        if (c.measureText(cut(text, mid)).width <= room) lo = mid;
        else hi = mid - 1;
      }
      out = cut(text, lo);
    }
    if (this.fits.size > 20_000) this.fits.clear();
    this.fits.set(key, out);
    return out;
  }

  /** miniature paints the whole scene for [stampMiniature] and returns where it is: world = place / k + (x, y). */
  miniature(canvas: HTMLCanvasElement, size: Size, ratio: number): { k: number; x: number; y: number } {
    const s = this.scene;
    if (!s || !this.palette) return { k: 1, x: 0, y: 0 };
    canvas.width = Math.round(size.w * ratio);
    canvas.height = Math.round(size.h * ratio);
    const k = Math.min((size.w - 8) / s.bounds.w, (size.h - 8) / s.bounds.h, 0.2);
    const x = s.bounds.x + s.bounds.w / 2 - size.w / 2 / k;
    const y = s.bounds.y + s.bounds.h / 2 - size.h / 2 / k;
    const whole = document.createElement("canvas");
    whole.width = canvas.width;
    whole.height = canvas.height;
    const c = whole.getContext("2d")!;
    c.setTransform(k * ratio, 0, 0, k * ratio, -x * k * ratio, -y * k * ratio);
    const dim = this.dim;
    this.dim = undefined;
    this.paintSpecks(c, -Infinity, -Infinity, Infinity, Infinity, k);
    this.dim = dim;
    this.mini = { whole, k: k * ratio, x, y };
    return { k, x, y };
  }

  /** stampMiniature shows the miniature with an outline of what the view shows. */
  stampMiniature(canvas: HTMLCanvasElement, v: View, size: Size, colour: string): void {
    if (!this.mini) return;
    const { whole, k, x, y } = this.mini;
    const c = canvas.getContext("2d")!;
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.drawImage(whole, 0, 0);
    c.strokeStyle = colour;
    c.lineWidth = 2;
    c.strokeRect((v.x - x) * k, (v.y - y) * k, (size.w / v.k) * k, (size.h / v.k) * k);
  }
}

function newCanvas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = tileSize;
  return canvas;
}

/** trace adds an edge to the path: curves between ranks, straight where it passes boxes. */
function trace(c: CanvasRenderingContext2D, p: number[], k: number, head: boolean): void {
  c.moveTo(p[0]!, p[1]!);
  const n = p.length;
  for (let i = 2; i < n; i += 2) {
    const [x0, y0, x1, y1] = [p[i - 2]!, p[i - 1]!, p[i]!, p[i + 1]!];
    if (k < 0.12 || Math.abs(y1 - y0) < 0.5) c.lineTo(x1, y1);
    else {
      const mid = (x0 + x1) / 2;
      c.bezierCurveTo(mid, y0, mid, y1, x1, y1);
    }
  }
  if (head) {
    const x = p[n - 2]!;
    const y = p[n - 1]!;
    c.moveTo(x - 6, y - 4);
    c.lineTo(x, y);
    c.lineTo(x - 6, y + 4);
  }
}

function cut(text: string, keep: number): string {
  const front = Math.ceil(keep * 0.6);
  return text.slice(0, front) + "…" + (keep > front ? text.slice(front - keep) : "");
}

function same(a: Look, b: Look | undefined): boolean {
  if (!b || a.tone !== b.tone || a.sign !== b.sign || a.under !== b.under || a.mix.length !== b.mix.length) return false;
  return a.mix.every((m, i) => m[0] === b.mix[i]![0] && m[1] === b.mix[i]![1]);
}
