import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { lazy, Suspense, useDeferredValue, useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { pause, pauseAll, resume, resumeAll, workflows, type WorkflowRow } from "../api";
import { keys, putWorkflows } from "../app/cache";
import { useKeys } from "../app/keys";
import { useLive } from "../app/live";
import { Ago, Lasts, useNow } from "../app/now";
import { useCanAct, useSession } from "../app/session";
import { useToast } from "../app/toast";
import { ago, moment } from "../lib/format";
import { Button, ButtonLink, IconButton } from "../ui/button";
import { Confirm } from "../ui/dialog";
import { Input } from "../ui/field";
import { DeleteWorkflow } from "../ui/delete";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, MenuLine } from "../ui/menu";
import { Empty, Failure, Loading, Page, Sheet } from "../ui/page";
import { RunState } from "../ui/sign";
import { RunStrip } from "../ui/strip";

const StartDialog = lazy(() => import("../ui/start").then((m) => ({ default: m.StartDialog })));

/** Component lists the workflows, with what became of their latest runs. */
export function Component() {
  const client = useQueryClient();
  const canAct = useCanAct();
  const toast = useToast();
  const [params, setParams] = useSearchParams();
  const [text, setText] = useState(params.get("q") ?? "");
  const asked = useDeferredValue(text.trim().slice(0, 200));
  // The address follows the field a little later, and leads when it changes
  // by itself, as on the way back.
  const address = params.get("q") ?? "";
  const written = useRef(address);
  useEffect(() => {
    if (address !== written.current) {
      written.current = address;
      setText(address);
      return;
    }
    if (text === address) return;
    const timer = setTimeout(() => {
      written.current = text;
      setParams(text ? { q: text } : {}, { replace: true, preventScrollReset: true });
    }, 200);
    return () => clearTimeout(timer);
  }, [address, text, setParams]);
  const [dialog, setDialog] = useState<{ what: "start" | "delete"; row: WorkflowRow } | { what: "pauseAll" } | null>(null);

  const ready = useLive<"workflows">("workflows",
    (e) => putWorkflows(client, e.rows, e.gone, e.pausedAll),
    () => void client.invalidateQueries({ queryKey: ["workflows"] }));
  const list = useInfiniteQuery({
    queryKey: keys.workflows(asked),
    queryFn: ({ pageParam, signal }) => workflows({ q: asked, after: pageParam, limit: 100 }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
    placeholderData: (before) => before,
    enabled: ready,
  });
  const rows = list.data?.pages.flatMap((p) => p.rows) ?? [];
  const pausedAll = list.data?.pages[0]?.pausedAll ?? null;
  const active = rows.reduce((n, r) => n + r.active, 0);

  const act = async (what: string, ask: () => Promise<unknown>) => {
    try {
      const answer = await ask();
      if (answer && typeof answer === "object" && "runs" in answer) putWorkflows(client, [answer as WorkflowRow]);
      else await client.invalidateQueries({ queryKey: ["workflows"] });
    } catch (e) {
      toast.failed(what, e);
    }
  };
  const toggle = (row: WorkflowRow) =>
    act(row.paused ? `Resume ${row.name}` : `Pause ${row.name}`, () => (row.paused ? resume(row.id) : pause(row.id)));

  const search = useRef<HTMLInputElement>(null);
  useKeys([{ press: "f", does: "Filter by name", run: () => search.current?.focus() }]);

  return (
    <Page title="Workflows"
      sub={list.data && (rows.length > 0 || asked) ? <>
        <span>{rows.length}{list.hasNextPage ? " or more" : ""} {rows.length === 1 ? "workflow" : "workflows"}</span>
        <span>{active === 0 ? "nothing is under way" : active === 1 ? "1 run is under way" : `${active} runs are under way`}</span>
      </> : undefined}
      actions={<>
        <label className="relative">
          <span className="sr-only">Filter by name</span>
          <Icon name="filter" className="pointer-events-none absolute top-1/2 left-2.5 size-3.5 -translate-y-1/2 text-soft" />
          <Input ref={search} type="search" value={text} maxLength={200} placeholder="Filter by name" className="w-52! pl-8"
            onChange={(e) => setText(e.target.value)}
            onKeyDown={(e) => { if (e.key === "Escape") e.currentTarget.blur(); }} />
        </label>
        {canAct && !pausedAll && rows.length > 0 && <Button icon="pause" onClick={() => setDialog({ what: "pauseAll" })}>Pause all</Button>}
        {canAct && <ButtonLink kind="primary" icon="plus" to="/new">New</ButtonLink>}
      </>}>
      {pausedAll && (
        <div className="mb-3 flex flex-wrap items-center gap-3 rounded-lg bg-hold-tint px-4 py-2 text-hold">
          <Icon name="pause" />
          <span className="flex-1">Everything is paused by {pausedAll.by || "somebody"} since {moment(pausedAll.since)}. What runs goes on; nothing begins.</span>
          {canAct && <Button icon="play" onClick={() => void act("Resume everything", () => resumeAll())}>Resume all</Button>}
        </div>
      )}
      {list.isError && !list.data ? <Sheet><Failure error={list.error} retry={() => void list.refetch()} /></Sheet>
        : !list.data ? <Sheet><Loading rows={9} /></Sheet>
        : rows.length === 0 ? <Sheet>{asked ? <Empty icon="search" title={`No workflow has “${asked}” in its name`}><Button onClick={() => setText("")}>Show all</Button></Empty> : <First />}</Sheet>
        : <Table rows={rows} more={list.hasNextPage ? () => void list.fetchNextPage() : undefined} busy={list.isFetchingNextPage}
            stale={list.isPlaceholderData} onStart={(row) => setDialog({ what: "start", row })} onDelete={(row) => setDialog({ what: "delete", row })} onToggle={(row) => void toggle(row)} />}
      <Suspense>
        {dialog?.what === "start" && <StartDialog workflow={dialog.row.id} onClose={() => setDialog(null)} />}
      </Suspense>
      {dialog?.what === "pauseAll" && (
        <Confirm title="Pause everything?" action="Pause all" onClose={() => setDialog(null)} onConfirm={async () => { await pauseAll(); await client.invalidateQueries({ queryKey: ["workflows"] }); }}>
          <p>Tasks that run go on to their end. No task, run or schedule begins until you resume; slots that pass meanwhile are skipped.</p>
        </Confirm>
      )}
      {dialog?.what === "delete" && <DeleteWorkflow row={dialog.row} onClose={() => setDialog(null)} />}
    </Page>
  );
}

/** What a server without workflows says. */
function First() {
  const { setup } = useSession();
  const canAct = useCanAct();
  return (
    <Empty icon="graph" title="No workflow yet">
      <p>Write one here, or send one with the AWS CLI:</p>
      <pre className="overflow-x-auto rounded-md bg-sunken p-3 text-left text-ink" tabIndex={0}>{`${setup}
aws s3 mb s3://workflows
aws s3 cp hello.yaml s3://workflows/
aws mwaa-serverless create-workflow --name hello \\
    --definition-s3-location Bucket=workflows,ObjectKey=hello.yaml \\
    --role-arn arn:aws:iam::111122223333:role/etl`}</pre>
      {canAct && <ButtonLink kind="primary" icon="plus" to="/new">Write a workflow</ButtonLink>}
    </Empty>
  );
}

interface TableProps {
  rows: readonly WorkflowRow[];
  more: (() => void) | undefined;
  busy: boolean;
  stale: boolean;
  onStart: (row: WorkflowRow) => void;
  onDelete: (row: WorkflowRow) => void;
  onToggle: (row: WorkflowRow) => void;
}

function Table({ rows, more, busy, stale, onStart, onDelete, onToggle }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY), []);
  const v = useWindowVirtualizer({ count: rows.length, estimateSize: () => 49, overscan: 12, scrollMargin: top, getItemKey: (i) => rows[i]?.id ?? i });
  const items = v.getVirtualItems();
  const before = items.length ? (items[0]?.start ?? 0) - top : 0;
  const after = items.length ? v.getTotalSize() - ((items.at(-1)?.end ?? 0) - top) : 0;

  const nearEnd = (items.at(-1)?.index ?? 0) >= rows.length - 15;
  useEffect(() => {
    if (nearEnd && more && !busy) more();
  }, [nearEnd, more, busy]);

  const step = (by: number) => {
    const links = [...(body.current?.querySelectorAll<HTMLAnchorElement>("a[data-name]") ?? [])];
    const at = links.findIndex((l) => l.closest("tr")?.contains(document.activeElement));
    const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  };
  const current = () => {
    const id = document.activeElement?.closest("tr")?.dataset.id;
    return rows.find((r) => r.id === id);
  };
  const canAct = useCanAct();
  useKeys([
    { press: "j", does: "Next workflow", keyOnly: true, run: () => step(1) },
    { press: "k", does: "Workflow before", keyOnly: true, run: () => step(-1) },
    { press: "Enter", does: "Open it" },
    ...(canAct ? [
      { press: "s", does: "Start a run of it", keyOnly: true, run: () => { const r = current(); if (r) onStart(r); } },
      { press: "p", does: "Pause or resume it", keyOnly: true, run: () => { const r = current(); if (r) onToggle(r); } },
    ] : []),
  ]);

  return (
    <Sheet className={`overflow-clip ${stale ? "opacity-70" : ""}`}>
      <table className="w-full border-collapse max-lg:block">
        <caption className="sr-only">Workflows, newest first</caption>
        <thead className="max-lg:sr-only">
          <tr className="border-b border-edge bg-sunken text-left text-[0.93em] text-soft">
            <th scope="col" className="py-1.5 pr-3 pl-4 font-medium">Workflow</th>
            <th scope="col" className="px-3 py-1.5 font-medium">Latest runs</th>
            <th scope="col" className="px-3 py-1.5 font-medium">Last run</th>
            <th scope="col" className="px-3 py-1.5 font-medium">Next</th>
            <th scope="col" className="py-1.5 pr-3 pl-3"><span className="sr-only">Actions</span></th>
          </tr>
        </thead>
        <tbody ref={body} className="max-lg:block">
          {before > 0 && <tr aria-hidden="true"><td style={{ height: before }} /></tr>}
          {items.map((item) => {
            const row = rows[item.index];
            return row && <Row key={row.id} row={row} index={item.index} measure={v.measureElement} onStart={onStart} onDelete={onDelete} onToggle={onToggle} />;
          })}
          {after > 0 && <tr aria-hidden="true"><td style={{ height: after }} /></tr>}
        </tbody>
      </table>
      {busy && <p role="status" className="p-3 text-center text-soft">Loading more</p>}
    </Sheet>
  );
}

function Row({ row, index, measure, onStart, onDelete, onToggle }: {
  row: WorkflowRow; index: number; measure: (e: HTMLTableRowElement | null) => void;
} & Pick<TableProps, "onStart" | "onDelete" | "onToggle">) {
  const canAct = useCanAct();
  const navigate = useNavigate();
  const last = row.runs[0];
  const to = `/workflows/${encodeURIComponent(row.id)}`;
  return (
    <tr ref={measure} data-index={index} data-id={row.id}
      className="group border-b border-edge last:border-b-0 hover:bg-hover max-lg:grid max-lg:grid-cols-[1fr_auto] max-lg:gap-x-3 max-lg:px-4 max-lg:py-2.5">
      <td className="py-1.5 pr-3 pl-4 max-lg:p-0">
        <div className="flex flex-wrap items-center gap-x-2">
          <Link data-name to={to} className="rounded font-semibold text-ink underline-offset-4 wrap-anywhere group-hover:text-link hover:underline">{row.name}</Link>
          {row.service === "omics" && <Tag>HealthOmics</Tag>}
          {row.deleting && <Tag tone="bg-bad-tint text-bad">being deleted</Tag>}
          {row.paused && <span title={`by ${row.paused.by || "somebody"}, ${moment(row.paused.since)}`}><Tag tone="bg-hold-tint text-hold"><Icon name="pause" className="size-3" />paused</Tag></span>}
          {row.active > 0 && <Tag tone="bg-live-tint text-live">{row.active} active</Tag>}
        </div>
        <div className="text-[0.93em] text-soft">
          {row.schedule ? <span title={`${row.schedule.expr} (${row.schedule.zone})`}>{row.schedule.words || row.schedule.expr}{row.schedule.zone !== "UTC" && ` (${row.schedule.zone})`}</span> : "on demand"}
        </div>
      </td>
      <td className="px-3 py-1.5 max-lg:col-span-2 max-lg:row-start-2 max-lg:p-0 max-lg:pt-1.5">
        {row.runs.length ? <RunStrip runs={row.runs} /> : <span className="text-soft">none yet</span>}
      </td>
      <td className="px-3 py-1.5 whitespace-nowrap max-lg:row-start-3 max-lg:p-0 max-lg:pt-1">
        {last && <div className="flex flex-wrap items-center gap-x-2">
          <RunState state={last.state} held={last.held} />
          <span className="text-soft"><Ago at={last.created} />{last.started > 0 && <> · <Lasts from={last.started} to={last.ended || null} /></>}</span>
        </div>}
      </td>
      <td className="px-3 py-1.5 whitespace-nowrap text-soft max-lg:row-start-3 max-lg:p-0 max-lg:pt-1 max-lg:text-right">
        {row.schedule?.next ? <Next at={row.schedule.next} /> : row.schedule ? <span className="max-lg:hidden">{row.paused || row.pausedAll ? "paused" : "never"}</span> : <span className="max-lg:hidden">–</span>}
      </td>
      <td className="py-1.5 pr-3 pl-3 text-right whitespace-nowrap max-lg:col-start-2 max-lg:row-start-1 max-lg:p-0">
        <span className="inline-flex items-center gap-1">
          {canAct && !row.deleting && <Button icon="play" onClick={() => onStart(row)} aria-label={`Start ${row.name}`}><span className="max-sm:hidden">Start</span></Button>}
          <Menu trigger={<IconButton icon="more" label={`More for ${row.name}`} />}>
            <MenuItem icon="list" onSelect={() => void navigate(`${to}/runs`)}>Runs</MenuItem>
            <MenuItem icon="diff" onSelect={() => void navigate(`${to}/versions`)}>Versions</MenuItem>
            {canAct && <>
              <MenuLine />
              <MenuItem icon={row.paused ? "play" : "pause"} onSelect={() => onToggle(row)}>{row.paused ? "Resume" : "Pause"}</MenuItem>
              <MenuItem icon="edit" onSelect={() => void navigate(`${to}/edit`)}>Edit</MenuItem>
              <MenuItem icon="close" danger onSelect={() => onDelete(row)}>Delete</MenuItem>
            </>}
          </Menu>
        </span>
      </td>
    </tr>
  );
}

function Next({ at }: { at: number }) {
  return <time dateTime={new Date(at).toISOString()} title={moment(at)}>{ago(at, useNow())}</time>;
}

function Tag({ children, tone = "bg-sunken text-soft" }: { children: ReactNode; tone?: string }) {
  return <span className={`inline-flex items-center gap-1 rounded-full px-2 py-px text-[0.86em] font-medium whitespace-nowrap ${tone}`}>{children}</span>;
}
