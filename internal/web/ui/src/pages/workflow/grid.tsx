import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useLocation, useNavigate } from "react-router";
import { task as readTask } from "../../api";
import { gridQuery } from "../../app/cache";
import { useKeys } from "../../app/keys";
import { Ago, Lasts, Moment } from "../../app/now";
import { useCanAct, useWord } from "../../app/session";
import { StateGrid, type GridHandle, type Place } from "../../grid/grid";
import { build, type Column, type Model } from "../../grid/model";
import { bytes, plural } from "../../lib/format";
import { allStates, look, runLook } from "../../lib/states";
import { Button, ButtonLink, IconButton } from "../../ui/button";
import { Check, Input } from "../../ui/field";
import { Icon } from "../../ui/icons";
import { Empty, Failure, Loading, Sheet } from "../../ui/page";
import { RunState, StateChip, TaskState } from "../../ui/sign";

const failing = "fob";

/** pickedIn reads what is picked from an address. */
function pickedIn(address: string): { run: string | null; task: string | null } {
  const q = new URLSearchParams(address);
  return { run: q.get("run"), task: q.get("task") };
}

/** GridTab shows runs across and tasks down. What is picked is in the address. */
export function GridTab({ id, ready }: { id: string; ready: boolean }) {
  const navigate = useNavigate();
  const canAct = useCanAct();
  const [filter, setFilter] = useState("");
  const [onlyFailed, setOnlyFailed] = useState(false);
  const asked = useDeferredValue(filter.trim().toLowerCase());
  const handle = useRef<GridHandle>(null);
  const search = useRef<HTMLInputElement>(null);
  const q = useInfiniteQuery({ ...gridQuery(id), enabled: ready });
  const model = useMemo(() => (q.data ? build(q.data.pages) : null), [q.data]);
  const rows = useMemo(() => {
    if (!model) return [];
    const all = model.tasks.map((_, i) => i);
    return all.filter((i) => (!asked || model.tasks[i]?.toLowerCase().includes(asked)) && (!onlyFailed || model.columns.some((c) => failing.includes(c.at(i)))));
  }, [model, asked, onlyFailed]);

  // What is picked changes with every key, so it is put into the address
  // beside the router, which would draw the whole page anew.
  const { search: address } = useLocation();
  const [{ run, task }, setPicked] = useState(() => pickedIn(address));
  useEffect(() => setPicked(pickedIn(address)), [address]);
  const picked = useMemo<Place | null>(() => {
    const column = model?.columns.findIndex((c) => c.run.id === run) ?? -1;
    if (!model || column < 0) return null;
    const row = task === null ? -1 : model.tasks.indexOf(task);
    return task !== null && row < 0 ? null : { row, column };
  }, [model, run, task]);
  const onPick = (p: Place | null) => {
    const c = p && model?.columns[p.column];
    const next = !p || !c || !model ? { run: null, task: null } : { run: c.run.id, task: p.row < 0 ? null : model.tasks[p.row] ?? null };
    setPicked(next);
    const query = new URLSearchParams(Object.entries(next).filter((e): e is [string, string] => e[1] !== null)).toString();
    window.history.replaceState(window.history.state, "", location.pathname + (query && `?${query}`));
  };
  const onOpen = (p: Place) => {
    const c = model?.columns[p.column];
    if (c && model) void navigate(p.row < 0 ? `/runs/${encodeURIComponent(c.run.id)}` : `/runs/${encodeURIComponent(c.run.id)}/tasks/${encodeURIComponent(model.tasks[p.row] ?? "")}`);
  };
  useKeys([
    { press: "f", does: "Filter tasks", group: "Grid", run: () => search.current?.focus() },
    { press: "g g", does: "Go to the grid", group: "Grid", run: () => handle.current?.focus() },
    { press: "ArrowUp", does: "Move in the grid (also ↓ ← →, Home, End)", group: "Grid" },
    { press: "Enter", does: "Open the task, or the run at the top", group: "Grid" },
    { press: "Escape", does: "Pick nothing", group: "Grid" },
  ]);

  if (q.isError && !q.data) return <Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet>;
  if (!model) return <Sheet className="flex-1"><Loading rows={12} /></Sheet>;
  if (!model.columns.length) {
    return <Sheet><Empty icon="play" title="No run yet">{canAct ? <p>Start one, and each of its {plural(model.tasks.length, "task")} shows here as it goes.</p> : <p>Runs show here as they go.</p>}</Empty></Sheet>;
  }
  const column = picked && model.columns[picked.column];
  const latest = model.columns.at(-1);
  return (
    <Sheet className="flex min-h-0 flex-1 flex-col overflow-hidden">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-edge px-3 py-2">
        <label className="relative">
          <span className="sr-only">Filter tasks</span>
          <Icon name="filter" className="pointer-events-none absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-soft" />
          <Input ref={search} type="search" value={filter} maxLength={200} placeholder="Filter tasks" className="w-44! pl-8" onChange={(e) => setFilter(e.target.value)}
            onKeyDown={(e) => { if (e.key === "Enter" || e.key === "Escape") handle.current?.focus(); }} />
        </label>
        <Check label="Failures only" checked={onlyFailed} onChange={(e) => setOnlyFailed(e.target.checked)} />
        <span className="text-soft">
          {rows.length < model.tasks.length ? `${rows.length} of ${plural(model.tasks.length, "task")}` : plural(model.tasks.length, "task")} · {plural(model.columns.length, "run")}
        </span>
        <span className="flex-1" />
        <Legend model={model} />
        {q.hasNextPage && <Button kind="quiet" icon="left" busy={q.isFetchingNextPage} onClick={() => void q.fetchNextPage()}>Older runs</Button>}
      </div>
      <div className="flex min-h-0 flex-1 max-lg:flex-col">
        {rows.length ? <StateGrid ref={handle} model={model} rows={rows} picked={picked} onPick={onPick} onOpen={onOpen} />
          : <div className="flex-1"><Empty icon="filter" title="No task is left by the filter"><Button onClick={() => { setFilter(""); setOnlyFailed(false); }}>Show all</Button></Empty></div>}
        {!picked && latest && (
          <aside aria-label="The latest run" className="w-80 shrink-0 overflow-y-auto border-l border-edge bg-sheet max-xl:hidden">
            <PickedRun title="Latest run" column={latest} model={model} />
          </aside>
        )}
        {picked && column && (
          <aside aria-label="What is picked" className="w-80 shrink-0 overflow-y-auto border-l border-edge bg-sheet max-lg:max-h-[48%] max-lg:w-auto max-lg:border-t max-lg:border-l-0">
            {picked.row < 0 ? <PickedRun column={column} model={model} onClose={() => onPick(null)} />
              : <PickedTask column={column} task={model.tasks[picked.row] ?? ""} kind={model.kinds[picked.row] ?? ""} letter={column.at(picked.row)} onClose={() => onPick(null)} onRun={() => onPick({ row: -1, column: picked.column })} />}
          </aside>
        )}
      </div>
    </Sheet>
  );
}

/** Legend names the signs that are on show. */
function Legend({ model }: { model: Model }) {
  const there = useMemo(() => {
    const found = new Set<string>();
    for (const c of model.columns) for (const s of c.run.states) found.add(s);
    return allStates.filter((s) => found.has(s));
  }, [model]);
  return (
    <ul aria-label="Legend" className="flex flex-wrap gap-x-3 text-[0.93em] text-soft max-sm:hidden">
      {there.map((s) => <li key={s} className="flex items-center gap-1.5" title={look(s).means}><StateChip look={look(s)} className="size-3.5" />{look(s).word}</li>)}
    </ul>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <div className="flex gap-3 border-t border-edge py-1.5"><dt className="w-24 shrink-0 text-soft">{name}</dt><dd className="min-w-0 wrap-anywhere">{children}</dd></div>;
}

function PickedRun({ title = "Run", column, model, onClose }: { title?: string; column: Column; model: Model; onClose?: () => void }) {
  const r = column.run;
  const word = useWord();
  const counts = useMemo(() => {
    const n = new Map<string, number>();
    model.tasks.forEach((_, i) => n.set(column.at(i), (n.get(column.at(i)) ?? 0) + 1));
    return allStates.filter((s) => n.has(s)).map((s) => [s, n.get(s) ?? 0] as const);
  }, [column, model.tasks]);
  return (
    <div className="p-4">
      <div className="mb-2 flex items-start gap-2">
        <h2 className="min-w-0 flex-1 font-semibold">{title} <code className="font-normal wrap-anywhere">{r.id}</code></h2>
        {onClose && <IconButton icon="close" label="Close the details" className="-mt-1 -mr-2" onClick={onClose} />}
      </div>
      <p className="mb-3 flex items-center gap-2"><RunState state={r.state} held={r.held} /><code className="text-soft">{word(r.service, "run", r.state)}</code></p>
      {r.reason && <p className="mb-3 rounded-md bg-bad-tint px-3 py-2 text-bad wrap-anywhere">{r.reason}</p>}
      <ButtonLink kind="primary" to={`/runs/${encodeURIComponent(r.id)}`} className="mb-3 w-full">Open the run</ButtonLink>
      <dl>
        <Fact name="Created"><Moment at={r.created} /></Fact>
        {r.kind !== "ondemand" && <Fact name="Slot"><Moment at={r.logical} /></Fact>}
        {r.started > 0 && <Fact name="Queued"><Lasts from={r.created} to={r.started} /></Fact>}
        {r.started > 0 && <Fact name="Ran"><Lasts from={r.started} to={r.ended || null} /></Fact>}
        <Fact name="Kind">{r.kind === "ondemand" ? "on demand" : r.kind}{r.by && ` by ${r.by}`}</Fact>
        <Fact name="Version">{r.n || "deleted"}</Fact>
      </dl>
      <ul className="flex flex-wrap gap-1.5 border-t border-edge pt-3">
        {counts.map(([s, n]) => <li key={s} className="flex items-center gap-1.5"><StateChip look={look(s)} className="size-4" />{n} {look(s).word}</li>)}
      </ul>
    </div>
  );
}

function PickedTask({ column, task, kind, letter, onClose, onRun }: { column: Column; task: string; kind: string; letter: string; onClose: () => void; onRun: () => void }) {
  const r = column.run;
  const word = useWord();
  const there = letter !== "-";
  // Keys move fast: what is passed over is not asked for.
  const [settled, settle] = useState("");
  const key = `${r.id}\n${task}`;
  useEffect(() => {
    const timer = setTimeout(() => settle(key), 120);
    return () => clearTimeout(timer);
  }, [key]);
  const q = useQuery({
    queryKey: ["grid-task", r.id, task, r.rev],
    queryFn: ({ signal }) => readTask(r.id, task, { signal }),
    enabled: there && settled === key,
    placeholderData: (before) => (before && before.run.id === r.id && before.id === task ? before : undefined),
    gcTime: 60_000,
  });
  const t = q.data;
  const last = t?.attempts.at(-1);
  return (
    <div className="p-4">
      <div className="mb-2 flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="font-semibold wrap-anywhere">{task}</h2>
          {kind && <p className="text-soft wrap-anywhere">{kind}</p>}
        </div>
        <IconButton icon="close" label="Close the details" className="-mt-1 -mr-2" onClick={onClose} />
      </div>
      {there ? <>
        <p className="mb-3 flex items-center gap-2"><TaskState state={letter} /><code className="text-soft">{word(r.service, "task", letter)}</code></p>
        <ButtonLink kind="primary" to={`/runs/${encodeURIComponent(r.id)}/tasks/${encodeURIComponent(task)}`} className="mb-3 w-full">Open the task and its log</ButtonLink>
        {t?.reason && <p className={`mb-3 rounded-md px-3 py-2 wrap-anywhere ${failing.includes(letter) ? "bg-bad-tint text-bad" : "bg-sunken"}`}>{t.reason}</p>}
        {t?.wait?.text && <p className="mb-3 rounded-md bg-hold-tint px-3 py-2 text-hold wrap-anywhere">{t.wait.text}</p>}
      </> : <p className="mb-3 text-soft">This run has no such task.</p>}
      <dl>
        <Fact name="Run"><button type="button" onClick={onRun} className="text-left text-link underline underline-offset-2"><RunWords column={column} /></button></Fact>
        {last && last.started > 0 && <Fact name="Started"><Moment at={last.started} /></Fact>}
        {last && last.started > 0 && <Fact name="Took"><Lasts from={last.started} to={last.ended || null} /></Fact>}
        {t && t.attempts.length > 1 && <Fact name="Attempts">
          <ol className="space-y-1">{t.attempts.slice(-6).map((a) => <li key={a.n} className="flex items-center gap-2"><StateChip look={look(a.state)} label={look(a.state).word} className="size-4" />{a.n}{a.started > 0 && <span className="text-soft"><Lasts from={a.started} to={a.ended || null} /></span>}</li>)}</ol>
        </Fact>}
        {last?.exit && <Fact name="Exit">{last.exit.why || last.exit.signal || `status ${last.exit.code}`}{last.exit.memory > 0 && <span className="text-soft"> · {bytes(last.exit.memory)} at most</span>}</Fact>}
      </dl>
      {q.isError && <p role="alert" className="mt-2 text-bad">{q.error.message}</p>}
    </div>
  );
}

function RunWords({ column: { run: r } }: { column: Column }) {
  return <>{runLook(r.state).word}, <Ago at={r.created} /></>;
}

