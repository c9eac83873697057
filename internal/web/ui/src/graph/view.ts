import type { Box } from "./scene";

/** A view says which part of the world a screen shows: screen = (world - origin) * k. */
export interface View {
  x: number;
  y: number;
  k: number;
}

export interface Size {
  w: number;
  h: number;
}

export const minZoom = 0.005;
export const maxZoom = 2.5;

/** fit shows the whole box, at most at full size. */
export function fit(box: Box, screen: Size, pad = 24): View {
  const k = clamp(Math.min((screen.w - 2 * pad) / box.w, (screen.h - 2 * pad) / box.h, 1), minZoom, maxZoom);
  return { k, x: box.x + box.w / 2 - screen.w / 2 / k, y: box.y + box.h / 2 - screen.h / 2 / k };
}

/** zoom scales about a place of the screen, which stays where it is. */
export function zoom(v: View, by: number, sx: number, sy: number): View {
  const k = clamp(v.k * by, minZoom, maxZoom);
  return { k, x: v.x + sx / v.k - sx / k, y: v.y + sy / v.k - sy / k };
}

export function pan(v: View, dx: number, dy: number): View {
  return { k: v.k, x: v.x - dx / v.k, y: v.y - dy / v.k };
}

/** keep moves a view so that at least a corner of the world stays in sight. */
export function keep(v: View, world: Box, screen: Size, margin = 80): View {
  const x = clamp(v.x, world.x - (screen.w - margin) / v.k, world.x + world.w - margin / v.k);
  const y = clamp(v.y, world.y - (screen.h - margin) / v.k, world.y + world.h - margin / v.k);
  return { k: v.k, x, y };
}

/** reveal moves a view as little as shows a box, enlarged so that it can be read. */
export function reveal(v: View, box: Box, screen: Size): View {
  const legible = screen.w < 600 ? 0.85 : 0.65;
  if (v.k < legible * 0.5) {
    const k = legible;
    return { k, x: box.x + box.w / 2 - screen.w / 2 / k, y: box.y + box.h / 2 - screen.h / 2 / k };
  }
  const m = Math.min(48, screen.w / 8) / v.k;
  let { x, y } = v;
  if (box.x - m < x) x = box.x - m;
  else if (box.x + box.w + m > x + screen.w / v.k) x = box.x + box.w + m - screen.w / v.k;
  if (box.y - m < y) y = box.y - m;
  else if (box.y + box.h + m > y + screen.h / v.k) y = box.y + box.h + m - screen.h / v.k;
  return { k: v.k, x, y };
}

function clamp(n: number, lo: number, hi: number): number {
  return Math.max(lo, Math.min(hi, n));
}
