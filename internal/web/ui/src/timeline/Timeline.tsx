import "./timeline.css";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { duration } from "../lib/format";
import { look } from "../lib/states";
import { Button, IconButton } from "../ui/button";
import { StateChip, toneFill } from "../ui/sign";
import { ticksOf } from "./scale";

/** A Bar is a time in one state. */
export interface Bar {
  state: string;
  attempt: number;
  from: number;
  /** 0: it lasts. */
  to: number;
}

export interface TimelineRow {
  id: string;
  /** The state of the task now. */
  state: string;
  bars: readonly Bar[];
}

interface Props {
  rows: TimelineRow[];
  /** When the run began, and when it ended or what time it is. */
  from: number;
  to: number;
  selected: string;
  onSelect(id: string): void;
  onOpen(id: string): void;
}

const rowHeight = 28;
const pad = 12;
/** Bars thinner than this many pixels run together with the next of their state. */
const thin = 0.75;

/** How high a bar of a state stands: work is full, waiting for it is a line. */
function shape(state: string): string {
  switch (state) {
    case "q":
    case "t":
      return "h-1.5 rounded-sm";
    case "u":
      return "h-1 rounded-none striped";
    case "d":
    case "z":
      return "h-3.5 rounded-sm striped";
    case "w":
      return "h-0.5";
  }
  return "h-4 rounded-sm";
}

/** Timeline shows what each task did when, as bars on a common scale. */
export function Timeline(p: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [zoom, setZoom] = useState(1);
  const [left, setLeft] = useState(0);
  const names = width < 560 ? 120 : Math.min(280, Math.max(160, Math.round(width * 0.2)));
  const span = Math.max(1, p.to - p.from);
  const room = Math.max(50, width - names - 2 * pad - 64); // for the last label
  const scale = (room * zoom) / span; // pixels for a millisecond
  const inner = room * zoom + 2 * pad + 64;
  const virtual = useVirtualizer({ count: p.rows.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 8, scrollMargin: 0, paddingStart: 28 });

  useLayoutEffect(() => {
    const watch = new ResizeObserver(([e]) => setWidth(e!.contentRect.width));
    watch.observe(scroll.current!);
    return () => watch.disconnect();
  }, []);

  // A zoom keeps the time under the pointer where it is.
  const anchor = useRef<{ at: number; x: number }>(undefined);
  const zoomBy = useCallback(
    (by: number, x?: number) => {
      const el = scroll.current!;
      const px = x ?? (el.clientWidth - names) / 2;
      anchor.current = { at: (el.scrollLeft + px - pad) / scale, x: px };
      setZoom((z) => Math.max(1, Math.min(200_000, z * by)));
    },
    [names, scale],
  );
  useLayoutEffect(() => {
    if (!anchor.current) return;
    scroll.current!.scrollLeft = anchor.current.at * scale + pad - anchor.current.x;
    anchor.current = undefined;
  }, [scale]);
  useEffect(() => {
    const el = scroll.current!;
    const wheel = (e: WheelEvent) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      zoomBy(Math.exp(-e.deltaY / 200), Math.max(0, e.clientX - el.getBoundingClientRect().left - names));
    };
    el.addEventListener("wheel", wheel, { passive: false });
    return () => el.removeEventListener("wheel", wheel);
  }, [zoomBy, names]);

  const at = p.rows.findIndex((r) => r.id === p.selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [at, virtual]);

  const viewFrom = p.from + (left - pad) / scale;
  const viewTo = viewFrom + (width - names) / scale;
  const ticks = useMemo(() => ticksOf(Math.max(p.from, viewFrom), Math.min(p.to, viewTo), 90 / scale, p.from), [p.from, p.to, viewFrom, viewTo, scale]);

  const key = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const el = scroll.current!;
    if (e.key === "+" || e.key === "=") zoomBy(1.6);
    else if (e.key === "-") zoomBy(1 / 1.6);
    else if (e.key === "0") setZoom(1);
    else if (e.key === "ArrowLeft") el.scrollLeft -= 80;
    else if (e.key === "ArrowRight") el.scrollLeft += 80;
    else if (e.key === "Enter" && at >= 0) p.onOpen(p.selected);
    else if (/^(Arrow(Up|Down)|Home|End|Page(Up|Down))$/.test(e.key) && p.rows.length > 0) {
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: p.rows.length - 1, PageDown: at + 10, PageUp: at - 10 }[e.key]!;
      p.onSelect(p.rows[Math.max(0, Math.min(p.rows.length - 1, to))]!.id);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };

  return (
    <div className="relative flex h-full min-h-0 flex-col">
      <div className="flex items-center gap-3 border-b border-edge px-2 py-1">
        <ul aria-label="Legend" className="flex min-w-0 flex-1 flex-wrap gap-x-4 gap-y-0.5 text-[0.86em] text-soft">
          {(["q", "r", "d", "u", "s", "f"] as const).map((s) => (
            <li key={s} className="flex items-center gap-1.5">
              <span aria-hidden className={`inline-block w-5 ${shape(s)} ${fillOf(s)}`} />
              {{ q: "queued, starting", r: "running", d: "waiting outside", u: "until the retry", s: "succeeded", f: "failed" }[s]}
            </li>
          ))}
        </ul>
        <div className="flex">
          <IconButton icon="plus" label="Larger (+)" onClick={() => zoomBy(1.6)} />
          <IconButton icon="minus" label="Smaller (-)" disabled={zoom <= 1} onClick={() => zoomBy(1 / 1.6)} />
          <Button kind="quiet" disabled={zoom === 1} onClick={() => setZoom(1)}>
            Fit
          </Button>
        </div>
      </div>
      <div
        ref={scroll}
        role="listbox"
        aria-label="Timeline of tasks"
        aria-activedescendant={at >= 0 ? `tl-${at}` : undefined}
        tabIndex={0}
        data-testid="timeline"
        onKeyDown={key}
        onScroll={(e) => setLeft(e.currentTarget.scrollLeft)}
        className="min-h-0 flex-1 overflow-auto outline-offset-[-2px]"
      >
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize(), width: names + inner }}>
          <div aria-hidden className="sticky top-0 z-20 h-7 border-b border-edge bg-sheet">
            <div className="sticky left-0 z-10 float-left h-full border-r border-edge bg-sheet" style={{ width: names }} />
            {ticks.map((t) => (
              <span key={t.at} className="absolute top-1 -translate-x-1/2 text-[0.86em] whitespace-nowrap text-soft" style={{ left: names + pad + (t.at - p.from) * scale }}>
                {t.label}
              </span>
            ))}
          </div>
          {ticks.map((t) => (
            <span key={t.at} aria-hidden className="absolute top-7 bottom-0 w-px bg-edge/60" style={{ left: names + pad + (t.at - p.from) * scale }} />
          ))}
          {virtual.getVirtualItems().map((v) => {
            const r = p.rows[v.index]!;
            const here = v.index === at;
            return (
              <div
                key={r.id}
                id={`tl-${v.index}`}
                role="option"
                aria-selected={here}
                aria-posinset={v.index + 1}
                aria-setsize={p.rows.length}
                onClick={() => p.onSelect(r.id)}
                onDoubleClick={() => p.onOpen(r.id)}
                className={`absolute left-0 cursor-pointer ${here ? "bg-picked" : "hover:bg-hover/60"}`}
                style={{ top: v.start, height: rowHeight, width: names + inner }}
              >
                <div className={`sticky left-0 z-10 flex h-full items-center gap-2 border-r border-edge px-2 ${here ? "bg-picked" : "bg-sheet"}`} style={{ width: names }}>
                  <StateChip look={look(r.state)} className="size-3.5" />
                  <span className="min-w-0 truncate" title={r.id}>
                    {r.id}
                  </span>
                  <span className="sr-only">
                    , {look(r.state).word}: {story(r.bars, p.to)}
                  </span>
                </div>
                <Bars bars={r.bars} origin={p.from} now={p.to} scale={scale} offset={names + pad} viewFrom={viewFrom} viewTo={viewTo} final={r.state} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function fillOf(state: string): string {
  return toneFill(look(state).tone);
}

function Bars(p: { bars: readonly Bar[]; origin: number; now: number; scale: number; offset: number; viewFrom: number; viewTo: number; final: string }) {
  const shown: { bar: Bar; from: number; to: number }[] = [];
  for (const bar of p.bars) {
    const to = bar.to || p.now;
    if (to < p.viewFrom || bar.from > p.viewTo) continue;
    const last = shown.at(-1);
    if (last && last.bar.state === bar.state && (to - last.from) * p.scale < thin) last.to = to;
    else shown.push({ bar, from: Math.max(bar.from, p.viewFrom - 50 / p.scale), to: Math.min(to, p.viewTo + 50 / p.scale) });
    if (shown.length > 400) break;
  }
  const end = p.bars.at(-1);
  return (
    <>
      {shown.map(({ bar, from, to }, k) => (
        <span
          key={k}
          aria-hidden
          title={`${look(bar.state).word}${bar.attempt > 0 ? `, attempt ${bar.attempt}` : ""}: ${duration((bar.to || p.now) - bar.from)}`}
          className={`absolute top-1/2 -translate-y-1/2 ${shape(bar.state)} ${bar.state === "r" ? runTone(p.bars, bar, p.final) : fillOf(bar.state)}`}
          style={{ left: p.offset + (from - p.origin) * p.scale, width: Math.max(2, (to - from) * p.scale) }}
        />
      ))}
      {end && (
        <span aria-hidden className="absolute top-1/2 -translate-y-1/2 pl-1.5 text-[0.86em] whitespace-nowrap text-soft" style={{ left: p.offset + ((end.to || p.now) - p.origin) * p.scale }}>
          {duration((end.to || p.now) - p.bars[0]!.from)}
        </span>
      )}
    </>
  );
}

/** A time at work takes the colour of what came of it. */
function runTone(bars: readonly Bar[], bar: Bar, final: string): string {
  const next = bars[bars.indexOf(bar) + 1];
  if (bar.to === 0) return fillOf("r");
  if (!next) return fillOf(final);
  if (next.state === "u" || next.attempt > bar.attempt) return fillOf("f");
  return fillOf("r");
}

/** story says in words what the bars show. */
function story(bars: readonly Bar[], now: number): string {
  const parts = bars.slice(0, 12).map((b) => `${look(b.state).word} ${duration((b.to || now) - b.from)}`);
  return parts.join(", ") + (bars.length > 12 ? ` and ${bars.length - 12} more` : "");
}
