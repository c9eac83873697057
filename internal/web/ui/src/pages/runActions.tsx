import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import * as api from "../api";
import { useToast } from "../app/toast";
import { look } from "../lib/states";
import { plural } from "../lib/format";
import { Confirm } from "../ui/dialog";
import { RepeatDialog, RerunDialog } from "./runRerun";
import { isFinal, runKeys, takeRun, useGraph } from "./runData";

/** An Ask is an action on a run that waits for the reader's word. */
export type Ask =
  | { what: "stop" }
  | { what: "retry" }
  | { what: "clear"; tasks: string[] }
  | { what: "mark"; task: string; as: "success" | "failed" | "skipped" }
  | { what: "rerun" };

interface Props {
  ask: Ask;
  run: api.Run;
  tasks: api.Tasks | undefined;
  onClose(): void;
}

/** RunAction says exactly what an action will do, and does it on the reader's word. */
export function RunAction(p: Props) {
  const client = useQueryClient();
  const toast = useToast();
  const navigate = useNavigate();
  const { ask, run } = p;
  /** Shows at once what the server answered; events bring the rest. */
  const did = (text: string, answer: Promise<{ run: api.RunRow }>) =>
    answer.then((a) => {
      takeRun(client, a.run);
      void client.invalidateQueries({ queryKey: runKeys.run(run.id) });
      toast.done(text);
    });

  if (ask.what === "rerun") {
    const Form = run.service === "omics" ? RepeatDialog : RerunDialog;
    return (
      <Form
        run={run}
        onClose={p.onClose}
        onDone={(row) => {
          toast.done("A new run has begun.");
          p.onClose();
          void navigate(`/runs/${row.id}`);
        }}
      />
    );
  }
  if (ask.what === "stop") {
    return (
      <Confirm title="Stop this run?" action="Stop the run" danger onClose={p.onClose} onConfirm={() => did("The run is being stopped.", api.stop(run.id))}>
        <StopText tasks={p.tasks} />
      </Confirm>
    );
  }
  if (ask.what === "mark") {
    const was = p.tasks?.states[p.tasks.ids.indexOf(ask.task)] ?? "w";
    const as = { success: "succeeded", failed: "failed", skipped: "skipped" }[ask.as];
    return (
      <Confirm
        title={`Mark as ${as}?`}
        action={`Mark as ${as}`}
        danger={ask.as === "failed"}
        onClose={p.onClose}
        onConfirm={() => did(`${ask.task} is marked as ${as}.`, api.mark(run.id, { task: ask.task, state: ask.as }))}
      >
        <p>
          Task <Name>{ask.task}</Name>, now {look(was).word}, counts as <b>{as}</b> from here on, whatever it did.
        </p>
        {!isFinal(was) && was !== "w" && was !== "q" && <p>The attempt under way is ended first.</p>}
        <p>
          {ask.as === "success" && "What waits for it goes on. It publishes no value: a task that reads its XCom finds none."}
          {ask.as === "failed" && "What needs it to succeed will not run."}
          {ask.as === "skipped" && "What needs it to succeed is skipped too; what runs in any case goes on."}
        </p>
        {isFinal(run.state) && <p className="text-soft">The run has ended and takes its state anew from its tasks.</p>}
      </Confirm>
    );
  }
  if (ask.what === "retry") return <Redo {...p} did={did} from={null} />;
  return <Redo {...p} did={did} from={ask.tasks} />;
}

function StopText({ tasks }: { tasks: api.Tasks | undefined }) {
  const live = tasks ? [...tasks.states].filter((s) => "trdx".includes(s)).length : 0;
  const open = tasks ? [...tasks.states].filter((s) => "wquz".includes(s)).length : 0;
  return (
    <>
      <p>
        {live > 0 ? `${plural(live, "attempt")} under way ${live === 1 ? "is" : "are"} ended: processes are asked to end and then killed, jobs elsewhere are canceled.` : "No attempt is under way."}
      </p>
      {open > 0 && <p>{plural(open, "task")} that {open === 1 ? "waits" : "wait"} will not run.</p>}
      <p className="text-soft">What has succeeded stays. The run can be taken up again from what did not.</p>
    </>
  );
}

/** Redo asks before tasks are done again; from null, those that did not succeed. */
function Redo(p: Props & { did: (text: string, answer: Promise<{ run: api.RunRow }>) => Promise<void>; from: string[] | null }) {
  const [downstream, setDownstream] = useState(true);
  const { from, run, tasks } = p;
  const graph = useGraph(run.id);
  const again = useMemo(() => {
    if (!tasks) return [];
    const roots = from ? from.map((id) => tasks.ids.indexOf(id)) : [...tasks.states].flatMap((s, i) => ("fobc".includes(s) ? [i] : []));
    return from && !downstream ? roots : graph.data ? below(graph.data, roots) : roots;
  }, [tasks, graph.data, from, downstream]);
  const live = again.filter((i) => "trdx".includes(tasks?.states[i] ?? "w"));
  const done = again.filter((i) => tasks?.states[i] === "s");
  const verb = from ? "Clear" : "Retry";
  return (
    <Confirm
      title={from ? (from.length === 1 ? `Clear ${from[0]}?` : `Clear ${plural(from.length, "task")}?`) : "Retry from what failed?"}
      action={again.length > 0 ? `${verb} ${plural(again.length, "task")}` : verb}
      onClose={p.onClose}
      onConfirm={() =>
        p.did(
          `${plural(again.length, "task")} will be done again.`,
          from ? api.clear(run.id, { tasks: from, downstream }) : api.retry(run.id),
        )
      }
    >
      {from && (
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={downstream} onChange={(e) => setDownstream(e.target.checked)} className="size-4 accent-accent" />
          and everything that comes after
        </label>
      )}
      <p>
        {again.length === 1 ? "This task is" : `These ${again.length} tasks are`} done again, with as many attempts as at first; what {again.length === 1 ? "it" : "they"} published is forgotten:
      </p>
      <ul className="max-h-48 overflow-y-auto rounded-md border border-edge bg-sunken px-3 py-2 font-mono text-[0.93em]" tabIndex={0} aria-label="Tasks that are done again">
        {again.slice(0, 200).map((i) => (
          <li key={i} className="flex justify-between gap-4">
            <span className="break-all">{tasks!.ids[i]}</span>
            <span className="shrink-0 text-soft">{look(tasks!.states[i]!).word}</span>
          </li>
        ))}
        {again.length > 200 && <li className="text-soft">and {again.length - 200} more</li>}
      </ul>
      {live.length > 0 && <p>{plural(live.length, "attempt")} under way {live.length === 1 ? "is" : "are"} ended first.</p>}
      {done.length > 0 && <p>{plural(done.length, "task")} that had succeeded {done.length === 1 ? "is" : "are"} among them.</p>}
      {isFinal(run.state) && <p className="text-soft">The run has ended; it goes on.</p>}
    </Confirm>
  );
}

/** below returns tasks with all that comes after them, in the order of the graph. */
export function below(g: api.Graph, roots: number[]): number[] {
  const out = new Map<number, number[]>();
  g.from.forEach((f, k) => {
    const to = out.get(f);
    if (to) to.push(g.to[k]!);
    else out.set(f, [g.to[k]!]);
  });
  const seen = new Set(roots);
  const queue = [...seen];
  for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
    for (const next of out.get(i) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push(next);
    }
  }
  return [...seen].sort((a, b) => a - b);
}

function Name({ children }: { children: ReactNode }) {
  return <code className="break-all">{children}</code>;
}
