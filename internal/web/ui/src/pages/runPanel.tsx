import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import * as api from "../api";
import { Moment, useNow } from "../app/now";
import { ago } from "../lib/format";
import { Button, buttonClass, IconButton } from "../ui/button";
import { Menu, MenuItem } from "../ui/menu";
import { StateChip, TaskState } from "../ui/sign";
import { look } from "../lib/states";
import type { Ask } from "./runActions";
import { isFinal } from "./runData";
import { took, why } from "./runShow";

interface Props {
  run: api.Run;
  tasks: api.Tasks;
  task: number;
  waits: ReadonlyMap<string, api.Wait>;
  graph: api.Graph | undefined;
  canAct: boolean;
  onAsk(a: Ask): void;
  onSelect(task: number): void;
}

export const taskURL = (run: string, task: string, query = "") => `/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}${query}`;

/** TaskCard says the gist of a task, and what can be done with it. */
export function TaskCard(p: Props) {
  const { tasks: t, task: i } = p;
  const now = useNow();
  const id = t.ids[i]!;
  const state = t.states[i]!;
  const wait = p.waits.get(id);
  const reason = why(t, i, p.waits);
  const near = (from: number[], to: number[]) => from.flatMap((x, k) => (x === i ? [to[k]!] : []));
  // The graph has nothing of what is within a scatter, say, whose neighbours the server knows.
  const inner = p.graph !== undefined && i >= p.graph.ids.length;
  const own = useQuery({ queryKey: ["task", p.run.id, id], queryFn: ({ signal }) => api.task(p.run.id, id, { signal }), enabled: inner });
  const places = (of: readonly { id: string }[] | undefined) => (of ?? []).map((k) => t.ids.indexOf(k.id)).filter((k) => k >= 0);
  const up = inner ? places(own.data?.up) : p.graph ? near(p.graph.to, p.graph.from) : [];
  const down = inner ? places(own.data?.down) : p.graph ? near(p.graph.from, p.graph.to) : [];
  return (
    <section aria-label={`Task ${id}`} className="flex max-h-full flex-col gap-2.5 overflow-y-auto p-3">
      <div className="flex items-start gap-2">
        <h2 className="min-w-0 flex-1 text-base font-semibold break-all">
          <Link to={taskURL(p.run.id, id)} className="underline-offset-4 hover:underline">
            {id}
          </Link>
        </h2>
        <IconButton icon="close" label="Let go of this task" onClick={() => p.onSelect(-1)} className="-mt-1 -mr-1" />
      </div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <TaskState state={state} />
        {t.attempt[i]! > 0 && <span className="text-soft">attempt {t.attempt[i]}</span>}
        <span className="text-soft">{took(t, i, now)}</span>
      </div>
      {reason && (
        <p className={`wrap-anywhere ${"fob".includes(state) ? "text-bad" : ""}`}>
          {!isFinal(state) && wait?.gate ? <b className="font-semibold">{gateWord(wait.gate)}: </b> : null}
          {reason}
          {wait && wait.until > 0 && !isFinal(state) ? ` (${ago(wait.until, now)})` : ""}
        </p>
      )}
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-0.5 text-[0.93em]">
        <dt className="text-soft">Operator</dt>
        <dd className="break-all">{t.kinds[t.kind[i]!]}</dd>
        {t.started[i]! > 0 && (
          <>
            <dt className="text-soft">Started</dt>
            <dd>
              <Moment at={t.started[i]!} />
            </dd>
          </>
        )}
        {t.ended[i]! > 0 && (
          <>
            <dt className="text-soft">Ended</dt>
            <dd>
              <Moment at={t.ended[i]!} />
            </dd>
          </>
        )}
      </dl>
      <Near title="Before it" of={up} {...p} />
      <Near title="After it" of={down} {...p} />
      <div className="flex flex-wrap gap-2 pt-1">
        <Link to={taskURL(p.run.id, id)} className={buttonClass("primary")}>
          Open
        </Link>
        {p.canAct && <TaskMenu task={id} state={state} onAsk={p.onAsk} />}
      </div>
    </section>
  );
}

/** TaskMenu is what can be done with one task. */
export function TaskMenu({ task, state, onAsk }: { task: string; state: string; onAsk(a: Ask): void }) {
  return (
    <>
      {state !== "w" && (
        <Button icon="again" onClick={() => onAsk({ what: "clear", tasks: [task] })}>
          Clear…
        </Button>
      )}
      <Menu trigger={<Button icon="down">Mark as</Button>}>
        {(["success", "failed", "skipped"] as const).map((as) => (
          <MenuItem key={as} onSelect={() => onAsk({ what: "mark", task, as })}>
            {{ success: "succeeded", failed: "failed", skipped: "skipped" }[as]}…
          </MenuItem>
        ))}
      </Menu>
    </>
  );
}

function Near({ title, of, tasks, onSelect }: Props & { title: string; of: number[] }) {
  if (of.length === 0) return null;
  const shown = of.slice(0, 30);
  return (
    <div>
      <h3 className="text-[0.86em] font-medium text-soft">{title}</h3>
      <ul className="mt-0.5 flex flex-wrap gap-1">
        {shown.map((i) => (
          <li key={i}>
            <button type="button" onClick={() => onSelect(i)} className="inline-flex min-h-6 max-w-64 items-center gap-1 rounded border border-edge px-1.5 text-[0.93em] hover:bg-hover">
              <StateChip look={look(tasks.states[i]!)} label={look(tasks.states[i]!).word} className="size-3.5" />
              <span className="truncate">{tasks.ids[i]}</span>
            </button>
          </li>
        ))}
        {of.length > shown.length && <li className="text-soft">and {of.length - shown.length} more</li>}
      </ul>
    </div>
  );
}

/** gateWord names what holds a task, in a word or two. */
export function gateWord(gate: string): string {
  const words: Record<string, string> = {
    upstream: "Upstream", slot: "Slot", driver: "Machine", retry: "Retry", poke: "Next look", stop: "Ending", paused: "Paused", limit: "Limit", tasks: "Tasks", schedule: "Schedule",
  };
  return words[gate] ?? gate;
}
