import { lazy, Suspense, useMemo, useState } from "react";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import type * as api from "../api";
import { useKeys } from "../app/keys";
import { Lasts, Moment, useNow } from "../app/now";
import { useCanAct } from "../app/session";
import { Timeline } from "../timeline/Timeline";
import { ago } from "../lib/format";
import { Button } from "../ui/button";
import { Icon, type IconName } from "../ui/icons";
import { Empty, Failure, Loading, Page, Sheet } from "../ui/page";
import { RunState } from "../ui/sign";
import { RunAction, type Ask } from "./runActions";
import { isFinal, useGraph, useRun, useSpans, useWaits } from "./runData";
import { RunGraph } from "./runGraph";
import { Sift, TaskList } from "./runList";
import { TaskCard, gateWord, taskURL } from "./runPanel";
import { useAddress, useSifted, why } from "./runShow";
import { TaskTable } from "./runTable";

const RunJournal = lazy(() => import("./runJournal"));

const views: { id: string; label: string; icon: IconName; key: string }[] = [
  { id: "graph", label: "Graph", icon: "graph", key: "1" },
  { id: "timeline", label: "Timeline", icon: "chart", key: "2" },
  { id: "table", label: "Table", icon: "list", key: "3" },
  { id: "journal", label: "Journal", icon: "info", key: "4" },
];

/** The page of one run: its graph, its timeline and its tasks, and what can be done with them. */
export function Component() {
  const params = useParams();
  const id = params["run"]!;
  const { run, tasks, over, gone } = useRun(id);
  const address = useAddress();
  const navigate = useNavigate();
  const may = useCanAct();
  const [ask, setAsk] = useState<Ask>();
  // Tasks of HealthOmics are not cleared or marked here one by one.
  const omics = run.data?.service === "omics";
  const canAct = may && !omics;
  const view = views.some((v) => v.id === params["view"]) ? params["view"]! : "graph";
  const { search } = useLocation();
  const show = (v: string) => void navigate({ pathname: `/runs/${encodeURIComponent(id)}${v === "graph" ? "" : `/${v}`}`, search }, { replace: true });
  const waits = useWaits(id, !over && run.data !== undefined);
  const graph = useGraph(id);
  const text = address.read("q");
  const states = address.read("state");
  const rows = useSifted(tasks.data, text, states);
  const selected = useMemo(() => tasks.data?.ids.indexOf(address.read("task")) ?? -1, [tasks.data, address]);
  const select = (task: number) => address.set({ task: task >= 0 ? tasks.data!.ids[task]! : null });
  const open = (task: number) => void navigate(taskURL(id, tasks.data!.ids[task]!));

  useKeys([
    ...views.map((v) => ({ press: v.key, does: `Show the ${v.label.toLowerCase()}`, group: "Run", run: () => show(v.id) })),
    { press: "f", does: "Filter the tasks", group: "Run", run: () => document.querySelector<HTMLElement>("[data-filter]")?.focus() },
    ...(may && run.data
      ? [
          ...(isFinal(run.data.state) ? [] : [{ press: "shift+s", does: "Stop the run", group: "Run", run: () => setAsk({ what: "stop" }) }]),
          { press: "shift+r", does: "Run again", group: "Run", run: () => setAsk({ what: "rerun" }) },
          ...(canAct && selected >= 0 ? [{ press: "shift+c", does: "Clear the selected task", group: "Run", run: () => setAsk({ what: "clear", tasks: [tasks.data!.ids[selected]!] }) }] : []),
        ]
      : []),
    { press: "Enter", does: "Open the selected task", group: "Graph, timeline and list" },
    { press: "Escape", does: "Let go of it", group: "Graph, timeline and list" },
    { press: "ArrowRight", does: "Along the edges of the graph", group: "Graph, timeline and list" },
    { press: "+", does: "Larger; - smaller, 0 everything", group: "Graph, timeline and list" },
    { press: "c", does: "Close or open a group of the graph", group: "Graph, timeline and list" },
  ]);

  if (gone) {
    return (
      <Page title={`Run ${id}`} crumbs={omics ? [{ label: "HealthOmics", to: "/omics" }] : [{ label: "Workflows", to: "/" }]}>
        <Sheet><Empty icon="info" title="This run was deleted" /></Sheet>
      </Page>
    );
  }
  if (run.isError) {
    return (
      <Page title="Run">
        <Failure error={run.error} retry={() => void run.refetch()} />
      </Page>
    );
  }
  const r = run.data;
  if (!r) {
    return (
      <Page title={`Run ${id}`}>
        <Loading />
      </Page>
    );
  }
  const t = tasks.data;
  const sift = t && (
    <Sift tasks={t} text={text} states={states} found={rows.length} onText={(q) => address.set({ q })} onStates={(s) => address.set({ state: s })} />
  );
  const card = t && selected >= 0 && (
    <TaskCard run={r} tasks={t} task={selected} waits={waits} graph={graph.data} canAct={canAct} onAsk={setAsk} onSelect={select} />
  );
  const side = t && (view === "graph" || card) && (
    <aside
      aria-label="Tasks"
      className={`flex min-h-0 flex-col overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet lg:w-80 xl:w-96 ${view === "graph" ? "max-lg:h-[32rem]" : "lg:self-start lg:max-h-full"}`}
    >
      {view === "graph" && (
        <>
          <div className="p-3 pb-2">{sift}</div>
          <div className="flex min-h-24 flex-1 flex-col border-t border-edge p-1">
            <TaskList tasks={t} rows={rows} selected={selected} onSelect={select} onOpen={open} reason={(i) => why(t, i, waits)} />
          </div>
        </>
      )}
      {card && <div className={view === "graph" ? "max-h-[62%] overflow-y-auto border-t border-edge bg-raised" : "overflow-y-auto"}>{card}</div>}
    </aside>
  );
  return (
    <Page
      title={`Run ${r.id}`}
      heading={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {r.omics?.name || `Run ${r.id}`} <RunState state={r.state} className="text-sm" />
        </span>
      }
      crumbs={[
        ...(omics
          ? [{ label: "HealthOmics", to: "/omics" }]
          : [{ label: "Workflows", to: "/" }, { label: r.workflowName, to: `/workflows/${encodeURIComponent(r.workflow)}` }]),
      ]}
      sub={<Facts run={r} />}
      actions={may && <Actions run={r} tasks={t} onAsk={setAsk} />}
      fill
    >
      <RunNotes run={r} tasks={t} />
      <div role="tablist" aria-label="Views" className="mb-2 flex gap-1" onKeyDown={(e) => tabKeys(e.key, view, show, e)}>
        {views.map((v) => (
          <button
            key={v.id}
            id={`tab-${v.id}`}
            type="button"
            role="tab"
            aria-selected={v.id === view}
            aria-controls="view"
            tabIndex={v.id === view ? 0 : -1}
            onClick={() => show(v.id)}
            className={`inline-flex h-8 items-center gap-1.5 rounded-md px-3 font-medium pointer-coarse:h-10 ${v.id === view ? "bg-picked text-ink" : "text-soft hover:bg-hover hover:text-ink"}`}
          >
            <Icon name={v.icon} />
            {v.label}
          </button>
        ))}
      </div>
      {view === "journal" ? (
        <div id="view" role="tabpanel" aria-labelledby="tab-journal">
          <Suspense fallback={<Loading />}>
            <RunJournal run={id} />
          </Suspense>
        </div>
      ) : tasks.isError ? (
        <Failure error={tasks.error} retry={() => void tasks.refetch()} />
      ) : !t ? (
        <Loading />
      ) : t.ids.length === 0 ? (
        <Empty icon="graph" title="No tasks">
          {r.wait?.text ?? "The run has not begun."}
        </Empty>
      ) : view === "table" ? (
        <div id="view" role="tabpanel" aria-labelledby="tab-table" className="rounded-lg border border-edge bg-sheet shadow-sheet">
          <div className="border-b border-edge p-3">{sift}</div>
          <TaskTable
            run={r}
            tasks={t}
            rows={rows}
            waits={waits}
            sort={address.read("sort")}
            onSort={(sort) => address.set({ sort })}
            canAct={canAct}
            onAsk={setAsk}
            selected={selected}
            onSelect={select}
          />
        </div>
      ) : (
        <div id="view" role="tabpanel" aria-labelledby={`tab-${view}`} className="relative min-h-[34rem] flex-1">
          <div className="flex flex-col gap-3 lg:absolute lg:inset-0 lg:flex-row">
            <div className="relative flex min-w-0 flex-col overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet max-lg:h-[60dvh] max-lg:min-h-96 lg:flex-1">
              {view === "timeline" && <div className="border-b border-edge p-3">{sift}</div>}
              <div className="relative min-h-0 flex-1">
              {view === "graph" ? (
                graph.isError ? (
                  <Failure error={graph.error} retry={() => void graph.refetch()} />
                ) : graph.data ? (
                  <RunGraph
                    graph={graph.data}
                    tasks={t}
                    waits={waits}
                    selected={selected}
                    onSelect={select}
                    onOpen={open}
                    closed={address.read("closed")}
                    onClosed={(closed) => address.set({ closed })}
                  />
                ) : (
                  <Loading />
                )
              ) : (
                <RunTimeline id={id} run={r} tasks={t} rows={rows} selected={selected} onSelect={select} onOpen={open} />
              )}
              </div>
            </div>
            {side}
          </div>
        </div>
      )}
      {ask && <RunAction ask={ask} run={r} tasks={t} onClose={() => setAsk(undefined)} />}
    </Page>
  );
}

/** tabKeys moves through tabs by arrow keys. */
function tabKeys(key: string, view: string, show: (v: string) => void, e: { preventDefault(): void; currentTarget: HTMLElement }): void {
  const at = views.findIndex((v) => v.id === view);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1 }[key];
  if (to === undefined) return;
  const next = views[(to + views.length) % views.length]!.id;
  e.preventDefault();
  show(next);
  e.currentTarget.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
}

function RunTimeline(p: { id: string; run: api.Run; tasks: api.Tasks; rows: number[]; selected: number; onSelect(i: number): void; onOpen(i: number): void }) {
  const { tasks: t } = p;
  const spans = useSpans(p.id, t.ids.length);
  const now = useNow();
  const byTask = spans.data?.byTask;
  const rows = useMemo(
    () => p.rows.map((i) => ({ id: t.ids[i]!, state: t.states[i]!, bars: byTask?.[i] ?? [] })).sort((a, b) => (a.bars[0]?.from ?? Infinity) - (b.bars[0]?.from ?? Infinity) || 0),
    [p.rows, t.ids, t.states, byTask],
  );
  const bounds = useMemo(() => {
    let from = p.run.started || p.run.created;
    let to = p.run.ended;
    for (const bars of byTask ?? []) {
      for (const b of bars) {
        from = Math.min(from, b.from);
        to = Math.max(to, b.to);
      }
    }
    return { from, to };
  }, [byTask, p.run.started, p.run.created, p.run.ended]);
  if (spans.isError) return <Failure error={spans.error} retry={() => void spans.refetch()} />;
  if (!spans.data) return <Loading />;
  return (
    <Timeline
      rows={rows}
      from={bounds.from}
      to={isFinal(p.run.state) ? bounds.to : Math.max(now, bounds.to)}
      selected={t.ids[p.selected] ?? ""}
      onSelect={(id) => p.onSelect(t.ids.indexOf(id))}
      onOpen={(id) => p.onOpen(t.ids.indexOf(id))}
    />
  );
}

function Actions({ run, tasks, onAsk }: { run: api.Run; tasks: api.Tasks | undefined; onAsk(a: Ask): void }) {
  const bad = tasks ? [...tasks.states].some((s) => "fobc".includes(s)) : false;
  return (
    <>
      {!isFinal(run.state) && run.state !== "x" && (
        <Button icon="stop" onClick={() => onAsk({ what: "stop" })}>
          Stop…
        </Button>
      )}
      {bad && !(run.service === "omics" && run.state === "s") && (
        <Button icon="again" kind={isFinal(run.state) && run.state !== "s" ? "primary" : "plain"} onClick={() => onAsk({ what: "retry" })}>
          Retry from failed…
        </Button>
      )}
      <Button icon="play" onClick={() => onAsk({ what: "rerun" })}>
        Run again…
      </Button>
    </>
  );
}

const kinds = { ondemand: "on demand", scheduled: "scheduled", backfill: "backfill" };

function Facts({ run: r }: { run: api.Run }) {
  return (
    <>
      {r.omics ? r.omics.name && <span>run {r.id}</span> : <span>{kinds[r.kind]}</span>}
      {r.kind !== "ondemand" && (
        <span>
          for <Moment at={r.logical} />
        </span>
      )}
      <span>
        {r.service === "omics" ? (
          <Link to={`/omics/workflows/${encodeURIComponent(r.workflow)}`} className="underline underline-offset-2 hover:text-ink">workflow {r.workflowName}</Link>
        ) : (
          <Link to={`/workflows/${encodeURIComponent(r.workflow)}/versions`} className="underline underline-offset-2 hover:text-ink">
            {r.n > 0 ? `version ${r.n}` : "version deleted"}
          </Link>
        )}
      </span>
      <span>
        {r.started > 0 ? "started" : "created"} <Moment at={r.started || r.created} />
      </span>
      {r.started > 0 && (
        <span>
          {r.ended > 0 ? "took" : "for"} <Lasts from={r.started} to={r.ended || null} />
        </span>
      )}
      {r.by && <span>by {r.by}</span>}
      {r.omics?.outputUri && <span className="wrap-anywhere">outputs below <code>{`${r.omics.outputUri.replace(/\/+$/, "")}/${r.id}`}</code></span>}
      {r.params && Object.keys(r.params).length > 0 && (
        <details className="relative">
          <summary className="rounded underline underline-offset-2 hover:text-ink">{Object.keys(r.params).length} params</summary>
          <pre tabIndex={0} aria-label="Params" className="absolute left-0 z-30 mt-1 max-h-96 max-w-[min(40rem,90vw)] overflow-auto rounded-md border border-edge bg-raised p-3 text-ink shadow-up max-sm:static">
            {r.paramsText}
          </pre>
        </details>
      )}
    </>
  );
}

/** RunNotes says what the run waits for, why it failed, and what its success hides. */
function RunNotes({ run: r, tasks: t }: { run: api.Run; tasks: api.Tasks | undefined }) {
  const now = useNow();
  const failed = t && "fo".includes(r.state) ? t.ids.filter((_, i) => "fo".includes(t.states[i]!)) : [];
  const wait = r.wait && r.wait.gate !== "" && r.wait.gate !== "tasks" ? r.wait : null;
  return (
    <>
      {wait && (
        <Note tone="hold" icon="pause">
          <b className="font-semibold">{gateWord(wait.gate)}:</b> {wait.text}
          {wait.until > 0 && ` (${ago(wait.until, now)})`}
        </Note>
      )}
      {r.held && !wait && (
        <Note tone="hold" icon="pause">
          Paused: what runs goes on, and nothing begins. The <Link to={`/runs/${encodeURIComponent(r.id)}/journal`} className="underline underline-offset-2">journal</Link> says who paused it.
        </Note>
      )}
      {r.reason && isFinal(r.state) && (
        <Note tone={r.state === "s" ? "hold" : "bad"} icon="alert">
          {r.reason}
          {failed.length > 0 && ": "}
          <Links run={r.id} tasks={failed} />
        </Note>
      )}
      {t && t.more > 0 && <Note tone="hold" icon="info">{t.more} tasks more are not shown.</Note>}
      {r.hidden.length > 0 && (
        <Note tone="hold" icon="alert">
          The run succeeded although {r.hidden.length === 1 ? "this task" : "these tasks"} did not:{" "}
          <Links run={r.id} tasks={r.hidden} />
        </Note>
      )}
    </>
  );
}

/** Links names tasks, a few of many. */
function Links({ run, tasks }: { run: string; tasks: string[] }) {
  return (
    <>
      {tasks.slice(0, 8).map((id, i) => (
        <span key={id}>
          {i > 0 && ", "}
          <Link to={taskURL(run, id)} className="underline underline-offset-2">
            {id}
          </Link>
        </span>
      ))}
      {tasks.length > 8 && ` and ${tasks.length - 8} more`}
    </>
  );
}

const notes = { hold: "bg-hold-tint text-hold", bad: "bg-bad-tint text-bad" };

function Note({ tone, icon, children }: { tone: keyof typeof notes; icon: IconName; children: React.ReactNode }) {
  return (
    <p className={`mb-2 flex items-start gap-2 rounded-md px-3 py-2 wrap-anywhere ${notes[tone]}`}>
      <Icon name={icon} className="mt-0.5 size-4" />
      <span className="min-w-0">{children}</span>
    </p>
  );
}
