import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import * as api from "../api";
import { useKeys } from "../app/keys";
import { useLive } from "../app/live";
import { Lasts, Moment, useNow } from "../app/now";
import { useCanAct, useWord } from "../app/session";
import { ago, bytes, duration, plural } from "../lib/format";
import { look } from "../lib/states";
import { LogView } from "../log/LogView";
import { Icon, type IconName } from "../ui/icons";
import { Empty, Failure, Loading, Page, Sheet } from "../ui/page";
import { StateChip, TaskState } from "../ui/sign";
import { RunAction, type Ask } from "./runActions";
import { isFinal, runKeys, takeRun } from "./runData";
import { TaskMenu, gateWord, taskURL } from "./runPanel";
import { useAddress } from "./runShow";
import { TaskArgs } from "./taskArgs";
import { TaskXcom } from "./taskXcom";

interface Tab {
  id: string;
  label: string;
  icon: IconName;
  key: string;
}

const tabsOfAll: Tab[] = [
  { id: "log", label: "Log", icon: "list", key: "1" },
  { id: "arguments", label: "Arguments", icon: "edit", key: "2" },
  { id: "xcom", label: "XCom", icon: "copy", key: "3" },
  { id: "definition", label: "Definition", icon: "diff", key: "4" },
];

// What a task of a document is given has no names of its own to show.
const tabsOfOmics: Tab[] = [tabsOfAll[0]!, { id: "xcom", label: "Outputs", icon: "copy", key: "2" }];

/** The page of one task of a run: its attempts, and of each the log, the arguments and what it published. */
export function Component() {
  const params = useParams();
  const runId = params["run"]!;
  const id = params["task"]!;
  const client = useQueryClient();
  const address = useAddress();
  const may = useCanAct();
  const [ask, setAsk] = useState<Ask>();
  const [gone, setGone] = useState("");
  const key = ["task", runId, id];
  const q = useQuery({ queryKey: key, queryFn: ({ signal }) => api.task(runId, id, { signal }) });
  const run = useQuery({ queryKey: runKeys.run(runId), queryFn: ({ signal }) => api.run(runId, { signal }) });
  const tasks = useQuery({ queryKey: runKeys.tasks(runId), queryFn: ({ signal }) => api.tasks(runId, { signal }), enabled: ask !== undefined });
  const t = q.data;
  const omics = (t?.run.service ?? run.data?.service) === "omics";
  const canAct = may && !omics;
  const tabs = omics ? tabsOfOmics : tabsOfAll;
  const tab = tabs.some((v) => v.id === address.read("tab")) ? address.read("tab") : "log";
  const show = (v: string) => address.set({ tab: v === "log" ? null : v });
  useLive(
    `run:${runId}` as const,
    (e) => {
      if (e.gone) {
        setGone(runId);
        return;
      }
      takeRun(client, e.run);
      // Its neighbours stand on this page too, but what they wait for does not.
      if (t && (e.task.includes(t.index) || (t.wait && !isFinal(t.state)))) void client.invalidateQueries({ queryKey: key });
    },
    () => void client.invalidateQueries({ queryKey: key }),
  );
  useKeys([
    ...tabs.map((v) => ({ press: v.key, does: `Show the ${v.label === "XCom" ? v.label : v.label.toLowerCase()}`, group: "Task", run: () => show(v.id) })),
    ...(canAct && t && t.state !== "w" ? [{ press: "shift+c", does: "Clear the task", group: "Task", run: () => setAsk({ what: "clear" as const, tasks: [id] }) }] : []),
    { press: "ArrowRight", does: "Open a value of an XCom; ← closes it", group: "XCom" },
    { press: "c", does: "Copy the value", group: "XCom" },
    { press: "p", does: "Copy the expression that reads it", group: "XCom" },
  ]);
  const crumbs = [
    ...(omics
      ? [{ label: "HealthOmics", to: "/omics" }]
      : [{ label: "Workflows", to: "/" }, ...(t ? [{ label: t.workflowName, to: `/workflows/${encodeURIComponent(t.run.workflow)}` }] : [])]),
    { label: `Run ${runId}`, to: `/runs/${encodeURIComponent(runId)}?${new URLSearchParams({ task: id })}` },
  ];
  if (gone === runId) {
    return (
      <Page title={id} crumbs={crumbs.slice(0, -1)}>
        <Sheet><Empty icon="info" title="The run of this task was deleted" /></Sheet>
      </Page>
    );
  }
  if (q.isError) {
    return (
      <Page title={id} crumbs={crumbs}>
        <Failure error={q.error} retry={() => void q.refetch()} />
      </Page>
    );
  }
  if (!t) {
    return (
      <Page title={id} crumbs={crumbs}>
        <Loading />
      </Page>
    );
  }
  const asked = Number(address.read("attempt"));
  const attempt = t.attempts.find((a) => a.n === asked) ?? t.attempts.at(-1);
  const n = attempt?.n ?? 0;
  const line = address.read("line");
  const level = address.read("level");
  return (
    <Page
      title={`${id}, run ${runId}`}
      heading={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {id} <TaskState state={t.state} className="text-sm" />
          {attempt?.asked?.cacheHit && <span title="No command has run: a cache had what it makes." className="inline-flex items-center gap-1 rounded-full bg-soon-tint px-2 py-px text-sm font-medium whitespace-nowrap text-soon"><Icon name="copy" className="size-3.5" />Cache hit</span>}
        </span>
      }
      crumbs={crumbs}
      sub={
        <>
          <span title={t.operator}>{t.kind}</span>
          {t.attempt > 0 && (
            <span>
              attempt {t.attempt} of {Math.max(t.mayTry, t.attempt)}
            </span>
          )}
          {attempt && attempt.started > 0 && (
            <span>
              started <Moment at={attempt.started} />
            </span>
          )}
        </>
      }
      actions={canAct && <TaskMenu task={id} state={t.state} onAsk={setAsk} />}
      fill
    >
      <TaskNotes task={t} attempt={attempt} />
      {t.attempts.length > 1 && <Attempts of={t.attempts} current={n} onPick={(a) => address.set({ attempt: a === t.attempts.at(-1)!.n ? null : String(a), line: null })} />}
      <div className="relative min-h-[34rem] flex-1">
        <div className="flex flex-col gap-3 lg:absolute lg:inset-0 lg:flex-row">
          <div className="flex min-w-0 flex-col overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet max-lg:h-[80dvh] max-lg:min-h-96 lg:flex-1">
            <div role="tablist" aria-label="Of this attempt" className="flex shrink-0 gap-1 overflow-x-auto border-b border-edge p-1.5" onKeyDown={(e) => moveTab(e, tabs, tab, show)}>
              {tabs.map((v) => (
                <button
                  key={v.id}
                  id={`tab-${v.id}`}
                  type="button"
                  role="tab"
                  aria-selected={v.id === tab}
                  aria-controls="view"
                  tabIndex={v.id === tab ? 0 : -1}
                  onClick={() => show(v.id)}
                  className={`inline-flex h-8 shrink-0 items-center gap-1.5 rounded-md px-3 font-medium outline-offset-[-2px] pointer-coarse:h-10 ${v.id === tab ? "bg-picked text-ink" : "text-soft hover:bg-hover hover:text-ink"}`}
                >
                  <Icon name={v.icon} />
                  {v.label}
                </button>
              ))}
            </div>
            <div id="view" role="tabpanel" aria-labelledby={`tab-${tab}`} className="min-h-0 flex-1">
              {tab === "log" && (
                <LogView
                  key={n}
                  run={runId}
                  task={id}
                  attempt={n}
                  at={line === "" ? -1 : Number(line) || 0}
                  level={"diwe".includes(level) ? (level as api.Level) : ""}
                  text={address.read("find")}
                  onShow={(c) => address.set(c)}
                  none={noLog(t, attempt)}
                />
              )}
              {tab === "arguments" && <TaskArgs run={runId} task={id} attempt={n} />}
              {tab === "xcom" && <TaskXcom key={`${n}${attempt?.state}`} run={runId} task={id} attempt={n} over={attempt ? isFinal(attempt.state) : false} read={!omics} />}
              {tab === "definition" && (t.definition ? <Excerpt of={t.definition} bad={false} whole /> : <p className="p-6 text-soft">The version of this run was deleted.</p>)}
            </div>
          </div>
          <aside aria-label="Facts" className="space-y-4 overflow-y-auto rounded-lg border border-edge bg-sheet p-4 shadow-sheet lg:w-80 xl:w-88">
            <Facts task={t} attempt={attempt} />
            <Kin title="Before it" of={t.up} run={runId} />
            <Kin title="After it" of={t.down} run={runId} />
          </aside>
        </div>
      </div>
      {ask && run.data && <RunAction ask={ask} run={run.data} tasks={tasks.data} onClose={() => setAsk(undefined)} />}
    </Page>
  );
}

function moveTab(e: React.KeyboardEvent<HTMLElement>, tabs: Tab[], tab: string, show: (v: string) => void): void {
  const at = tabs.findIndex((v) => v.id === tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[e.key];
  if (to === undefined) return;
  const next = tabs[(to + tabs.length) % tabs.length]!.id;
  e.preventDefault();
  show(next);
  e.currentTarget.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
}

function noLog(t: api.Task, a: api.Attempt | undefined): string {
  if (!a || a.n === 0) return t.state === "b" ? "The task never ran: something before it failed." : t.state === "k" ? "The task was skipped." : "The task has not begun.";
  if (a.state === "q" || a.state === "t") return "The attempt has not written anything yet.";
  return "This attempt has written nothing.";
}

function Attempts({ of, current, onPick }: { of: api.Attempt[]; current: number; onPick(n: number): void }) {
  return (
    <div role="group" aria-label="Attempts" className="mb-2 flex shrink-0 gap-1.5 overflow-x-auto pb-1">
      {of.map((a) => (
        <button
          key={a.n}
          type="button"
          aria-pressed={a.n === current}
          onClick={() => onPick(a.n)}
          className={`inline-flex h-8 shrink-0 items-center gap-2 rounded-md border px-2.5 pointer-coarse:h-10 ${a.n === current ? "border-edge-strong bg-picked" : "border-edge bg-sheet hover:bg-hover"}`}
        >
          <StateChip look={look(a.state)} label={look(a.state).word} className="size-3.5" />
          <span className="font-medium">Attempt {a.n}</span>
          {a.started > 0 && (
            <span className="text-soft">
              <Lasts from={a.started} to={a.ended || null} />
            </span>
          )}
        </button>
      ))}
    </div>
  );
}

/** TaskNotes says what the task waits for, or what went wrong and where the definition says so. */
function TaskNotes({ task: t, attempt: a }: { task: api.Task; attempt: api.Attempt | undefined }) {
  const now = useNow();
  const past = a !== undefined && a.n < t.attempt;
  const wait = !past && !isFinal(t.state) && t.wait && t.wait.gate !== "" ? t.wait : null;
  const reason = past ? a.reason : t.reason;
  const state = past ? a.state : t.state;
  const bad = "fo".includes(state);
  return (
    <>
      {wait && (
        <p className="mb-2 flex items-start gap-2 rounded-md bg-hold-tint px-3 py-2 wrap-anywhere text-hold">
          <Icon name="pause" className="mt-0.5 size-4" />
          <span>
            <b className="font-semibold">{gateWord(wait.gate)}:</b> {wait.text}
            {wait.until > 0 && ` (${ago(wait.until, now)})`}
          </span>
        </p>
      )}
      {!wait && reason && (
        <div className={`mb-2 rounded-md wrap-anywhere ${bad ? "bg-bad-tint text-bad" : "bg-hold-tint text-hold"}`}>
          <p className="flex items-start gap-2 px-3 py-2">
            <Icon name={bad ? "alert" : "info"} className="mt-0.5 size-4" />
            <span className="max-h-40 min-w-0 overflow-y-auto whitespace-pre-wrap">{reason}</span>
          </p>
          {bad && t.definition && (
            <details open={t.definition.arg !== ""} className="border-t border-bad/25">
              <summary className="px-3 py-1.5">
                Line {t.definition.line} of the definition{t.definition.arg && `: ${t.definition.arg}`}
              </summary>
              <Excerpt of={t.definition} bad />
            </details>
          )}
        </div>
      )}
    </>
  );
}

/** Excerpt shows a few lines of a definition, and the one that matters. */
function Excerpt({ of: x, bad, whole }: { of: api.Excerpt; bad: boolean; whole?: boolean }) {
  return (
    <pre className={`overflow-auto bg-sunken py-2 text-ink ${whole ? "h-full" : "max-h-64 rounded-b-md"}`} tabIndex={0} aria-label="Definition">
      {x.lines.map((text, i) => {
        const n = x.first + i;
        const here = n === x.line;
        return (
          <div key={n} className={`flex w-max min-w-full ${here ? (bad ? "bg-bad-tint" : "bg-picked") : ""}`}>
            <span className="w-12 shrink-0 pr-3 text-right text-soft select-none">{n}</span>
            <span aria-hidden className="w-4 shrink-0">
              {here ? "›" : ""}
            </span>
            <span className="pr-4 whitespace-pre">{text || " "}</span>
          </div>
        );
      })}
    </pre>
  );
}

function Facts({ task: t, attempt: a }: { task: api.Task; attempt: api.Attempt | undefined }) {
  const now = useNow();
  const word = useWord()(t.run.service, "task", t.state);
  const x = a?.exit;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      {a && a.started > 0 && (
        <Fact name="Took">
          <Lasts from={a.started} to={a.ended || null} />
        </Fact>
      )}
      {a && a.ended > 0 && (
        <Fact name="Ended">
          <Moment at={a.ended} />
        </Fact>
      )}
      {x && (
        <>
          <Fact name="Exit">
            {x.why ? <b className="font-semibold text-bad">{x.why}</b> : null}
            {x.why && " · "}
            {x.signal ? `signal: ${x.signal}` : x.code < 0 ? "code not known" : `code ${x.code}`}
          </Fact>
          {x.memory > 0 && <Fact name="Memory, at most">{bytes(x.memory)}</Fact>}
          {x.cpu > 0 && <Fact name="Processor">{duration(x.cpu)}</Fact>}
        </>
      )}
      {a && a.log >= 0 && <Fact name="Log">{bytes(a.log)}</Fact>}
      {t.due > 0 && !isFinal(t.state) && <Fact name={t.state === "u" || t.state === "z" ? "Goes on" : "Must end"}>{ago(t.due, now)}</Fact>}
      {t.pokes > 0 && <Fact name="Has looked">{t.pokes === 1 ? "once" : `${t.pokes} times`}</Fact>}
      {t.mark && (
        <Fact name="Keeps">
          <code className="break-all">{t.mark}</code>
        </Fact>
      )}
      {word && (
        <Fact name="At the API">
          <code>{word}</code>
        </Fact>
      )}
      {a?.asked && a.asked.cpus > 0 && (
        <Fact name="Asked for">
          {plural(a.asked.cpus, "CPU")}, {bytes(a.asked.memory)}{a.asked.gpus > 0 && `, ${plural(a.asked.gpus, "GPU")}`}
          {a.asked.instance && <> (<code>{a.asked.instance}</code>)</>}
        </Fact>
      )}
      {a?.asked?.image && <Fact name="Image"><code className="break-all">{a.asked.image}</code></Fact>}
      {a?.asked?.cacheUri && <Fact name="In the cache"><code className="break-all">{a.asked.cacheUri}</code></Fact>}
      {t.run.service !== "omics" && <Fact name="Operator">
        <code>
          {t.operator.split(".").map((part, i) => (
            <span key={i}>
              {i > 0 && "."}
              <wbr />
              {part}
            </span>
          ))}
        </code>
      </Fact>}
      {t.run.service !== "omics" && <Fact name="Trigger rule">{t.rule || "all_success"}</Fact>}
      <Fact name="Attempts">
        {t.mayTry}
        {t.mayTry > 1 && t.retryDelay > 0 && `, ${duration(t.retryDelay)} apart`}
      </Fact>
      {t.timeout > 0 && <Fact name="Time limit">{duration(t.timeout)}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0 wrap-anywhere">{children}</dd>
    </>
  );
}

function Kin({ title, of, run }: { title: string; of: { id: string; state: string }[]; run: string }) {
  if (of.length === 0) return null;
  return (
    <section>
      <h2 className="mb-1 text-[0.93em] font-medium text-soft">{title}</h2>
      <ul className="space-y-0.5">
        {of.slice(0, 100).map((k) => (
          <li key={k.id}>
            <Link to={taskURL(run, k.id)} className="flex min-h-6 items-center gap-2 rounded px-1 hover:bg-hover">
              <StateChip look={look(k.state)} label={look(k.state).word} className="size-3.5" />
              <span className="min-w-0 truncate">{k.id}</span>
            </Link>
          </li>
        ))}
        {of.length > 100 && <li className="px-1 text-soft">and {of.length - 100} more</li>}
      </ul>
    </section>
  );
}
