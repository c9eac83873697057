import { memo, useCallback, useEffect, useId, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent, type PointerEvent, type Ref } from "react";
import { useTheme } from "../app/theme";
import { clock, duration } from "../lib/format";
import { look, runLook } from "../lib/states";
import { runTitle } from "../ui/strip";
import type { Column, Model } from "./model";
import { sprites, type Sprites } from "./sprites";

/** A place in the grid: row -1 is the run itself. */
export interface Place {
  row: number;
  column: number;
}

interface GridProps {
  model: Model;
  /** The rows to show, as indexes into the model's tasks. */
  rows: readonly number[];
  /** What is picked; null: nothing. `row` is an index into the model's tasks. */
  picked: Place | null;
  onPick: (p: Place | null) => void;
  /** Opens what is picked. */
  onOpen: (p: Place) => void;
  ref?: Ref<GridHandle>;
}

/** What a page may ask of its grid. */
export interface GridHandle {
  focus: () => void;
}

const cell = 24;
const chip = 18;
const gap = (cell - chip) / 2;
const dayH = 18;
const barH = 40;
const headH = dayH + barH + cell + 6;
const tile = 32; // cells a side

/**
 * StateGrid draws runs across and tasks down. Cells are drawn on tiles of
 * canvas that scroll with the page's content, so scrolling draws nothing
 * twice; names are elements; and the cell that the keyboard is on is an
 * element too, which is what screen readers read.
 */
export function StateGrid({ model, rows, picked, onPick, onOpen, ref }: GridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, left: 0, height: 600, width: 800 });
  const { shown } = useTheme();
  const dpr = useDevicePixels();
  const art = useMemo(() => sprites(chip, dpr), [dpr, shown]); // a theme has its own colours
  const id = useId();
  const names = useNameWidth(model, view.width);
  const columns = model.columns;
  const width = names + columns.length * cell + 12;
  const height = headH + rows.length * cell;
  useImperativeHandle(ref, () => ({ focus: () => scroller.current?.focus({ preventScroll: true }) }));

  // Where the reader is: as picked, in rows that are shown.
  const at = useMemo<Place | null>(() => {
    if (!picked || picked.column < 0 || picked.column >= columns.length) return null;
    const row = picked.row < 0 ? -1 : rows.indexOf(picked.row);
    return row < 0 && picked.row >= 0 ? null : { row, column: picked.column };
  }, [picked, rows, columns.length]);

  // The newest run is at the right, and comes into view first.
  const known = useRef(0);
  useLayoutEffect(() => {
    const s = scroller.current;
    if (!s) return;
    const added = columns.length - known.current;
    const newer = known.current > 0 && s.scrollLeft + s.clientWidth >= names + known.current * cell;
    if (known.current === 0 || newer) s.scrollLeft = s.scrollWidth;
    else if (added > 0) s.scrollLeft += added * cell; // older ones, at the left
    known.current = columns.length;
  }, [columns.length, names]);

  useLayoutEffect(() => {
    const s = scroller.current;
    if (!s) return;
    const see = () => setView((v) => {
      // In steps, so that not every pixel draws the names anew.
      const next = { top: Math.floor(s.scrollTop / (4 * cell)) * 4 * cell, left: Math.floor(s.scrollLeft / (4 * cell)) * 4 * cell, height: s.clientHeight, width: s.clientWidth };
      return v.top === next.top && v.left === next.left && v.height === next.height && v.width === next.width ? v : next;
    });
    see();
    const size = new ResizeObserver(see);
    size.observe(s);
    s.addEventListener("scroll", see, { passive: true });
    return () => {
      size.disconnect();
      s.removeEventListener("scroll", see);
    };
  }, []);

  const reveal = useCallback((p: Place) => {
    const s = scroller.current;
    if (!s) return;
    const x = p.column * cell;
    const y = Math.max(0, p.row) * cell;
    const w = s.clientWidth - names;
    const h = s.clientHeight - headH;
    if (x < s.scrollLeft) s.scrollLeft = x;
    else if (x + cell > s.scrollLeft + w) s.scrollLeft = x + cell - w;
    if (p.row >= 0 && y < s.scrollTop) s.scrollTop = y;
    else if (p.row >= 0 && y + cell > s.scrollTop + h) s.scrollTop = y + cell - h;
  }, [names]);

  // A panel that opens takes room; what is picked stays in view.
  const seen = useRef(at);
  seen.current = at;
  useLayoutEffect(() => {
    if (seen.current) reveal(seen.current);
  }, [view.height, view.width, reveal]);

  const pick = (p: Place | null) => {
    if (!p) return onPick(null);
    const to = { row: Math.min(rows.length - 1, Math.max(-1, p.row)), column: Math.min(columns.length - 1, Math.max(0, p.column)) };
    reveal(to);
    onPick({ row: to.row < 0 ? -1 : rows[to.row] ?? -1, column: to.column });
  };

  const onKey = (e: KeyboardEvent) => {
    if (e.altKey || e.metaKey || e.target !== e.currentTarget) return;
    const here = at ?? { row: 0, column: columns.length - 1 };
    const page = Math.max(1, Math.floor((view.height - headH) / cell) - 1);
    const to = (row: number, column: number): Place => (at ? { row: here.row + row, column: here.column + column } : here);
    let next: Place | null;
    switch (e.key) {
      case "ArrowUp": next = to(-1, 0); break;
      case "ArrowDown": next = to(1, 0); break;
      case "ArrowLeft": next = to(0, -1); break;
      case "ArrowRight": next = to(0, 1); break;
      case "PageUp": next = to(-Math.min(page, here.row), 0); break;
      case "PageDown": next = to(page, 0); break;
      case "Home": next = e.ctrlKey ? { row: 0, column: 0 } : { row: here.row, column: 0 }; break;
      case "End": next = e.ctrlKey ? { row: rows.length - 1, column: columns.length - 1 } : { row: here.row, column: columns.length - 1 }; break;
      case "Escape": next = null; break;
      case "Enter":
        if (picked && at) onOpen(picked);
        e.preventDefault();
        return;
      default: return;
    }
    e.preventDefault();
    pick(next);
  };

  // Where the pointer is, without drawing anything anew.
  const cross = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const placeOf = (e: PointerEvent | MouseEvent): Place | null => {
    const s = scroller.current;
    if (!s) return null;
    const box = s.getBoundingClientRect();
    const x = e.clientX - box.left;
    const y = e.clientY - box.top;
    const row = y < headH ? -1 : Math.floor((y - headH + s.scrollTop) / cell);
    const column = x < names ? -1 : Math.floor((x - names + s.scrollLeft) / cell);
    if (row >= rows.length || column >= columns.length || (row < 0 && column < 0) || x > s.clientWidth || y > s.clientHeight) return null;
    return { row, column };
  };
  const onMove = (e: PointerEvent) => {
    const p = e.pointerType === "touch" ? null : placeOf(e);
    const band = cross.current;
    const t = tip.current;
    const s = scroller.current;
    if (!band || !t || !s) return;
    const column = p ? columns[p.column] : undefined;
    band.hidden = !p || p.row < 0;
    if (p && p.row >= 0) band.style.transform = `translateY(${headH + p.row * cell}px)`;
    t.hidden = !column;
    if (!p || !column) return;
    t.textContent = p.row < 0 ? runTitle(column.run) : `${model.tasks[rows[p.row] ?? 0]}: ${wordOf(column, rows[p.row] ?? 0)} · run of ${clock(column.run.created)}`;
    const box = s.getBoundingClientRect();
    const x = e.clientX - box.left + s.scrollLeft;
    t.style.maxWidth = `${Math.min(420, s.clientWidth - 16)}px`;
    const w = t.offsetWidth;
    t.style.left = `${Math.max(s.scrollLeft + 4, Math.min(x + 14, s.scrollLeft + s.clientWidth - w - 8))}px`;
    t.style.top = `${e.clientY - box.top + s.scrollTop + (e.clientY - box.top > s.clientHeight - 60 ? -34 : 18)}px`;
  };
  const onLeave = () => {
    if (cross.current) cross.current.hidden = true;
    if (tip.current) tip.current.hidden = true;
  };
  const onClick = (e: MouseEvent) => {
    const p = placeOf(e);
    if (p && p.column >= 0) pick(p);
  };

  const first = Math.max(0, Math.floor(view.top / cell) - 8);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / cell) + 16);
  const tiles: { x: number; y: number }[] = [];
  const x0 = Math.max(0, Math.floor((view.left - 4 * cell) / (tile * cell)));
  const x1 = Math.ceil((view.left + view.width + 8 * cell) / (tile * cell));
  for (let y = Math.floor(first / tile); y * tile < last; y++) {
    for (let x = x0; x < x1 && x * tile < columns.length; x++) tiles.push({ x, y });
  }
  const current = at && columns[at.column];
  const longest = useMemo(() => columns.reduce((m, c) => Math.max(m, took(c)), 1), [columns]);
  const currentRow = at && at.row >= 0 ? rows[at.row] : undefined;
  const isShown = (row: number) => row >= first && row < last;

  return (
    <div ref={scroller} role="grid" tabIndex={0} aria-label="States of tasks, by run" aria-rowcount={rows.length + 1} aria-colcount={columns.length + 1}
      aria-activedescendant={current ? `${id}-cell` : undefined}
      onKeyDown={onKey} onPointerMove={onMove} onPointerLeave={onLeave} onScroll={onLeave} onClick={onClick}
      className="relative min-h-0 flex-1 cursor-default overflow-auto overscroll-contain outline-offset-[-2px] select-none">
      <div className="relative" style={{ width, height }}>
        <div ref={cross} hidden className="pointer-events-none absolute top-0 left-0 z-[11] h-6 bg-ink opacity-6" style={{ width }} />
        {current && <div className="pointer-events-none absolute top-0 bg-focus opacity-10" style={{ left: names + at.column * cell, width: cell, height }} />}
        {current && at.row >= 0 && <div className="pointer-events-none absolute left-0 z-[11] bg-focus opacity-10" style={{ top: headH + at.row * cell, width, height: cell }} />}

        <div role="row" aria-rowindex={1} className="sticky top-0 z-20 border-b border-edge bg-sheet" style={{ width, height: headH }}>
          <div role="columnheader" aria-colindex={1} className="sticky left-0 z-10 flex items-end justify-between border-r border-edge bg-sheet px-3 pb-1.5 text-[0.93em] text-soft" style={{ width: names, height: headH - 1 }}>
            <span>Task</span>
            <span aria-hidden="true" className="absolute right-1.5 leading-none" style={{ top: dayH - 4 }}>{duration(longest)}</span>
          </div>
          {Array.from({ length: Math.ceil(columns.length / tile) }, (_, x) => x).filter((x) => x >= x0 && x < x1).map((x) => (
            <Head key={x} left={names + x * tile * cell} all={columns} longest={longest} from={x * tile} art={art} dpr={dpr} />
          ))}
          {current && at.row < 0 && (
            <div role="columnheader" id={`${id}-cell`} aria-colindex={at.column + 2} aria-selected="true" aria-label={`Run ${runTitle(current.run)}`}
              className="absolute top-px rounded-md ring-2 ring-focus ring-inset" style={{ left: names + at.column * cell, width: cell, height: headH - 2 }} />
          )}
        </div>

        <div className="sticky left-0 z-10 border-r border-edge bg-sheet" role="presentation" style={{ width: names, height: rows.length * cell }}>
          {rows.slice(first, last).map((row, i) => (
            <Name key={row} index={first + i} name={model.tasks[row] ?? ""} kind={model.kinds[row] ?? ""} on={at?.row === first + i} />
          ))}
        </div>
        {tiles.map(({ x, y }) => (
          <Tile key={`${x}.${y}`} left={names + x * tile * cell} top={headH + y * tile * cell} columns={columns} from={x * tile} rows={rows} first={y * tile} art={art} dpr={dpr} />
        ))}
        {current && at.row >= 0 && currentRow !== undefined && (
          <div role="row" aria-rowindex={at.row + 2}>
            {!isShown(at.row) && <span role="rowheader" className="sr-only">{model.tasks[currentRow]}</span>}
            <div role="gridcell" id={`${id}-cell`} aria-colindex={at.column + 2} aria-selected="true"
              aria-label={`${model.tasks[currentRow]}: ${wordOf(current, currentRow)}, run ${runTitle(current.run)}`}
              className="pointer-events-none absolute rounded-[5px] ring-2 ring-focus" style={{ left: names + at.column * cell + 1, top: headH + at.row * cell + 1, width: cell - 2, height: cell - 2 }} />
          </div>
        )}
        <div ref={tip} hidden role="presentation" className="pointer-events-none absolute z-30 truncate rounded-md bg-ink px-2 py-1 text-[0.93em] text-page shadow-up" />
      </div>
    </div>
  );
}

function wordOf(c: Column, row: number): string {
  const letter = c.at(row);
  return letter === "-" ? "not in this run" : look(letter).word;
}

const Name = memo(function Name({ index, name, kind, on }: { index: number; name: string; kind: string; on: boolean }) {
  return (
    <div role="row" aria-rowindex={index + 2} className="absolute flex h-6 w-full items-center" style={{ top: index * cell }}>
      <span role="rowheader" title={`${name}${kind && ` (${kind})`}`} className={`truncate pt-px pr-2 pl-3 ${on ? "font-semibold" : ""}`}>{name}</span>
    </div>
  );
});

/** useNameWidth returns how much room the names get. */
function useNameWidth(model: Model, width: number): number {
  return useMemo(() => {
    const longest = model.tasks.reduce((n, t) => Math.max(n, t.length), 8);
    return Math.round(Math.min(longest * 7.2 + 28, width < 640 ? 132 : 320, Math.max(110, width * 0.4)));
  }, [model.tasks, width]);
}

function useDevicePixels(): number {
  const [dpr, set] = useState(() => window.devicePixelRatio || 1);
  useEffect(() => {
    const query = matchMedia(`(resolution: ${dpr}dppx)`);
    const on = () => set(window.devicePixelRatio || 1);
    query.addEventListener("change", on);
    return () => query.removeEventListener("change", on);
  }, [dpr]);
  return Math.min(dpr, 3);
}

function useCanvas(width: number, height: number, dpr: number, draw: (g: CanvasRenderingContext2D) => void, deps: readonly unknown[]) {
  const ref = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const canvas = ref.current;
    const g = canvas?.getContext("2d");
    if (!canvas || !g) return;
    canvas.width = Math.round(width * dpr);
    canvas.height = Math.round(height * dpr);
    g.scale(dpr, dpr);
    draw(g);
  }, [width, height, dpr, ...deps]);
  return ref;
}

interface Piece {
  left: number;
  from: number;
  art: Sprites;
  dpr: number;
}

const Tile = memo(function Tile({ left, top, columns, from, rows, first, art, dpr }: Piece & { top: number; columns: readonly Column[]; rows: readonly number[]; first: number }) {
  const nx = Math.min(tile, columns.length - from);
  const ny = Math.min(tile, rows.length - first);
  const ref = useCanvas(nx * cell, ny * cell, dpr, (g) => {
    g.fillStyle = art.edge;
    for (let x = 0; x < nx; x++) {
      const c = columns[from + x];
      if (!c) continue;
      for (let y = 0; y < ny; y++) {
        const letter = c.at(rows[first + y] ?? -1);
        if (letter === "-") g.fillRect(x * cell + cell / 2 - 2, y * cell + cell / 2, 4, 1);
        else art.task(g, letter, x * cell + gap, y * cell + gap);
      }
    }
  }, [columns, rows, art, from, first]);
  return <canvas ref={ref} aria-hidden="true" className="absolute" style={{ left, top, width: nx * cell, height: ny * cell }} />;
}, (a, b) => {
  if (a.left !== b.left || a.top !== b.top || a.from !== b.from || a.first !== b.first || a.rows !== b.rows || a.art !== b.art || a.dpr !== b.dpr) return false;
  const end = Math.max(a.columns.length, b.columns.length);
  for (let i = a.from; i < Math.min(a.from + tile, end); i++) if (a.columns[i]?.run !== b.columns[i]?.run) return false;
  return true;
});

const dayText = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

/** slot is the time that a run is for, as its schedule says; on demand it is when it was made. */
function slot({ run: r }: Column): number {
  return r.logical || r.created;
}

/** took is how long a run has gone on. */
function took({ run: r }: Column): number {
  return r.started ? (r.ended || Date.now()) - r.started : 0;
}

const Head = memo(function Head({ left, all, longest, from, art, dpr }: Piece & { all: readonly Column[]; longest: number }) {
  const nx = Math.min(tile, all.length - from);
  const ref = useCanvas(nx * cell, headH - 1, dpr, (g) => {
    g.fillStyle = art.edge;
    g.fillRect(0, dayH, nx * cell, 1);
    g.font = "11px 'Plex Sans', system-ui, sans-serif";
    g.textBaseline = "middle";
    let free = 0;
    for (let x = 0; x < nx; x++) {
      const c = all[from + x];
      if (!c) continue;
      const before = all[from + x - 1];
      const d = dayText.format(slot(c));
      if (!before || dayText.format(slot(before)) !== d) {
        const room = x * cell >= free;
        g.fillStyle = art.edge;
        g.fillRect(x * cell, room ? 0 : dayH, 1, headH);
        if (room) {
          g.fillStyle = art.soft;
          g.fillText(d, x * cell + 4, dayH / 2 + 1);
          free = x * cell + g.measureText(d).width + 10;
        }
      }
      const h = Math.max(2, (took(c) / longest) * (barH - 1));
      g.fillStyle = art.fill[runLook(c.run.state).tone];
      g.beginPath();
      g.roundRect(x * cell + 6, dayH + barH - h, cell - 12, h, [2, 2, 0, 0]);
      g.fill();
      art.run(g, c.run.state, x * cell + gap, dayH + barH + gap + 1);
    }
  }, [all, longest, art, from]);
  return <canvas ref={ref} aria-hidden="true" className="absolute top-0" style={{ left, width: nx * cell, height: headH - 1 }} />;
}, (a, b) => a.left === b.left && a.from === b.from && a.art === b.art && a.dpr === b.dpr && a.all === b.all);
