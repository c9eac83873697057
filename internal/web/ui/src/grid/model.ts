import type { Grid, GridRun, RunChange } from "../api";

/** A Column is a run: its states are one letter per row of the model. */
export interface Column {
  run: GridRun;
  /** The letter of a row: a state, or "-" where the run has no such task. */
  at: (row: number) => string;
}

/** A Model is what a grid shows: tasks down, runs across, the oldest first. */
export interface Model {
  tasks: string[];
  kinds: string[];
  columns: Column[];
}

/**
 * build puts pages of runs beside each other. The rows are those of the first
 * page, then those that only older runs have.
 */
export function build(pages: readonly Grid[]): Model {
  const tasks: string[] = [];
  const kinds: string[] = [];
  const rowOf = new Map<string, number>();
  const columns: Column[] = [];
  for (const page of pages) {
    let plain = true;
    const from = new Map<number, number>(); // row of the model -> row of the page
    page.tasks.forEach((id, i) => {
      let row = rowOf.get(id);
      if (row === undefined) {
        row = tasks.length;
        rowOf.set(id, row);
        tasks.push(id);
        kinds.push(page.kinds[page.kind[i] ?? -1] ?? "");
      }
      if (row !== i) plain = false;
      from.set(row, i);
    });
    for (const run of page.runs) {
      const states = run.states;
      columns.push({ run, at: plain ? (row) => states[row] ?? "-" : (row) => states[from.get(row) ?? -1] ?? "-" });
    }
  }
  return { tasks, kinds, columns: columns.reverse() };
}

/**
 * patch puts changes of runs into a page. It tells whether all of them were
 * of runs that the page has; others must be read.
 */
export function patch(page: Grid, changes: readonly RunChange[]): { page: Grid; missing: boolean } {
  let missing = false;
  const runs = [...page.runs];
  for (const c of changes) {
    const i = runs.findIndex((r) => r.id === c.id);
    const run = runs[i];
    if (!run) {
      missing ||= c.created >= (page.runs.at(-1)?.created ?? 0);
      continue;
    }
    if (c.rev <= run.rev) continue;
    const { cells, states, ...row } = c;
    const rows = page.graphs[run.graph];
    const letters = [...run.states];
    cells.forEach((cell, k) => {
      const at = rows ? rows[cell] : cell;
      if (at !== undefined && at < letters.length) letters[at] = states[k] ?? "-";
    });
    runs[i] = { ...row, graph: run.graph, states: letters.join("") };
  }
  return { page: { ...page, runs }, missing };
}
