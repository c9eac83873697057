import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { allOpen, at, rowsOf, template, write, type Json, type Row } from "./tree";

const rowHeight = 26;

const inks: Record<Row["kind"], string> = {
  object: "text-soft", array: "text-soft", string: "text-good", number: "text-live", boolean: "text-hold", null: "text-off", more: "text-soft",
};

/**
 * XcomTree shows a value that a task has published as a tree: arrow keys walk
 * through it and open it, c copies the value, p the expression by which a
 * template reads it.
 */
export function XcomTree(p: { task: string; name: string; value: Json; onCopy(text: string, what: string): void }) {
  const [open, setOpen] = useState(() => allOpen(p.value, 2, 40));
  const [current, setCurrent] = useState("[]");
  const rows = useMemo(() => rowsOf(p.value, p.name, open), [p.value, p.name, open]);
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 12 });
  const index = Math.max(0, rows.findIndex((r) => r.id === current));
  const moved = useRef(false);
  useEffect(() => {
    if (!moved.current) return;
    virtual.scrollToIndex(index);
    scroll.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus();
  }, [index, virtual]);

  const toggle = (r: Row, to = !r.open) => {
    if (r.size === 0) return;
    setOpen((was) => {
      const is = new Set(was);
      if (to) is.add(r.id);
      else is.delete(r.id);
      return is;
    });
  };
  const pick = (i: number) => {
    moved.current = true;
    setCurrent(rows[Math.max(0, Math.min(rows.length - 1, i))]!.id);
  };
  const parent = (r: Row) => rows.findIndex((o) => o.id === JSON.stringify(r.path.slice(0, -1)));
  const copyValue = (r: Row) => {
    const v = at(p.value, r.path);
    p.onCopy(typeof v === "string" ? v : write(v), "value");
  };
  const copyPath = (r: Row) => p.onCopy(template(p.task, p.name, r.path), "expression");
  const key = (e: KeyboardEvent) => {
    const r = rows[index];
    if (!r || e.altKey || e.ctrlKey || e.metaKey) return;
    if (e.key === "ArrowDown") pick(index + 1);
    else if (e.key === "ArrowUp") pick(index - 1);
    else if (e.key === "Home") pick(0);
    else if (e.key === "End") pick(rows.length - 1);
    else if (e.key === "PageDown") pick(index + 15);
    else if (e.key === "PageUp") pick(index - 15);
    else if (e.key === "ArrowRight") {
      if (r.size > 0 && !r.open) toggle(r, true);
      else if (r.open) pick(index + 1);
    } else if (e.key === "ArrowLeft") {
      if (r.open) toggle(r, false);
      else if (r.depth > 0) pick(parent(r));
    } else if (e.key === "Enter" || e.key === " ") toggle(r);
    else if (e.key === "*") setOpen(allOpen(p.value, 50));
    else if (e.key === "c") copyValue(r);
    else if (e.key === "p") copyPath(r);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  return (
    <div
      ref={scroll}
      role="tree"
      aria-label={`Value ${p.name}`}
      className="max-h-112 overflow-auto rounded-md border border-edge bg-sunken py-1 font-mono text-[13px]"
      onKeyDown={key}
    >
      <div role="none" className="relative w-max min-w-full" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((v) => {
          const r = rows[v.index]!;
          const here = v.index === index;
          return (
            <div
              key={r.id}
              role="treeitem"
              data-index={v.index}
              aria-level={r.depth + 1}
              aria-posinset={r.place}
              aria-setsize={r.of}
              aria-expanded={r.size > 0 ? r.open : undefined}
              aria-selected={here}
              tabIndex={here ? 0 : -1}
              className={`group absolute left-0 flex w-full items-center gap-1.5 pr-2 whitespace-pre focus-visible:outline-2 focus-visible:outline-offset-[-2px] focus-visible:outline-focus ${here ? "bg-picked" : "hover:bg-hover"}`}
              style={{ top: v.start, height: rowHeight, paddingLeft: 8 + r.depth * 18 }}
              onClick={() => {
                pick(v.index);
                toggle(r);
              }}
            >
              <span aria-hidden className={`w-3 text-soft ${r.open ? "rotate-90" : ""}`}>
                {r.size > 0 ? "›" : ""}
              </span>
              <span className="text-ink">{r.name}</span>
              <span className="text-soft">{r.kind === "more" ? "" : ":"}</span>
              <span className={inks[r.kind]}>{r.brief}</span>
              <span className={`sticky right-2 ml-auto flex gap-1 pl-4 ${here ? "" : "invisible group-hover:visible"}`}>
                <Copy label="copy" title="Copy the value (c)" onPick={() => copyValue(r)} />
                <Copy label="copy as template" title="Copy the expression that reads it (p)" onPick={() => copyPath(r)} />
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Copy(p: { label: string; title: string; onPick(): void }) {
  return (
    <span
      aria-hidden
      title={p.title}
      className="cursor-pointer rounded border border-edge bg-raised px-1.5 font-sans text-[11px] text-soft hover:text-ink max-sm:hidden"
      onClick={(e) => {
        e.stopPropagation();
        p.onPick();
      }}
    >
      {p.label}
    </span>
  );
}
