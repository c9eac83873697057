import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useNavigate } from "react-router";
import { runs as readRuns, type RunRow, type Workflow } from "../../api";
import { keys } from "../../app/cache";
import { useKeys } from "../../app/keys";
import { day, duration, moment, plural } from "../../lib/format";
import { signs } from "../../lib/signs";
import { runLook, type SignName } from "../../lib/states";
import { Check } from "../../ui/field";
import { Empty, Failure, Loading, Sheet } from "../../ui/page";
import { LookBadge, Sign, toneInk } from "../../ui/sign";

/** DurationsTab shows how long runs queued and ran, the latest 300 of those that have begun. */
export default function DurationsTab({ workflow: w }: { workflow: Workflow }) {
  const q = useQuery({ queryKey: keys.durations(w.id), queryFn: ({ signal }) => readRuns(w.id, { limit: 300 }, { signal }) });
  const rows = useMemo(() => (q.data?.rows ?? []).filter((r) => r.started > 0).reverse(), [q.data]);
  if (q.isError && !q.data) return <Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet>;
  if (!q.data) return <Sheet><Loading /></Sheet>;
  if (!rows.length) return <Sheet><Empty icon="chart" title="No run has begun yet" /></Sheet>;
  return <Chart rows={rows} />;
}

const height = 280;
const axis = 64;
const foot = 24;

/** nice returns steps for an axis of milliseconds up to `most`: at most five, of lengths that people count in. */
function nice(most: number): number[] {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3];
  const step = steps.find((s) => most / s <= 5) ?? Math.ceil(most / 5);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

function Chart({ rows }: { rows: readonly RunRow[] }) {
  const box = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const id = useId();
  const [width, setWidth] = useState(800);
  const [at, setAt] = useState<number | null>(null);
  const [queue, setQueue] = useState(true);
  const [log, setLog] = useState(false);
  useEffect(() => {
    const b = box.current;
    if (!b) return;
    const o = new ResizeObserver(() => setWidth(b.clientWidth));
    o.observe(b);
    return () => o.disconnect();
  }, []);
  useKeys([
    { press: "ArrowLeft", does: "Move in the chart (also →, Home, End)", group: "Durations" },
    { press: "Enter", does: "Open the run", group: "Durations" },
  ]);

  const now = Date.now();
  const bars = rows.map((r) => ({ r, queued: r.started - r.created, ran: (r.ended || now) - r.started }));
  const most = Math.max(...bars.map((b) => b.ran + (queue ? b.queued : 0)), 1);
  const slot = Math.min(28, (width - axis) / bars.length);
  const thick = Math.max(1, slot - (slot > 6 ? 3 : 1));
  const low = 10; // of the logarithmic axis
  const y = (ms: number) => (log ? (Math.log(Math.max(ms, low) / low) / Math.log(Math.max(most, low * 10) / low)) * height : (ms / most) * height);
  const ticks = log ? [10, 100, 1e3, 1e4, 6e4, 6e5, 36e5, 864e5].filter((t) => t <= most) : nice(most);
  const ended = bars.filter((b) => b.r.ended && b.r.state === "s").map((b) => b.ran).sort((a, b) => a - b);
  const part = (p: number) => ended[Math.min(ended.length - 1, Math.floor(ended.length * p))] ?? 0;
  const failures = bars.filter((b) => "fo".includes(b.r.state)).length;

  const onKey = (e: KeyboardEvent) => {
    const last = bars.length - 1;
    const here = at ?? last + 1;
    const to = { ArrowLeft: Math.max(0, here - 1), ArrowRight: Math.min(last, here + 1), Home: 0, End: last }[e.key];
    if (to !== undefined) {
      e.preventDefault();
      setAt(to);
    } else if (e.key === "Enter" && at !== null && bars[at]) {
      e.preventDefault();
      void navigate(`/runs/${encodeURIComponent(bars[at].r.id)}`);
    } else if (e.key === "Escape") setAt(null);
  };
  const placeOf = (clientX: number) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    const i = Math.floor((clientX - left - axis) / slot);
    return i >= 0 && i < bars.length ? i : null;
  };
  const current = at === null ? undefined : bars[at];
  return (
    <>
      <dl className="mb-3 grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-6">
        <Stat name="Runs shown" value={String(bars.length)} />
        <Stat name="Failed" value={String(failures)} tone={failures ? "text-bad" : ""} />
        <Stat name="Median" value={ended.length ? duration(part(0.5)) : "–"} />
        <Stat name="95 of 100 within" value={ended.length ? duration(part(0.95)) : "–"} />
        <Stat name="Longest" value={ended.length ? duration(ended.at(-1) ?? 0) : "–"} />
        <Stat name="Longest in the queue" value={duration(Math.max(...bars.map((b) => b.queued)))} />
      </dl>
      <Sheet className="p-4">
        <div className="mb-3 flex flex-wrap items-center gap-x-5 gap-y-2">
          <h2 className="font-semibold">Time of each run, oldest first</h2>
          <span className="flex-1" />
          <ul aria-label="Legend" className="flex flex-wrap gap-x-4 text-soft">
            {(["s", "f", "r", "c"] as const).filter((s) => bars.some((b) => runLook(b.r.state).tone === runLook(s).tone)).map((s) => (
              <li key={s} className={`flex items-center gap-1 ${toneInk(runLook(s).tone)}`}><Sign name={runLook(s).sign} />{runLook(s).word}</li>
            ))}
            {queue && <li className="flex items-center gap-1"><span className="size-2.5 rounded-xs border border-edge-strong bg-sunken" />in the queue</li>}
          </ul>
          <Check label="Queue" checked={queue} onChange={(e) => setQueue(e.target.checked)} />
          <Check label="Logarithmic" checked={log} onChange={(e) => setLog(e.target.checked)} />
        </div>
        <div ref={box} tabIndex={0} role="listbox" aria-label="Runs by their duration, oldest first" aria-activedescendant={current ? `${id}-run` : undefined}
          onKeyDown={onKey} onPointerMove={(e) => setAt(placeOf(e.clientX))} onPointerLeave={() => setAt(null)}
          onClick={(e) => { const i = placeOf(e.clientX); const r = i === null ? undefined : bars[i]?.r; if (r) void navigate(`/runs/${encodeURIComponent(r.id)}`); }}
          className="relative w-full cursor-pointer" style={{ height: height + foot }}>
          {current && <span role="option" aria-selected="true" id={`${id}-run`} className="sr-only">{`${runLook(current.r.state).word}, ${moment(current.r.created)}: queued ${duration(current.queued)}, ran ${duration(current.ran)}`}</span>}
          {!current && <span role="option" aria-selected="false" className="sr-only">{plural(bars.length, "run")}</span>}
          <svg width={width} height={height + foot} aria-hidden="true" className="absolute inset-0">
            {ticks.map((t) => (
              <g key={t}>
                <line x1={axis} x2={width} y1={height - y(t) + 0.5} y2={height - y(t) + 0.5} className="stroke-edge" />
                <text x={axis - 8} y={height - y(t) + 4} textAnchor="end" className="fill-soft text-[12px]">{t === 0 ? "0" : duration(t)}</text>
              </g>
            ))}
            {current && at !== null && <rect x={axis + at * slot - 1} y={0} width={slot + 1} height={height} className="fill-hover" />}
            {bars.map((b, i) => {
              const l = runLook(b.r.state);
              const ran = Math.max(2, y(b.ran));
              const all = Math.max(ran, y(b.ran + b.queued));
              const x = axis + i * slot + (slot - thick) / 2;
              return (
                <g key={b.r.id}>
                  {queue && all - ran >= 1 && <rect x={x + 0.5} y={height - all + 0.5} width={Math.max(0.5, thick - 1)} height={all - ran} className="fill-sunken stroke-edge-strong" />}
                  <rect x={x} y={height - ran} width={thick} height={ran} rx={thick > 4 ? 2 : 0} style={{ fill: `var(--c-${l.tone}-fill)` }} />
                  {l.tone !== "good" && thick >= 8 && <g transform={`translate(${x + thick / 2 - 5} ${height - (queue ? all : ran) - 13}) scale(0.625)`} className={toneInk(l.tone)}><Mark name={l.sign} /></g>}
                </g>
              );
            })}
            {bars.map((b, i) => {
              // A day is named where it begins and has room.
              const d = day(b.r.created);
              const before = bars[i - 1];
              const every = Math.ceil(90 / slot);
              return i === 0 || (before && day(before.r.created) !== d && i % every < 3) ? <text key={b.r.id} x={axis + i * slot} y={height + 17} className="fill-soft text-[12px]">{d.slice(5)}</text> : null;
            })}
          </svg>
          {current && at !== null && (
            <div aria-hidden="true" className="pointer-events-none absolute top-2 z-10 rounded-lg border border-edge bg-raised px-3 py-2 shadow-up"
              style={at * slot + axis > width - 240 ? { right: width - (axis + at * slot) + 8 } : { left: axis + (at + 1) * slot + 8 }}>
              <p className="mb-1"><LookBadge look={runLook(current.r.state)} /></p>
              <p>{moment(current.r.created)}</p>
              <p className="text-soft">ran {duration(current.ran)} · queued {duration(current.queued)}</p>
            </div>
          )}
        </div>
      </Sheet>
    </>
  );
}

/** Mark is a sign within a drawing, in a box of 16 by 16. */
function Mark({ name }: { name: SignName }) {
  const { d, solid } = signs[name];
  return <path d={d} fill={solid ? "currentColor" : "none"} stroke="currentColor" strokeWidth={solid ? 1 : 2.4} strokeLinecap="round" strokeLinejoin="round" />;
}

function Stat({ name, value, tone = "" }: { name: string; value: string; tone?: string }) {
  return (
    <div className="rounded-lg border border-edge bg-sheet px-3 py-2 shadow-sheet">
      <dt className="text-[0.93em] text-soft">{name}</dt>
      <dd className={`text-lg font-semibold ${tone}`}>{value}</dd>
    </div>
  );
}
