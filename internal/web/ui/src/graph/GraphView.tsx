import { useCallback, useEffect, useId, useImperativeHandle, useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type Ref } from "react";
import { Painter, type Glyph, type Look, type Palette } from "./painter";
import type { Scene } from "./scene";
import { fit, keep, pan, reveal, zoom, type Size, type View } from "./view";

export interface GraphHandle {
  fit(): void;
  zoom(by: number): void;
  focus(): void;
}

interface Props {
  scene: Scene;
  /** How each node of the scene looks. */
  looks: Look[];
  palette: Palette;
  glyph: Glyph;
  /** The node that is selected; -1 for none. */
  selected: number;
  onSelect(node: number): void;
  /** Enter or a double click on a node. */
  onOpen(node: number): void;
  /** c on a node: closes the group around it, or opens the one that it stands for. */
  onGroup?(node: number): void;
  /** What a screen reader says of a node. */
  say(node: number): string;
  /** What a tooltip says of a node, a line each; the first is its name. */
  tell(node: number): string[];
  label: string;
  handle?: Ref<GraphHandle>;
}

const miniature = { w: 180, h: 110 };

/**
 * GraphView draws a graph that can be moved, scaled and walked through by
 * keys. What it shows to the eye alone must stand beside it as a list.
 */
export function GraphView(p: Props) {
  const host = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const over = useRef<HTMLCanvasElement>(null);
  const mini = useRef<HTMLCanvasElement>(null);
  const help = useId();
  const [hover, setHover] = useState<{ node: number; x: number; y: number }>();
  const [said, setSaid] = useState("");
  const [wide, setWide] = useState(false); // whether the scene exceeds the screen

  // What changes at every frame is kept out of React.
  const s = useRef<Live>(undefined);
  s.current ??= {
    painter: undefined, view: { x: 0, y: 0, k: 1 }, goal: undefined, size: { w: 0, h: 0 }, ratio: 1,
    frame: 0, pointers: new Map(), dragged: false, moved: 0, mini: { k: 1, x: 0, y: 0 }, fitted: undefined, touched: false, whole: false,
  };
  const live = s.current;
  const props = useRef(p);
  props.current = p;

  const draw = useCallback(() => {
    live.frame = 0;
    const { painter } = live;
    if (!painter) return;
    if (live.goal) advance(live);
    const now = performance.now();
    const more = painter.frame(live.view, now - live.moved < 140);
    if (!more && !live.whole) {
      live.whole = true;
      performance.mark("graph:whole"); // for those who measure
    }
    overlay(over.current!, live, props.current, hovered.current);
    outline(mini.current, live, props.current.palette);
    if (more || live.goal || now - live.moved < 160) request();
  }, [live]);
  const request = useCallback(() => {
    if (live.frame === 0) live.frame = requestAnimationFrame(draw);
  }, [live, draw]);
  const hovered = useRef(-1);
  hovered.current = hover?.node ?? -1;

  const go = useCallback(
    (to: View, smooth: boolean) => {
      to = keep(to, props.current.scene.bounds, live.size);
      if (smooth && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
        live.goal = { from: live.view, to, at: performance.now() };
      } else {
        if (to.k !== live.view.k) live.moved = performance.now();
        live.view = to;
        live.goal = undefined;
      }
      setWide(to.k * props.current.scene.bounds.w > live.size.w * 1.02 || to.k * props.current.scene.bounds.h > live.size.h * 1.02);
      request();
    },
    [live, request],
  );
  const fitAll = useCallback(
    (smooth: boolean) => {
      live.touched = false;
      go(fit(props.current.scene.bounds, live.size), smooth);
    },
    [go, live],
  );
  const scale = useCallback(
    (by: number) => {
      live.touched = true;
      go(zoom(live.goal?.to ?? live.view, by, live.size.w / 2, live.size.h / 2), true);
    },
    [go, live],
  );
  useImperativeHandle(p.handle, () => ({ fit: () => fitAll(true), zoom: scale, focus: () => host.current?.focus() }), [fitAll, scale]);

  useLayoutEffect(() => {
    live.painter = new Painter(base.current!, (...args) => props.current.glyph(...args));
    const resized = () => {
      const box = host.current!.getBoundingClientRect();
      if (box.width === 0) return;
      const first = live.size.w === 0;
      live.size = { w: box.width, h: box.height };
      live.ratio = Math.min(2, devicePixelRatio || 1);
      live.painter!.resize(live.size, live.ratio);
      over.current!.width = Math.round(box.width * live.ratio);
      over.current!.height = Math.round(box.height * live.ratio);
      if (first || !live.touched) fitAll(false);
      request();
    };
    const watch = new ResizeObserver(resized);
    watch.observe(host.current!);
    resized();
    return () => {
      watch.disconnect();
      cancelAnimationFrame(live.frame);
      live.frame = 0;
      live.painter = undefined;
    };
  }, [live, fitAll, request]);

  useLayoutEffect(() => {
    live.painter!.paintWith(p.palette);
    live.painter!.show(p.scene, p.looks);
    if (live.fitted !== p.scene) {
      live.fitted = p.scene;
      live.whole = false;
      if (live.size.w > 0) fitAll(false);
    }
    live.mini = live.painter!.miniature(mini.current!, miniature, live.ratio);
    request();
    // Looks alone are the business of the next effect.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [p.scene, p.palette, live, fitAll, request]);

  useLayoutEffect(() => {
    live.painter!.restyle(p.looks);
    request();
    // The picture of the whole may lag behind: it costs as much as all tiles.
    const late = setTimeout(() => {
      if (live.painter) live.mini = live.painter.miniature(mini.current!, miniature, live.ratio);
      request();
    }, 300);
    return () => clearTimeout(late);
  }, [p.looks, live, request]);

  useLayoutEffect(() => {
    live.painter!.emphasise(p.selected >= 0 ? p.scene.kin(p.selected) : undefined);
    const n = p.scene.nodes[p.selected];
    if (n && live.size.w > 0) {
      const from = live.goal?.to ?? live.view;
      const to = reveal(from, n, live.size);
      if (to.x !== from.x || to.y !== from.y || to.k !== from.k) {
        live.touched = true;
        go(to, true);
      }
    }
    request();
  }, [p.selected, p.scene, live, go, request]);

  useEffect(() => {
    const el = host.current!;
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      live.touched = true;
      const unit = e.deltaMode === 1 ? 20 : e.deltaMode === 2 ? live.size.h : 1;
      const box = el.getBoundingClientRect();
      if (e.shiftKey && !e.ctrlKey) go(pan(live.view, -(e.deltaX || e.deltaY) * unit, 0), false);
      else go(zoom(live.view, Math.exp((-e.deltaY * unit) / (e.ctrlKey ? 120 : 480)), e.clientX - box.left, e.clientY - box.top), false);
    };
    el.addEventListener("wheel", wheel, { passive: false });
    return () => el.removeEventListener("wheel", wheel);
  }, [live, go]);

  const at = (e: PointerEvent) => {
    const box = host.current!.getBoundingClientRect();
    const x = e.clientX - box.left;
    const y = e.clientY - box.top;
    return { x, y, node: p.scene.hit(live.view.x + x / live.view.k, live.view.y + y / live.view.k) };
  };
  const down = (e: PointerEvent) => {
    if (e.button !== 0) return;
    host.current!.setPointerCapture(e.pointerId);
    live.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    live.dragged = live.pointers.size > 1;
    live.goal = undefined;
    setHover(undefined);
  };
  const move = (e: PointerEvent) => {
    const before = live.pointers.get(e.pointerId);
    if (!before) {
      if (e.pointerType === "mouse") {
        const h = at(e);
        if (h.node !== hovered.current) {
          setHover(h.node < 0 ? undefined : h);
          request();
        }
      }
      return;
    }
    const dx = e.clientX - before.x;
    const dy = e.clientY - before.y;
    if (!live.dragged && Math.hypot(dx, dy) < 4) return;
    live.dragged = live.touched = true;
    if (live.pointers.size === 2) {
      const other = [...live.pointers].find(([id]) => id !== e.pointerId)![1];
      const box = host.current!.getBoundingClientRect();
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(e.clientX - other.x, e.clientY - other.y);
      const v = pan(live.view, dx / 2, dy / 2);
      go(zoom(v, is / Math.max(1, was), (e.clientX + other.x) / 2 - box.left, (e.clientY + other.y) / 2 - box.top), false);
    } else go(pan(live.view, dx, dy), false);
    live.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
  };
  const up = (e: PointerEvent) => {
    if (!live.pointers.delete(e.pointerId) || live.dragged) return;
    const { node } = at(e);
    p.onSelect(node);
    if (node >= 0) setSaid(p.say(node));
  };

  const key = (e: KeyboardEvent) => {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const arrows = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" } as const;
    const way = arrows[e.key as keyof typeof arrows];
    if (way && e.shiftKey) {
      live.touched = true;
      const d = 80;
      go(pan(live.goal?.to ?? live.view, way === "left" ? d : way === "right" ? -d : 0, way === "up" ? d : way === "down" ? -d : 0), true);
    } else if (way) {
      const next = p.scene.step(p.selected, way);
      if (next >= 0) {
        p.onSelect(next);
        setSaid(next === p.selected ? "Nothing further that way." : p.say(next));
      }
    } else if (e.key === "Enter" && p.selected >= 0) p.onOpen(p.selected);
    else if (e.key === "Escape" && p.selected >= 0) p.onSelect(-1);
    else if (e.key === "c" && p.selected >= 0 && p.onGroup) p.onGroup(p.selected);
    else if (e.key === "+" || e.key === "=") scale(1.4);
    else if (e.key === "-") scale(1 / 1.4);
    else if (e.key === "0") fitAll(true);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  const jump = (e: PointerEvent) => {
    if (e.type === "pointermove" && e.buttons !== 1) return;
    const box = mini.current!.getBoundingClientRect();
    const { k, x, y } = live.mini;
    live.touched = true;
    const wx = x + (e.clientX - box.left) / k;
    const wy = y + (e.clientY - box.top) / k;
    go({ k: live.view.k, x: wx - live.size.w / 2 / live.view.k, y: wy - live.size.h / 2 / live.view.k }, false);
  };

  const tip = hover && p.tell(hover.node);
  return (
    <div className="relative h-full min-h-0 w-full overflow-hidden">
      <div
        ref={host}
        role="application"
        aria-roledescription="graph"
        aria-label={p.label}
        aria-describedby={help}
        tabIndex={0}
        data-testid="graph"
        className="absolute inset-0 touch-none outline-offset-[-2px] select-none"
        style={{ cursor: hover ? "pointer" : "grab" }}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={(e) => live.pointers.delete(e.pointerId)}
        onPointerLeave={() => setHover(undefined)}
        onDoubleClick={(e) => {
          const box = host.current!.getBoundingClientRect();
          const node = p.scene.hit(live.view.x + (e.clientX - box.left) / live.view.k, live.view.y + (e.clientY - box.top) / live.view.k);
          if (node >= 0) p.onOpen(node);
        }}
        onKeyDown={key}
      >
        <canvas ref={base} aria-hidden className="absolute inset-0 h-full w-full" />
        <canvas ref={over} aria-hidden className="pointer-events-none absolute inset-0 h-full w-full" />
      </div>
      <p id={help} className="sr-only">
        Arrow keys walk along the edges, Enter opens a task, Escape lets go of it, plus and minus scale, zero shows everything, c closes or opens the group around a task, shift with arrows moves the view.
      </p>
      <p role="status" className="sr-only">
        {said}
      </p>
      {tip && hover && (
        <div
          aria-hidden
          className="pointer-events-none absolute z-10 max-w-80 rounded-md border border-edge bg-raised px-2.5 py-1.5 text-xs shadow-up"
          style={tipPlace(live, p.scene, hover.node)}
        >
          {tip.map((line, i) => (
            <div key={i} className={i === 0 ? "font-semibold break-all" : "text-soft"}>
              {line}
            </div>
          ))}
        </div>
      )}
      <canvas
        ref={mini}
        aria-hidden
        className={`absolute right-2 bottom-2 hidden rounded-md border border-edge bg-sheet/90 shadow-sheet sm:block ${wide ? "" : "invisible"}`}
        style={{ width: miniature.w, height: miniature.h, cursor: "crosshair" }}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          jump(e);
        }}
        onPointerMove={jump}
      />
    </div>
  );
}

/** What the drawing needs between frames. */
interface Live {
  painter: Painter | undefined;
  view: View;
  goal: { from: View; to: View; at: number } | undefined;
  size: Size;
  ratio: number;
  frame: number;
  pointers: Map<number, { x: number; y: number }>;
  dragged: boolean;
  /** When the scale changed last. */
  moved: number;
  mini: { k: number; x: number; y: number };
  fitted: Scene | undefined;
  /** Whether the reader has moved the view; until then it shows everything. */
  touched: boolean;
  /** Whether the scene has been drawn whole. */
  whole: boolean;
}

/** advance moves the view on its way to the goal: scale evenly in its logarithm, about the middle. */
function advance(live: Live): void {
  const { from, to, at } = live.goal!;
  const t = Math.min(1, (performance.now() - at) / 180);
  const e = 1 - (1 - t) ** 3;
  const k = from.k * (to.k / from.k) ** e;
  const { w, h } = live.size;
  const cx = from.x + w / 2 / from.k + (to.x + w / 2 / to.k - from.x - w / 2 / from.k) * e;
  const cy = from.y + h / 2 / from.k + (to.y + h / 2 / to.k - from.y - h / 2 / from.k) * e;
  if (k !== live.view.k) live.moved = performance.now();
  live.view = t === 1 ? to : { k, x: cx - w / 2 / k, y: cy - h / 2 / k };
  if (t === 1) live.goal = undefined;
}

function overlay(canvas: HTMLCanvasElement, live: Live, p: Props, hover: number): void {
  const c = canvas.getContext("2d")!;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, canvas.width, canvas.height);
  const { view: v, ratio } = live;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const [node, wide] of [
    [hover, 2],
    [p.selected, 3],
  ] as const) {
    const n = p.scene.nodes[node];
    if (!n) continue;
    const grow = 3;
    c.beginPath();
    c.roundRect((n.x - v.x) * v.k - grow, (n.y - v.y) * v.k - grow, n.w * v.k + 2 * grow, n.h * v.k + 2 * grow, 7 * v.k + grow);
    c.strokeStyle = p.palette.accent;
    c.lineWidth = wide;
    c.stroke();
  }
}

/** Outlines in the miniature what the screen shows. */
function outline(canvas: HTMLCanvasElement | null, live: Live, palette: Palette): void {
  if (!canvas || !live.painter) return;
  live.painter.stampMiniature(canvas, live.view, live.size, palette.accent);
}

function tipPlace(live: Live, scene: Scene, node: number): { left: number; top: number } {
  const n = scene.nodes[node]!;
  const { view: v, size } = live;
  const left = Math.max(8, Math.min((n.x - v.x) * v.k, size.w - 330));
  const below = (n.y + n.h - v.y) * v.k + 10;
  return { left, top: below + 90 > size.h ? Math.max(8, (n.y - v.y) * v.k - 90) : below };
}
