import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useBlocker, useNavigate, useParams } from "react-router";
import * as api from "../api";
import { useKeys } from "../app/keys";
import { useCanAct, useSession } from "../app/session";
import { useToast } from "../app/toast";
import { plural } from "../lib/format";
import { Button } from "../ui/button";
import { Confirm, Dialog } from "../ui/dialog";
import { Field, Input } from "../ui/field";
import { Icon } from "../ui/icons";
import { Empty, Failure, Loading, Page } from "../ui/page";
import { Code, type CodeHandle } from "./editorCode";
import { RunGraph } from "./runGraph";

const example = `# A workflow in the YAML dialect of MWAA Serverless.
my_workflow:
  params:
    day: "2026-01-01"
  tasks:
    extract:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo extracting {{ params.day }}"
    transform:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo transforming {{ ti.xcom_pull(task_ids='extract') }}"
      retries: 2
      dependencies: [extract]
    load:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo loaded"
      dependencies: [transform]
`;

/** The page on which a definition is written: a new one, or the next version of one. */
export function Component() {
  const id = useParams()["workflow"];
  if (id === undefined) return <Editor key="new" text={example} />;
  return <Existing key={id} id={id} />;
}

function Existing({ id }: { id: string }) {
  const workflow = useQuery({ queryKey: ["workflow", id, "editor"], queryFn: ({ signal }) => api.workflow(id, { signal }) });
  const version = useQuery({ queryKey: ["version", id, "latest", "editor"], queryFn: ({ signal }) => api.version(id, "latest", { signal }), gcTime: 0 });
  const failed = workflow.isError ? workflow : version.isError ? version : null;
  if (failed) {
    return (
      <Page title="Definition">
        <Failure error={failed.error} retry={() => void failed.refetch()} />
      </Page>
    );
  }
  if (!workflow.data || !version.data) {
    return (
      <Page title="Definition">
        <Loading />
      </Page>
    );
  }
  return <Editor text={version.data.source} workflow={workflow.data} version={version.data} />;
}

interface Props {
  text: string;
  /** What is edited; undefined writes a new workflow. */
  workflow?: api.Workflow;
  version?: api.Version;
}

/** Editor is a text with its diagnostics, and its graph beside it. */
function Editor({ text, workflow, version }: Props) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const canAct = useCanAct();
  const { maxDefinition } = useSession();
  const code = useRef<CodeHandle>(null);
  const [source, setSource] = useState(text);
  const [saved, setSaved] = useState(text);
  const [base, setBase] = useState(version?.id ?? "");
  const [n, setN] = useState(version?.n ?? 0);
  const [line, setLine] = useState(1);
  const [asking, setAsking] = useState(false);
  const [closed, setClosed] = useState("");
  const changed = source !== saved;
  const left = useRef(false); // what follows is wanted

  const check = useCheck(source, (version?.code ?? "") !== "");
  const result = check.data;
  const diagnostics = useMemo(() => (check.isPlaceholderData ? [] : (result?.diagnostics ?? [])), [check.isPlaceholderData, result]);
  // While the text has errors the last graph without any stays.
  const [graph, setGraph] = useState<api.Graph | null>(null);
  useEffect(() => {
    if (result?.graph) setGraph(result.graph);
  }, [result]);
  const lines = result?.lines;
  const selected = useMemo(() => {
    if (!graph || !lines) return -1;
    let best = -1;
    let at = 0;
    graph.ids.forEach((id, i) => {
      const l = lines[id] ?? 0;
      if (l > at && l <= line) [best, at] = [i, l];
    });
    return best;
  }, [graph, lines, line]);
  const [picked, setPicked] = useState(false);
  const toTask = (task: number) => {
    const l = graph && lines?.[graph.ids[task]!];
    if (l) code.current?.go(l);
  };

  useEffect(() => {
    if (!changed) return;
    const warn = (e: BeforeUnloadEvent) => e.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [changed]);
  const blocker = useBlocker(({ currentLocation, nextLocation }) => changed && !left.current && currentLocation.pathname !== nextLocation.pathname);

  const tooLarge = maxDefinition > 0 && source.length > maxDefinition;
  const mayAsk = canAct && !tooLarge && (workflow === undefined || changed);
  const ask = () => mayAsk && setAsking(true);
  useKeys([
    ...(canAct ? [{ press: "ctrl+s", does: workflow ? "Save as a new version" : "Create the workflow", group: "Editor", run: ask }] : []),
    { press: "F8", does: "Next diagnostic", group: "Editor" },
    { press: "ctrl+f", does: "Search the text", group: "Editor" },
    { press: "Escape", does: "Then Tab leaves the editor", group: "Editor" },
  ]);

  const update = async () => {
    const done = await api.updateWorkflow(workflow!.id, { source, base });
    setSaved(source);
    setBase(done.version);
    setN((was) => was + 1);
    await client.invalidateQueries({ predicate: (q) => !q.queryKey.includes("editor") });
    toast.done(`Version ${n + 1} is saved.`, { label: "Open the workflow", to: `/workflows/${encodeURIComponent(workflow!.id)}` });
  };
  const errors = diagnostics.filter((d) => d.severity === "error").length;
  return (
    <Page
      title={workflow ? `Edit ${workflow.name}` : "New workflow"}
      crumbs={[{ label: "Workflows", to: "/" }, ...(workflow ? [{ label: workflow.name, to: `/workflows/${encodeURIComponent(workflow.id)}` }] : [])]}
      sub={workflow ? <span>{changed ? `version ${n}, changed` : `version ${n}`}</span> : <span>checked as you type; nothing is stored until you create it</span>}
      actions={
        <>
          {workflow && changed && (
            <Button kind="quiet" onClick={() => code.current?.replace(saved)}>
              Discard changes
            </Button>
          )}
          {canAct ? (
            <Button kind="primary" disabled={!mayAsk} onClick={ask}>
              {workflow ? "Save as a new version…" : "Create…"}
            </Button>
          ) : (
            <span className="inline-flex items-center gap-1 text-soft">
              <Icon name="lock" /> Read-only
            </span>
          )}
        </>
      }
      fill
    >
      {tooLarge && (
        <p role="alert" className="mb-2 rounded-md bg-bad-tint px-3 py-2 text-bad">
          The text is larger than the {maxDefinition} bytes that a definition may have.
        </p>
      )}
      <div className="relative min-h-[36rem] flex-1">
        <div className="flex flex-col gap-3 lg:absolute lg:inset-0 lg:flex-row">
          <div className="flex min-w-0 flex-col overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet max-lg:h-[60dvh] max-lg:min-h-80 lg:flex-[3]">
            <div className="min-h-0 flex-1">
              <Code
                handle={code}
                text={text}
                diagnostics={diagnostics}
                readOnly={!canAct}
                onChange={setSource}
                onLine={(l) => {
                  setLine(l);
                  setPicked(true);
                }}
              />
            </div>
          </div>
          <div className="flex min-w-0 flex-col gap-3 lg:flex-[2]">
            <section aria-label="Graph" className="relative overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet max-lg:order-2 max-lg:h-80 lg:min-h-0 lg:flex-[3]">
              {graph ? (
                <RunGraph
                  graph={graph}
                  tasks={undefined}
                  waits={noWaits}
                  selected={picked ? selected : -1}
                  onSelect={(task) => (task >= 0 ? toTask(task) : setPicked(false))}
                  onOpen={toTask}
                  closed={closed}
                  onClosed={setClosed}
                />
              ) : (
                <Empty icon="graph" title="No graph yet">
                  It is drawn when the text has no errors.
                </Empty>
              )}
              {graph && errors > 0 && <p className="absolute bottom-2 left-2 rounded-md bg-hold-tint px-2 py-1 text-[0.93em] text-hold">as of the last text without errors</p>}
            </section>
            <section aria-label="Diagnostics" className={`flex flex-col overflow-hidden rounded-lg border border-edge bg-sheet shadow-sheet max-lg:order-1 lg:min-h-0 ${diagnostics.length > 0 ? "min-h-40 lg:flex-[2]" : ""}`}>
              <Verdict check={check} errors={errors} diagnostics={diagnostics} />
              {diagnostics.length > 0 && (
                <ul className="min-h-0 flex-1 overflow-y-auto p-1">
                  {diagnostics.slice(0, 500).map((d, i) => (
                    <li key={i}>
                      <button type="button" onClick={() => code.current?.go(d.line, d.column)} className="flex w-full items-start gap-2 rounded px-2 py-1.5 text-left outline-offset-[-2px] hover:bg-hover">
                        <Icon name={d.severity === "note" ? "info" : "alert"} className={`mt-0.5 size-4 ${inks[d.severity]}`} />
                        <span className="min-w-0 flex-1 wrap-anywhere">
                          <span className="sr-only">{d.severity}: </span>
                          {d.message}
                          {d.fix && <span className="block text-soft">{d.fix}</span>}
                          {d.public && d.public !== d.message && <span className="block text-[0.93em] text-soft">AWS says: {d.public}</span>}
                        </span>
                        {d.line > 0 && (
                          <span className="shrink-0 text-soft">
                            {d.line}:{d.column}
                          </span>
                        )}
                      </button>
                    </li>
                  ))}
                </ul>
              )}
            </section>
          </div>
        </div>
      </div>
      {asking && workflow && (
        <Confirm title={`Save version ${n + 1}?`} action="Save" onClose={() => setAsking(false)} onConfirm={update}>
          <p>
            Version {n + 1} of <b>{workflow.name}</b> becomes the one that new runs use. Runs that have begun keep theirs.
          </p>
          <p className="wrap-anywhere text-soft">
            The text replaces <code>{workflow.location}</code>.
          </p>
          {errors > 0 && <p className="text-bad">The text has {plural(errors, "error")}: the server will refuse it.</p>}
        </Confirm>
      )}
      {asking && !workflow && (
        <Create
          name={result?.name ?? ""}
          source={source}
          onClose={() => setAsking(false)}
          onDone={(made) => {
            left.current = true;
            void client.invalidateQueries();
            toast.done("The workflow is created.");
            void navigate(`/workflows/${encodeURIComponent(made)}`);
          }}
        />
      )}
      {blocker.state === "blocked" && (
        <Confirm title="Leave without saving?" action="Leave" danger onClose={() => blocker.reset()} onConfirm={async () => blocker.proceed()}>
          <p>What you have changed in this text is lost.</p>
        </Confirm>
      )}
    </Page>
  );
}

const noWaits: ReadonlyMap<string, api.Wait> = new Map();

const inks = { error: "text-bad", warning: "text-hold", note: "text-live" };

/** useCheck asks what is to be said of a text, a moment after the last change, and drops what is out of date. */
function useCheck(source: string, code: boolean) {
  const [settled, setSettled] = useState(source);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(source), 250);
    return () => clearTimeout(timer);
  }, [source]);
  return useQuery({
    queryKey: ["check", settled, code, "editor"],
    queryFn: ({ signal }) => api.check({ source: settled, code }, { signal }),
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    staleTime: Infinity,
  });
}

function Verdict({ check, errors, diagnostics }: { check: ReturnType<typeof useCheck>; errors: number; diagnostics: api.Diagnostic[] }) {
  const r = check.data;
  const warnings = diagnostics.filter((d) => d.severity === "warning").length;
  return (
    <div role="status" className="flex min-h-9 flex-wrap items-center gap-x-3 border-b border-edge px-3 py-1.5">
      {check.isError ? (
        <span className="text-bad">{check.error instanceof Error ? check.error.message : "The check failed."}</span>
      ) : !r || check.isPlaceholderData ? (
        <span className="text-soft">Checking…</span>
      ) : (
        <>
          <span className={`inline-flex items-center gap-1.5 font-medium ${errors > 0 ? "text-bad" : "text-good"}`}>
            <Icon name={errors > 0 ? "alert" : "check"} />
            {errors > 0 ? plural(errors, "error") : "No errors"}
          </span>
          {warnings > 0 && <span className="text-hold">{plural(warnings, "warning")}</span>}
          {r.graph && <span className="text-soft">{plural(r.graph.ids.length, "task")}</span>}
          {r.schedule && <span className="text-soft">{r.schedule.words || r.schedule.expr}</span>}
          {r.params.length > 0 && <span className="text-soft">{plural(r.params.length, "param")}</span>}
        </>
      )}
    </div>
  );
}

function Create({ name: within, source, onClose, onDone }: { name: string; source: string; onClose(): void; onDone(workflow: string): void }) {
  const { role: suggested } = useSession();
  const [name, setName] = useState(within);
  const [role, setRole] = useState(suggested);
  const [description, setDescription] = useState("");
  const [pack, setPack] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<{ text: string; fields: Record<string, string> }>({ text: "", fields: {} });
  const [token] = useState(api.newToken);
  const create = async () => {
    if (name.trim() === "") {
      setError({ text: "", fields: { name: "A workflow needs a name." } });
      return;
    }
    setBusy(true);
    setError({ text: "", fields: {} });
    try {
      const made = await api.createWorkflow({ name: name.trim(), source, token, ...(role ? { role } : {}), ...(description ? { description } : {}), ...(pack ? { code: pack } : {}) });
      onDone(made.workflow);
    } catch (e) {
      setBusy(false);
      if (!(e instanceof api.ApiError)) {
        setError({ text: String(e), fields: {} });
        return;
      }
      const fields: Record<string, string> = {};
      const rest: string[] = [];
      for (const f of e.fields.length > 0 ? e.fields : e.field ? [{ field: e.field, message: e.message }] : []) {
        if (["name", "role", "description", "code"].includes(f.field)) fields[f.field] = f.message;
        else rest.push(f.message);
      }
      setError({ text: Object.keys(fields).length > 0 && rest.length === 0 ? "" : [e.message, ...rest.filter((r) => r !== e.message)].join("\n"), fields });
    }
  };
  return (
    <Dialog
      title="Create the workflow"
      size="medium"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button kind="primary" busy={busy} onClick={() => void create()}>
            Create
          </Button>
        </>
      }
    >
      <form
        className="space-y-4"
        onSubmit={(e) => {
          e.preventDefault();
          void create();
        }}
      >
        <Field label="Name" error={error.fields["name"]}>
          <Input value={name} onChange={(e) => setName(e.target.value)} maxLength={255} />
        </Field>
        <Field label="Description" error={error.fields["description"]}>
          <Input value={description} onChange={(e) => setDescription(e.target.value)} maxLength={1024} />
        </Field>
        <Field label="Role" hint="What its tasks may do at AWS endpoints." error={error.fields["role"]}>
          <Input value={role} onChange={(e) => setRole(e.target.value)} maxLength={2048} />
        </Field>
        <Field label="Code package" hint="s3://bucket/key of a package of Python code, if the tasks have one." error={error.fields["code"]}>
          <Input value={pack} onChange={(e) => setPack(e.target.value)} maxLength={2048} placeholder="none" />
        </Field>
        {error.text && (
          <p role="alert" className="rounded-md bg-bad-tint px-3 py-2 whitespace-pre-line text-bad">
            {error.text}
          </p>
        )}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}
