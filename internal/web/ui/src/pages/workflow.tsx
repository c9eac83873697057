import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { ApiError, pause, resume, type Workflow } from "../api";
import { keys, putWorkflows, workflowQuery } from "../app/cache";
import { useKeys } from "../app/keys";
import { useLive } from "../app/live";
import { useNow } from "../app/now";
import { useCanAct } from "../app/session";
import { useToast } from "../app/toast";
import { ago, moment } from "../lib/format";
import { Button, ButtonLink, IconButton } from "../ui/button";
import { DeleteWorkflow } from "../ui/delete";
import { Icon, type IconName } from "../ui/icons";
import { Menu, MenuItem, MenuLine } from "../ui/menu";
import { Failure, Loading, Page, Sheet } from "../ui/page";
import { putRuns } from "./workflow/changes";
import { GridTab } from "./workflow/grid";

const RunsTab = lazy(() => import("./workflow/runs"));
const DurationsTab = lazy(() => import("./workflow/durations"));
const ScheduleTab = lazy(() => import("./workflow/schedule"));
const VersionsTab = lazy(() => import("./workflow/versions"));
const DetailsTab = lazy(() => import("./workflow/details"));
const StartDialog = lazy(() => import("../ui/start").then((m) => ({ default: m.StartDialog })));
const BackfillDialog = lazy(() => import("./workflow/backfill"));

const tabs: { path: string; label: string; icon: IconName; press: string }[] = [
  { path: "", label: "Grid", icon: "grid", press: "1" },
  { path: "runs", label: "Runs", icon: "list", press: "2" },
  { path: "durations", label: "Durations", icon: "chart", press: "3" },
  { path: "schedule", label: "Schedule", icon: "calendar", press: "4" },
  { path: "versions", label: "Versions", icon: "diff", press: "5" },
  { path: "details", label: "Details", icon: "info", press: "6" },
];

/** Component shows one workflow. */
export function Component() {
  const { workflow: id = "", tab = "" } = useParams();
  // What one workflow's page keeps is not another's.
  return <WorkflowPage key={id} id={id} tab={tab} />;
}

function WorkflowPage({ id, tab }: { id: string; tab: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const canAct = useCanAct();
  const toast = useToast();
  const [dialog, setDialog] = useState<"start" | "delete" | "backfill" | null>(null);

  const q = useQuery(workflowQuery(id));
  const w = q.data;
  const ready = useLive<"workflow">(q.error instanceof ApiError && q.error.kind === "notFound" && !w ? null : `workflow:${id}`, (e) => {
    if (e.gone) {
      void client.invalidateQueries({ queryKey: keys.workflow(id) });
      return;
    }
    // Another version has other params and another text, which events do not carry.
    const newer = w && e.row.n !== w.n;
    putWorkflows(client, [e.row]);
    if (newer) {
      void client.invalidateQueries({ queryKey: keys.workflow(id), exact: true });
      void client.invalidateQueries({ queryKey: keys.versions(id) });
    }
    putRuns(client, id, e.runs);
  }, () => void client.invalidateQueries({ queryKey: keys.workflow(id) }));
  const to = `/workflows/${encodeURIComponent(id)}`;

  const toggle = async () => {
    if (!w) return;
    try {
      putWorkflows(client, [w.paused ? await resume(id) : await pause(id)]);
    } catch (e) {
      toast.failed(w.paused ? "Resume" : "Pause", e);
    }
  };
  const may = canAct && w !== undefined && !w.deleting;
  useKeys([
    ...tabs.map((t) => ({ press: t.press, does: t.label, group: "Workflow", run: () => void navigate(t.path ? `${to}/${t.path}` : to) })),
    ...(may ? [
      { press: "s", does: "Start a run", group: "Workflow", run: () => setDialog("start") },
      { press: "p", does: w.paused ? "Resume it" : "Pause it", group: "Workflow", run: () => void toggle() },
      { press: "e", does: "Edit the definition", group: "Workflow", run: () => void navigate(`${to}/edit`) },
    ] : []),
  ]);

  if (q.isError && !w) {
    return <Page title="Workflow" crumbs={[{ label: "Workflows", to: "/" }]}><Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet></Page>;
  }
  const shown = tabs.find((t) => t.path === tab) ?? tabs[0];
  return (
    <Page title={w ? (tab && shown ? `${shown.label} of ${w.name}` : w.name) : "Workflow"} heading={w?.name ?? <span className="text-soft">…</span>} fill={shown?.path === ""}
      crumbs={[{ label: "Workflows", to: "/" }]}
      sub={w && <Summary w={w} />}
      actions={<>
        {may && <Button kind="primary" icon="play" onClick={() => setDialog("start")}>Start</Button>}
        {may && <Button icon={w.paused ? "play" : "pause"} onClick={() => void toggle()}>{w.paused ? "Resume" : "Pause"}</Button>}
        {may && <ButtonLink icon="edit" to={`${to}/edit`}>Edit</ButtonLink>}
        {w && (
          <Menu trigger={<IconButton icon="more" label="More" />}>
            <MenuItem icon="copy" onSelect={() => void navigator.clipboard.writeText(w.arn).then(() => toast.done("The ARN is on the clipboard."), (e: unknown) => toast.failed("Copy", e))}>Copy the ARN</MenuItem>
            {may && <>
              {w.schedule && <MenuItem icon="calendar" onSelect={() => setDialog("backfill")}>Backfill</MenuItem>}
              <MenuLine />
              <MenuItem icon="close" danger onSelect={() => setDialog("delete")}>Delete</MenuItem>
            </>}
          </Menu>
        )}
      </>}>
      <nav aria-label="Views of the workflow" className="-mx-3 mb-3 overflow-x-auto px-3 sm:mx-0 sm:px-0">
        <ul className="flex min-w-max gap-1 border-b border-edge">
          {tabs.map((t) => (
            <li key={t.path}>
              <Link to={t.path ? `${to}/${t.path}` : to} aria-current={t === shown ? "page" : undefined}
                className={`-mb-px flex h-9 items-center gap-1.5 border-b-2 px-3 font-medium transition-colors outline-offset-[-2px] pointer-coarse:h-11 ${t === shown ? "border-accent text-ink" : "border-transparent text-soft hover:border-edge-strong hover:text-ink"}`}>
                <Icon name={t.icon} />{t.label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <Suspense fallback={<Sheet><Loading /></Sheet>}>
        {shown?.path === "" ? <GridTab id={id} ready={ready} />
          : !w ? <Sheet><Loading /></Sheet>
          : shown?.path === "runs" ? <RunsTab workflow={w} />
          : shown?.path === "durations" ? <DurationsTab workflow={w} />
          : shown?.path === "schedule" ? <ScheduleTab workflow={w} onBackfill={() => setDialog("backfill")} />
          : shown?.path === "versions" ? <VersionsTab workflow={w} />
          : <DetailsTab workflow={w} />}
      </Suspense>
      <Suspense>
        {dialog === "start" && <StartDialog workflow={id} onClose={() => setDialog(null)} />}
        {dialog === "backfill" && w && <BackfillDialog workflow={w} onClose={() => setDialog(null)} />}
      </Suspense>
      {dialog === "delete" && w && <DeleteWorkflow row={w} onClose={() => setDialog(null)} onDone={() => void navigate("/")} />}
    </Page>
  );
}

function Summary({ w }: { w: Workflow }) {
  return <>
    {w.deleting && <span className="inline-flex items-center gap-1 font-medium text-bad"><Icon name="alert" />being deleted</span>}
    {w.paused && <span className="inline-flex items-center gap-1 font-medium text-hold"><Icon name="pause" />paused by {w.paused.by || "somebody"}, {moment(w.paused.since)}</span>}
    {w.pausedAll && !w.paused && <span className="inline-flex items-center gap-1 font-medium text-hold"><Icon name="pause" />everything is paused by {w.pausedAll.by || "somebody"}, {moment(w.pausedAll.since)}</span>}
    {w.schedule ? <span title={`${w.schedule.expr} (${w.schedule.zone})`}>{w.schedule.words || w.schedule.expr}{w.schedule.zone !== "UTC" && ` (${w.schedule.zone})`}</span> : <span>on demand</span>}
    {w.schedule && w.schedule.next > 0 && <Next at={w.schedule.next} />}
    <span>version {w.n}</span>
    {w.active > 0 && <span className="inline-flex items-center gap-1 text-live"><Icon name="play" className="size-3" />{w.active} active</span>}
    {w.description && <span className="max-w-[70ch] truncate">{w.description}</span>}
  </>;
}

function Next({ at }: { at: number }) {
  return <span>next <time dateTime={new Date(at).toISOString()} title={moment(at)}>{ago(at, useNow())}</time></span>;
}
