import { colors } from "../lib/color";
import { signs } from "../lib/signs";
import { allStates, look, runLook, type Look, type Tone } from "../lib/states";

/** Sprites are the signs of states as pictures, for canvases that draw many. */
export interface Sprites {
  /** Draws a task's state in a square of `size` CSS pixels. */
  task: (g: CanvasRenderingContext2D, letter: string, x: number, y: number) => void;
  run: (g: CanvasRenderingContext2D, letter: string, x: number, y: number) => void;
  /** The fill of a tone. */
  fill: Record<Tone, string>;
  edge: string;
  soft: string;
  ink: string;
}

const tones = ["wait", "soon", "live", "hold", "good", "bad", "cut", "off"] as const;

/** sprites draws them for the theme of the moment, `size` CSS pixels a side. */
export function sprites(size: number, dpr: number): Sprites {
  const c = colors([...tones.map((t) => `${t}-fill` as const), "fill-ink", "good", "good-tint", "edge", "soft", "ink"]);
  const picture = (l: Look) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = Math.round(size * dpr);
    const g = canvas.getContext("2d");
    if (!g) return canvas;
    g.scale(canvas.width / size, canvas.width / size);
    const hollow = l.sign === "ring" || l.sign === "minus" || l.sign === "question";
    // What went well is quiet, so that what did not stands out.
    const calm = l.tone === "good";
    g.beginPath();
    if (hollow) {
      // What has not begun is an outline, so that what has stands out.
      g.roundRect(0.75, 0.75, size - 1.5, size - 1.5, 3.5);
      g.strokeStyle = c["wait-fill"];
      g.lineWidth = 1;
      g.globalAlpha = 0.75;
      g.stroke();
      g.globalAlpha = 1;
    } else {
      g.roundRect(0, 0, size, size, 3.5);
      g.fillStyle = calm ? c["good-tint"] : c[`${l.tone}-fill`];
      g.fill();
    }
    const { d, solid } = signs[l.sign];
    const scale = (size * 0.8) / 16;
    g.translate(size * 0.1, size * 0.1);
    g.scale(scale, scale);
    g.lineWidth = 2;
    g.lineCap = g.lineJoin = "round";
    g.strokeStyle = g.fillStyle = hollow ? c["wait-fill"] : calm ? c.good : c["fill-ink"];
    const path = new Path2D(d);
    if (solid) g.fill(path);
    else g.stroke(path);
    return canvas;
  };
  const draw = (pictures: Map<string, HTMLCanvasElement>): Sprites["task"] => (g, letter, x, y) => {
    const p = pictures.get(letter);
    if (p) g.drawImage(p, x, y, size, size);
  };
  return {
    task: draw(new Map(allStates.map((s) => [s, picture(look(s))]))),
    run: draw(new Map(allStates.map((s) => [s, picture(runLook(s))]))),
    fill: Object.fromEntries(tones.map((t) => [t, c[`${t}-fill`]])) as Record<Tone, string>,
    edge: c.edge, soft: c.soft, ink: c.ink,
  };
}
