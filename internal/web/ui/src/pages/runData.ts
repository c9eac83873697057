import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import * as api from "../api";
import { useLive } from "../app/live";

/** runKeys are where what is known of a run is kept among queries. */
export const runKeys = {
  run: (id: string) => ["run", id] as const,
  tasks: (id: string) => ["run", id, "tasks"] as const,
  graph: (id: string) => ["runGraph", id] as const,
  waits: (id: string) => ["run", id, "waits"] as const,
  journal: (id: string) => ["run", id, "journal"] as const,
  timeline: (id: string) => ["run", id, "timeline"] as const,
};

export const isFinal = (state: string): boolean => api.FINAL.includes(state);

/** A Span is a time that a task spent in one state. */
export interface Span {
  state: api.State;
  attempt: number;
  from: number;
  /** 0: it lasts. */
  to: number;
}

/** What tasks did when, by their index. */
export interface Spans {
  rev: number;
  byTask: Span[][];
  more: number;
}

/** useRun returns a run with its tasks, and keeps both as they are on the server. */
export function useRun(id: string) {
  const client = useQueryClient();
  const run = useQuery({ queryKey: runKeys.run(id), queryFn: ({ signal }) => api.run(id, { signal }) });
  const tasks = useQuery({ queryKey: runKeys.tasks(id), queryFn: ({ signal }) => api.tasks(id, { signal }) });
  const over = run.data ? isFinal(run.data.state) : false;
  const count = tasks.data?.ids.length ?? 0;

  // What follows from changes is asked for again at a pace that bears it.
  const late = useThrottle(Math.max(1000, count), () => {
    void client.invalidateQueries({ queryKey: runKeys.waits(id) });
    void client.invalidateQueries({ queryKey: runKeys.timeline(id) });
    void client.invalidateQueries({ queryKey: runKeys.journal(id) });
  });

  const [gone, setGone] = useState("");
  const grown = useThrottle(Math.max(300, count / 4), () => void client.invalidateQueries({ queryKey: runKeys.tasks(id) }));

  // What is not there has no changes, and asking for them would look like being offline.
  const missing = run.error instanceof api.ApiError && run.error.kind === "notFound";
  useLive<"run">(
    missing ? null : `run:${id}`,
    (e) => {
      if (e.gone) {
        setGone(id);
        return;
      }
      takeRun(client, e.run);
      const known = client.getQueryData<api.Tasks>(runKeys.tasks(id))?.ids.length ?? 0;
      // A task has unfolded: which ones follow is not in the event.
      if (known > 0 && e.task.some((i) => i >= known)) grown();
      client.setQueryData<api.Tasks>(runKeys.tasks(id), (was) => was && patch(was, e));
      late();
    },
    () => {
      void client.invalidateQueries({ queryKey: runKeys.run(id) });
    },
  );
  return { run, tasks, over, gone: gone === id };
}

/** takeRun shows a newer picture of a run. */
export function takeRun(client: ReturnType<typeof useQueryClient>, row: api.RunRow): void {
  client.setQueryData<api.Run>(runKeys.run(row.id), (was) => {
    if (!was || row.rev < was.rev) return was;
    // The gate of the run itself is in no event.
    if (was.state !== row.state || was.held !== row.held) void client.invalidateQueries({ queryKey: runKeys.run(row.id), exact: true });
    return { ...was, ...row, wait: isFinal(row.state) ? null : was.wait };
  });
}

/** patch returns the tasks with what an event says of some of them. */
export function patch(was: api.Tasks, e: api.RunEvent): api.Tasks {
  if (e.run.rev < was.run.rev) return was;
  if (e.task.length === 0) return { ...was, run: e.run };
  const states = [...was.states];
  const is: api.Tasks = {
    ...was, run: e.run, attempt: was.attempt.slice(), started: was.started.slice(), ended: was.ended.slice(), due: was.due.slice(), reasons: { ...was.reasons },
  };
  e.task.forEach((t, k) => {
    if (t >= was.ids.length) return;
    states[t] = e.states[k]!;
    is.attempt[t] = e.attempt[k]!;
    is.started[t] = e.started[k]!;
    is.ended[t] = e.ended[k]!;
    is.due[t] = e.due[k]!;
  });
  for (const [t, why] of Object.entries(e.reasons)) {
    if (Number(t) >= was.ids.length) continue;
    if (why === "") delete is.reasons[Number(t)];
    else is.reasons[Number(t)] = why;
  }
  is.states = states.join("");
  return is;
}

/** useGraph returns the layout of a run's graph, which never changes. */
export function useGraph(id: string, wanted = true) {
  return useQuery({ queryKey: runKeys.graph(id), queryFn: ({ signal }) => api.runGraph(id, { signal }), staleTime: Infinity, enabled: wanted });
}

/** useWaits returns the gate of each unfinished task, by its id. */
export function useWaits(id: string, wanted: boolean) {
  const q = useQuery({ queryKey: runKeys.waits(id), queryFn: ({ signal }) => api.waits(id, { limit: 2000 }, { signal }), enabled: wanted });
  return useMemo(() => new Map(wanted ? q.data?.tasks.map((w) => [w.task, w]) : []), [q.data, wanted]);
}

/** useSpans returns what the tasks did when; only what changed is read again. */
export function useSpans(id: string, tasks: number) {
  const client = useQueryClient();
  return useQuery({
    queryKey: runKeys.timeline(id),
    queryFn: async ({ signal }) => {
      const was = client.getQueryData<Spans>(runKeys.timeline(id));
      const t = await api.timeline(id, was ? { after: was.rev } : {}, { signal });
      return merge(was ?? { rev: 0, byTask: [], more: 0 }, t, tasks);
    },
    structuralSharing: false,
  });
}

function merge(was: Spans, t: api.Timeline, tasks: number): Spans {
  const byTask = was.byTask.slice();
  while (byTask.length < tasks) byTask.push([]);
  const seen = new Set<number>();
  t.task.forEach((i, k) => {
    while (byTask.length <= i) byTask.push([]);
    if (!seen.has(i)) byTask[i] = [];
    seen.add(i);
    byTask[i]!.push({ state: t.states[k] as api.State, attempt: t.attempt[k]!, from: t.from[k]!, to: t.to[k]! });
  });
  return { rev: t.rev, byTask, more: Math.max(was.more, t.more) };
}

/** useThrottle returns f, called at most once in so many milliseconds, at the latest after as many. */
export function useThrottle(pause: number, f: () => void): () => void {
  const latest = useRef(f);
  latest.current = f;
  const timer = useRef(0);
  const last = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    if (timer.current) return;
    timer.current = window.setTimeout(
      () => {
        timer.current = 0;
        last.current = performance.now();
        latest.current();
      },
      Math.max(0, last.current + pause - performance.now()),
    );
  }, [pause]);
}
