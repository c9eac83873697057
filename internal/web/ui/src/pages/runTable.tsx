import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Link } from "react-router";
import type * as api from "../api";
import { useNow } from "../app/now";
import { ago, moment } from "../lib/format";
import { allStates } from "../lib/states";
import { Button } from "../ui/button";
import { Icon } from "../ui/icons";
import { TaskState } from "../ui/sign";
import type { Ask } from "./runActions";
import { isFinal } from "./runData";
import { gateWord, taskURL } from "./runPanel";
import { took, why } from "./runShow";

interface Props {
  run: api.RunRow;
  tasks: api.Tasks;
  /** Indexes of the tasks to show. */
  rows: number[];
  waits: ReadonlyMap<string, api.Wait>;
  /** What to sort by; "-" before it turns it around. "" is the order of the graph. */
  sort: string;
  onSort(by: string): void;
  canAct: boolean;
  onAsk(a: Ask): void;
  selected: number;
  onSelect(task: number): void;
}

const columns = [
  { by: "task", label: "Task" },
  { by: "state", label: "State" },
  { by: "operator", label: "Operator" },
  { by: "attempt", label: "Try" },
  { by: "started", label: "Started" },
  { by: "took", label: "Took" },
  { by: "", label: "Why" },
] as const;

const grid =
  "grid grid-cols-[2rem_minmax(9rem,1fr)_auto] md:grid-cols-[2rem_minmax(8rem,1fr)_9.5rem_2rem_5.5rem_minmax(10rem,2fr)] xl:grid-cols-[2rem_minmax(12rem,1fr)_9.5rem_3rem_11.5rem_6.5rem_minmax(14rem,2fr)] 2xl:grid-cols-[2rem_minmax(12rem,2fr)_9.5rem_minmax(9rem,1.2fr)_3rem_11.5rem_6.5rem_minmax(14rem,3fr)] items-center gap-x-3 px-3";

/** TaskTable lists the tasks of a run with what is to be known of them, to be sorted and chosen from. */
export function TaskTable(p: Props) {
  const { tasks: t } = p;
  const now = useNow();
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    setTop((body.current?.getBoundingClientRect().top ?? 0) + scrollY);
  }, [p.rows.length === 0]);
  const rows = useMemo(() => sorted(t, p.rows, p.sort), [t, p.rows, p.sort]);
  const narrow = useNarrow();
  const rowHeight = narrow ? 58 : 36;
  const virtual = useWindowVirtualizer({ count: rows.length, estimateSize: () => rowHeight, overscan: 12, scrollMargin: top, getItemKey: (i) => rows[i]! });
  useLayoutEffect(() => virtual.measure(), [virtual, rowHeight]);

  const picked = useMemo(() => [...chosen].filter((i) => i < t.ids.length), [chosen, t.ids.length]);
  const pick = (i: number) =>
    setChosen((was) => {
      const is = new Set(was);
      if (!is.delete(i)) is.add(i);
      return is;
    });
  const all = rows.length > 0 && rows.every((i) => chosen.has(i));

  const key = (e: KeyboardEvent) => {
    const row = (e.target as HTMLElement).closest<HTMLElement>("[data-row]");
    if (!row || e.ctrlKey || e.metaKey || e.altKey) return;
    const at = Number(row.dataset["row"]);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1, PageDown: at + 15, PageUp: at - 15 }[e.key];
    if (to !== undefined) {
      const next = Math.max(0, Math.min(rows.length - 1, to));
      const link = () => body.current?.querySelector<HTMLElement>(`[data-row="${next}"] a`);
      virtual.scrollToIndex(next);
      if (link()) link()!.focus({ preventScroll: true });
      else requestAnimationFrame(() => requestAnimationFrame(() => link()?.focus({ preventScroll: true })));
    } else if (e.key === "x" && p.canAct) pick(rows[at]!);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  return (
    <div>
      {p.canAct && (
        <div className={`sticky top-12 z-10 flex flex-wrap items-center gap-2 border-b border-edge bg-picked px-3 py-1.5 ${picked.length > 0 ? "" : "hidden"}`}>
          <span role="status">{picked.length > 0 ? `${picked.length} chosen` : ""}</span>
          <Button icon="again" onClick={() => p.onAsk({ what: "clear", tasks: picked.map((i) => t.ids[i]!) })}>
            Clear…
          </Button>
          <Button kind="quiet" onClick={() => setChosen(new Set())}>
            Choose none
          </Button>
        </div>
      )}
      <div role="table" aria-label="Tasks" aria-rowcount={rows.length + 1} onKeyDown={key}>
        <div role="rowgroup">
          <div role="row" aria-rowindex={1} className={`${grid} h-9 border-b border-edge text-[0.93em] text-soft`}>
            <span role="columnheader">
              <span className="sr-only">Choose</span>
              {p.canAct && (
                <input
                  type="checkbox"
                  aria-label="Choose all that are listed"
                  checked={all}
                  onChange={() => setChosen(all ? new Set() : new Set(rows))}
                  className="block size-4 accent-accent pointer-coarse:size-6"
                />
              )}
            </span>
            {columns.map(({ by, label }) => {
              const on = by !== "" && p.sort.replace("-", "") === by;
              const hidden = { operator: "max-2xl:hidden", attempt: "max-md:hidden", started: "max-xl:hidden", took: "max-md:hidden", "": "max-md:hidden" }[by as string] ?? "";
              return (
                <span key={label} role="columnheader" aria-sort={on ? (p.sort.startsWith("-") ? "descending" : "ascending") : undefined} className={hidden}>
                  {by === "" ? (
                    label
                  ) : (
                    <button
                      type="button"
                      onClick={() => p.onSort(on ? (p.sort.startsWith("-") ? "" : `-${by}`) : by)}
                      className="inline-flex min-h-6 items-center gap-1 rounded font-medium hover:text-ink"
                    >
                      {label}
                      {on && <Icon name={p.sort.startsWith("-") ? "down" : "up"} className="size-3" />}
                    </button>
                  )}
                </span>
              );
            })}
          </div>
        </div>
        <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((v) => {
            const i = rows[v.index]!;
            const id = t.ids[i]!;
            const state = t.states[i]!;
            const wait = p.waits.get(id);
            const reason = why(t, i, p.waits);
            return (
              <div
                key={i}
                role="row"
                aria-rowindex={v.index + 2}
                data-row={v.index}
                className={`${grid} absolute inset-x-0 border-b border-edge/70 ${i === p.selected ? "bg-picked" : "hover:bg-hover"}`}
                style={{ top: v.start - top, height: rowHeight }}
              >
                <span role="cell">
                  {p.canAct && (
                    <input type="checkbox" aria-label={`Choose ${id}`} checked={chosen.has(i)} onChange={() => pick(i)} className="block size-4 accent-accent pointer-coarse:size-6" />
                  )}
                </span>
                <span role="cell" className="min-w-0">
                  <Link to={taskURL(p.run.id, id)} className="block truncate rounded font-medium text-ink underline-offset-4 hover:underline" title={id}>
                    {id}
                  </Link>
                  {narrow && <span className="block truncate text-[0.86em] text-soft">{reason || [t.kinds[t.kind[i]!], took(t, i, now)].filter(Boolean).join(" · ")}</span>}
                </span>
                <span role="cell" className="justify-self-start">
                  <TaskState state={state} />
                </span>
                <span role="cell" className="truncate text-soft max-2xl:hidden" title={t.kinds[t.kind[i]!]}>
                  {t.kinds[t.kind[i]!]}
                </span>
                <span role="cell" className="max-md:hidden">
                  {t.attempt[i] || "–"}
                </span>
                <span role="cell" className="truncate text-soft max-xl:hidden">
                  {t.started[i]! > 0 ? moment(t.started[i]!) : "–"}
                </span>
                <span role="cell" className="max-md:hidden">
                  {took(t, i, now) || "–"}
                </span>
                <span role="cell" title={reason} className={`truncate max-md:hidden ${"fo".includes(state) ? "text-bad" : "text-soft"}`}>
                  {!isFinal(state) && wait?.gate ? <b className="font-medium text-ink">{gateWord(wait.gate)}: </b> : null}
                  {reason}
                  {wait && wait.until > 0 && !isFinal(state) ? ` (${ago(wait.until, now)})` : ""}
                </span>
              </div>
            );
          })}
        </div>
      </div>
      {rows.length === 0 && <p className="px-3 py-10 text-center text-soft">No task is like that.</p>}
    </div>
  );
}

/** sorted puts tasks in an order; those without what is sorted by come last. */
export function sorted(t: api.Tasks, rows: number[], sort: string): number[] {
  const by = sort.replace("-", "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const value: Record<string, (i: number) => number | string> = {
    task: (i) => t.ids[i]!,
    state: (i) => allStates.indexOf(t.states[i] as api.State),
    operator: (i) => t.kinds[t.kind[i]!]!,
    attempt: (i) => t.attempt[i]!,
    started: (i) => t.started[i] || Number.NaN,
    took: (i) => (t.started[i] ? (t.ended[i] || Date.now()) - t.started[i]! : Number.NaN),
  };
  const of = value[by];
  if (!of) return rows;
  const names = new Intl.Collator(undefined, { numeric: true });
  return rows
    .map((i) => [i, of(i)] as const)
    .sort(([i, a], [j, b]) => {
      if (typeof a === "string") return sign * names.compare(a, b as string) || i - j;
      const [x, y] = [a, b as number];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || i - j;
      return sign * (x - y) || i - j;
    })
    .map(([i]) => i);
}

function useNarrow(): boolean {
  const [narrow, set] = useState(() => matchMedia("(max-width: 47.99rem)").matches);
  useLayoutEffect(() => {
    const q = matchMedia("(max-width: 47.99rem)");
    const on = () => set(q.matches);
    q.addEventListener("change", on);
    return () => q.removeEventListener("change", on);
  }, []);
  return narrow;
}

