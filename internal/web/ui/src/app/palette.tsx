import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { workflows } from "../api";
import { Icon, type IconName } from "../ui/icons";
import { Press } from "./help";
import { useKeyList } from "./keys";

interface Item {
  id: string;
  label: string;
  detail?: string;
  icon: IconName;
  press?: string;
  run: () => void;
}

/**
 * Palette finds a workflow by name, a run by id, and everything that the
 * keyboard does on this page.
 */
export function Palette({ onClose }: { onClose: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const asked = useDeferredValue(text.trim());
  const id = useId();
  const { keys } = useKeyList();

  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);

  const found = useQuery({
    queryKey: ["palette", asked],
    queryFn: ({ signal }) => workflows({ q: asked.slice(0, 200), limit: 8, runs: 0 }, { signal }),
    placeholderData: (before) => before,
    staleTime: 10_000,
  });

  const items = useMemo<Item[]>(() => {
    const go = (to: string) => () => void navigate(to);
    const all: Item[] = (found.data?.rows ?? []).map((w) => ({
      id: `w-${w.id}`, label: w.name, detail: w.paused ? "workflow, paused" : "workflow", icon: "graph", run: go(`/workflows/${encodeURIComponent(w.id)}`),
    }));
    // Ids of runs are recognised by their look alone; their page says if there is none.
    if (/^[A-Za-z0-9]{12,64}$/.test(asked) && (/\d/.test(asked) || (/[a-z]/.test(asked) && /[A-Z]/.test(asked)))) all.push({ id: "run", label: asked, detail: "open as a run", icon: "play", run: go(`/runs/${encodeURIComponent(asked)}`) });
    const seen = new Set<string>();
    // Those of the page come first, then those of everywhere.
    for (const k of [...keys].sort((a, b) => Number(a.group === "Everywhere") - Number(b.group === "Everywhere"))) {
      if (!k.run || k.keyOnly || seen.has(k.press) || !k.does.toLowerCase().includes(asked.toLowerCase())) continue;
      seen.add(k.press);
      // The dialog is gone by the time it runs, so that it may open its own.
      all.push({ id: `k-${k.press.replaceAll(" ", "-")}`, label: k.does, icon: "keyboard", press: k.press, run: () => k.run?.(new KeyboardEvent("keydown")) });
    }
    return all;
  }, [found.data, asked, keys, navigate]);

  const current = Math.min(at, Math.max(0, items.length - 1));
  useEffect(() => {
    list.current?.children[current]?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const choose = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    setTimeout(item.run);
  };
  return (
    <dialog ref={ref} aria-label="Search"
      onCancel={(e) => { e.preventDefault(); onClose(); }}
      onMouseDown={(e) => { if (e.target === ref.current) onClose(); }}
      className="mx-auto mt-[12vh] mb-auto w-[36rem] max-w-[calc(100vw-1.5rem)] overflow-hidden rounded-lg border border-edge bg-raised p-0 text-ink shadow-up">
      <div className="flex items-center gap-2 border-b border-edge px-3">
        <Icon name="search" className="size-4 text-soft" />
        <input autoFocus value={text} maxLength={200}
          role="combobox" aria-expanded="true" aria-controls={id} aria-activedescendant={items[current] ? `${id}-${items[current].id}` : undefined}
          aria-label="Search workflows and actions" placeholder="Workflow, run or action"
          onChange={(e) => { setText(e.target.value); setAt(0); }}
          onKeyDown={(e) => {
            const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
            if (step && items.length) {
              e.preventDefault();
              setAt((current + step + items.length) % items.length);
            } else if (e.key === "Enter") {
              e.preventDefault();
              choose(items[current]);
            }
          }}
          className="h-12 flex-1 bg-transparent text-base outline-none" />
      </div>
      <ul ref={list} id={id} role="listbox" aria-label="Results" className="max-h-[50vh] overflow-y-auto p-1">
        {items.map((item, i) => (
          <li key={item.id} id={`${id}-${item.id}`} role="option" aria-selected={i === current}
            onClick={() => choose(item)} onPointerMove={() => setAt(i)}
            className={`flex h-9 cursor-pointer items-center gap-2 rounded-md px-2 ${i === current ? "bg-picked" : ""}`}>
            <Icon name={item.icon} className="size-4 text-soft" />
            <span className="min-w-0 flex-1 truncate">{item.label}</span>
            {item.detail && <span className="text-soft">{item.detail}</span>}
            {item.press && <Press press={item.press} />}
          </li>
        ))}
      </ul>
      {items.length === 0 && <p className="px-4 pb-4 text-soft">{found.isPending ? "Searching" : "Nothing has this in its name."}</p>}
    </dialog>
  );
}
