import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Grid, RunChange, RunList } from "../../api";
import { keys, newer } from "../../app/cache";
import { patch } from "../../grid/model";

/** putRuns puts changes of a workflow's runs wherever they are shown. */
export function putRuns(client: QueryClient, workflow: string, changes: readonly RunChange[]) {
  if (!changes.length) return;
  let missing = false;
  client.setQueryData<InfiniteData<Grid>>(keys.grid(workflow), (data) => {
    if (!data) return data;
    const pages = data.pages.map((page, i) => {
      const p = patch(page, changes);
      if (i === 0) missing = p.missing;
      return p.page;
    });
    return { ...data, pages };
  });
  // A run that the grid has not may have tasks that it has not.
  if (missing) void client.invalidateQueries({ queryKey: keys.grid(workflow) }, { cancelRefetch: false });

  for (const [key, data] of client.getQueriesData<InfiniteData<RunList>>({ queryKey: ["workflow", workflow, "runs"] })) {
    if (!data) continue;
    const version = String(key[3] ?? "");
    const rows = changes.filter((c) => !version || c.version === version).map(({ cells: _, states: __, ...row }) => row);
    const [first, ...rest] = data.pages;
    if (!first) continue;
    const older = new Set(rest.flatMap((p) => p.rows.map((r) => r.id)));
    const pages = [
      { ...first, rows: newer(first.rows, rows.filter((r) => !older.has(r.id))) },
      ...rest.map((p) => ({ ...p, rows: newer(p.rows, rows.filter((r) => p.rows.some((s) => s.id === r.id))) })),
    ];
    client.setQueryData<InfiniteData<RunList>>(key, { ...data, pages });
  }
  const ended = changes.some((c) => c.ended > 0);
  if (ended) {
    void client.invalidateQueries({ queryKey: keys.durations(workflow) });
    void client.invalidateQueries({ queryKey: ["workflow", workflow, "calendar"] });
  }
}
