import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useMemo, useRef, type KeyboardEvent } from "react";
import type * as api from "../api";
import { count } from "../lib/format";
import { allStates, look } from "../lib/states";
import { Icon } from "../ui/icons";
import { Sign, StateChip, toneBadge } from "../ui/sign";

/** Sift is the field and the states by which tasks are chosen. */
export function Sift(p: { tasks: api.Tasks; text: string; states: string; onText(t: string): void; onStates(s: string): void; found: number }) {
  const counts = useMemo(() => {
    const n = new Map<string, number>();
    for (const s of p.tasks.states) n.set(s, (n.get(s) ?? 0) + 1);
    return n;
  }, [p.tasks.states]);
  return (
    <div className="relative flex flex-col gap-2">
      <p role="status" className="sr-only">
        {p.found} of {p.tasks.ids.length} tasks
      </p>
      <label className="relative block">
        <span className="sr-only">Filter tasks by name or operator</span>
        <span className="pointer-events-none absolute inset-y-0 left-2.5 grid place-items-center text-soft">
          <Icon name="filter" className="size-3.5" />
        </span>
        <input
          type="search"
          value={p.text}
          onChange={(e) => p.onText(e.target.value)}
          placeholder="Filter tasks"
          data-filter
          className="h-8 w-full rounded-md border border-edge-strong bg-sheet pr-2 pl-8 pointer-coarse:h-10"
        />
      </label>
      <div role="group" aria-label="States" className="flex flex-wrap gap-1">
        {allStates
          .filter((s) => counts.has(s) || p.states.includes(s))
          .map((s) => {
            const l = look(s);
            const on = p.states.includes(s);
            return (
              <button
                key={s}
                type="button"
                aria-pressed={on}
                title={l.means}
                onClick={() => p.onStates(on ? p.states.replace(s, "") : p.states + s)}
                className={`inline-flex h-6 items-center gap-1 rounded-full px-2 text-[0.86em] font-medium pointer-coarse:h-9 ${toneBadge(l.tone)} ${on ? "ring-2 ring-current" : ""}`}
              >
                <Sign name={l.sign} className="size-3" />
                {count(counts.get(s) ?? 0)} {l.word}
              </button>
            );
          })}
      </div>
    </div>
  );
}

const rowHeight = 28;

/** TaskList lists tasks one below the other; it says in words what a drawing shows. */
export function TaskList(p: {
  tasks: api.Tasks;
  /** Indexes of those that are listed. */
  rows: number[];
  /** The index of the one selected; -1: none. */
  selected: number;
  onSelect(task: number): void;
  onOpen(task: number): void;
  /** What it waits for, or why it is as it is. */
  reason(task: number): string;
}) {
  const scroll = useRef<HTMLDivElement>(null);
  const id = useId();
  const virtual = useVirtualizer({ count: p.rows.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 10 });
  const at = p.rows.indexOf(p.selected);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at);
  }, [at, virtual]);
  const key = (e: KeyboardEvent) => {
    const to =
      e.key === "ArrowDown" ? at + 1 : e.key === "ArrowUp" ? Math.max(0, at - 1) : e.key === "Home" ? 0 : e.key === "End" ? p.rows.length - 1
      : e.key === "PageDown" ? at + 10 : e.key === "PageUp" ? at - 10 : -1;
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Enter" && at >= 0) p.onOpen(p.selected);
    else if (e.key === "Escape" && at >= 0) p.onSelect(-1);
    else if (/^(Arrow(Up|Down)|Home|End|Page(Up|Down))$/.test(e.key) && p.rows.length > 0) p.onSelect(p.rows[Math.max(0, Math.min(p.rows.length - 1, to))]!);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <div
      ref={scroll}
      role="listbox"
      aria-label="Tasks"
      tabIndex={0}
      aria-activedescendant={at >= 0 ? `${id}${p.selected}` : undefined}
      onKeyDown={key}
      className="min-h-0 flex-1 overflow-y-auto rounded-md outline-offset-[-2px]"
    >
      <div role="presentation" className="relative w-full" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((v) => {
          const task = p.rows[v.index]!;
          const l = look(p.tasks.states[task]!);
          return (
            <div
              key={task}
              id={`${id}${task}`}
              role="option"
              aria-selected={task === p.selected}
              aria-posinset={v.index + 1}
              aria-setsize={p.rows.length}
              onClick={() => p.onSelect(task)}
              onDoubleClick={() => p.onOpen(task)}
              className={`absolute inset-x-0 flex cursor-pointer items-center gap-2 rounded px-2 ${task === p.selected ? "bg-picked" : "hover:bg-hover"}`}
              style={{ top: v.start, height: rowHeight }}
            >
              <StateChip look={l} />
              <span className="min-w-0 flex-1 truncate">{p.tasks.ids[task]}</span>
              <span className="sr-only">, </span>
              <span className="shrink-0 text-[0.86em] text-soft">{l.word}</span>
              <span className="sr-only">{p.reason(task) && `: ${p.reason(task)}`}</span>
            </div>
          );
        })}
      </div>
      {p.rows.length === 0 && <p className="px-2 py-6 text-center text-soft">No task is like that.</p>}
    </div>
  );
}
