import { infiniteQueryOptions, queryOptions, type InfiniteData, type QueryClient } from "@tanstack/react-query";
import { grid, workflow, type RunRow, type Workflow, type WorkflowList, type WorkflowRow } from "../api";

// Names of what was read, and how changes are put into it. Every page that
// shows a thing reads it under the same name, so that one change shows on all.

/** What queries are kept under. */
export const keys = {
  workflows: (q: string) => ["workflows", q] as const,
  omicsRuns: (status: string) => ["omics", "runs", status] as const,
  workflow: (id: string) => ["workflow", id] as const,
  grid: (id: string) => ["workflow", id, "grid"] as const,
  runs: (id: string, version: string) => ["workflow", id, "runs", version] as const,
  versions: (id: string) => ["workflow", id, "versions"] as const,
  version: (id: string, version: string) => ["version", id, version] as const,
  calendar: (id: string, from: string, to: string) => ["workflow", id, "calendar", from, to] as const,
  durations: (id: string) => ["workflow", id, "durations"] as const,
};

/** What is read ahead of its page is not read again by it. */
const ahead = 2000;

/** workflowQuery reads a workflow. */
export function workflowQuery(id: string) {
  return queryOptions({ queryKey: keys.workflow(id), queryFn: ({ signal }) => workflow(id, { signal }), staleTime: ahead });
}

/** gridQuery reads a workflow's grid, 50 runs a page. */
export function gridQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: keys.grid(id),
    queryFn: ({ pageParam, signal }) => grid(id, { after: pageParam, limit: 50 }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
    staleTime: ahead,
  });
}

/** newer puts runs that changed into a list of them, newest first; a run that is shown at a higher rev stays. */
export function newer<R extends RunRow>(shown: readonly R[], changed: readonly R[], most = Number.POSITIVE_INFINITY): R[] {
  const all = new Map(shown.map((r) => [r.id, r]));
  for (const r of changed) {
    const known = all.get(r.id);
    if (!known || r.rev > known.rev) all.set(r.id, r);
  }
  return [...all.values()].sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1)).slice(0, most);
}

/** putWorkflows puts rows of workflows, and takes out those that are gone, wherever they are shown. */
export function putWorkflows(client: QueryClient, rows: readonly WorkflowRow[], gone: readonly string[] = [], pausedAll?: WorkflowList["pausedAll"]) {
  for (const [key, data] of client.getQueriesData<InfiniteData<WorkflowList>>({ queryKey: ["workflows"] })) {
    if (!data) continue;
    const fresh = new Map(rows.map((r) => [r.id, r]));
    const pages = data.pages.map((page) => ({
      ...page,
      ...(pausedAll === undefined ? {} : { pausedAll }),
      rows: page.rows.filter((r) => !gone.includes(r.id)).map((r) => {
        const now = fresh.get(r.id);
        fresh.delete(r.id);
        return now ?? r;
      }),
    }));
    const first = pages[0];
    const q = String(key[1] ?? "").toLowerCase();
    if (first) {
      const newest = first.rows[0]?.created ?? 0;
      first.rows = [...[...fresh.values()].filter((r) => r.created >= newest && (r.name + r.id).toLowerCase().includes(q)).sort((a, b) => b.created - a.created), ...first.rows];
    }
    client.setQueryData<InfiniteData<WorkflowList>>(key, { ...data, pages });
  }
  for (const row of rows) client.setQueryData<Workflow>(keys.workflow(row.id), (w) => w && { ...w, ...row });
}
