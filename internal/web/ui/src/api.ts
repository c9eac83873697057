// What the console's pages may ask of the server: every endpoint under
// /console/api/, its types, and one function for each. Nothing here knows
// about React.
//
// How it is served:
// - Pages live at the root ("/", "/workflows/...", "/runs/..."): the server
//   answers any address that a browser navigates to with index.html.
// - Files of the bundle live under /console/ (Vite's base is "/console/"), so
//   assets are /console/assets/NAME-HASH.js.
// - Nothing written into a page runs, and no style sheet within it counts, but
//   for style elements with the nonce that index.html is given: it stands
//   wherever index.html says FAIRLEAD-NONCE.
// - index.html is sent with what its page asks for first (../../ahead.go): links
//   to the page's code and answers, and the session as the element #session.
//
// Conventions:
// - Times are whole milliseconds since 1970 UTC; 0 means "none".
//   Durations are milliseconds, sizes are bytes.
// - A state is one letter (State); Session.words says how each service spells
//   it. A string of states has one letter per task, in the order of the graph.
// - Where a list can be long it is given in columns: arrays (or strings) of
//   equal length, one entry per row.
// - Lists go on with `after: page.next` until next is "".
// - Errors have a JSON body {error: {kind, message, field?, fields?}} and are
//   thrown as ApiError. Requests may be aborted by a signal.
// - Every request but session() and login() needs the session's cookie;
//   without it the answer is 401, kind "signedOut".

/** Milliseconds since 1970 UTC; 0 means "none". */
export type Millis = number;

/** Which service a workflow or run belongs to. */
export type Service = "mwaa" | "omics";

/**
 * A state of a task or run, as one letter:
 * w waiting (dependencies not met), q ready (waits for a slot; of a run:
 * queued), t starting, r running, d deferred (waits in the server for
 * something outside), u retrying (another attempt is due), z resting (a sensor
 * that is asked again), x stopping, s succeeded, f failed, o timed out,
 * b blocked (an upstream failed), k skipped, c canceled, g gone (not in the
 * graph any more). In strings of states "-" stands for "no such task here".
 */
export type State = "w" | "q" | "t" | "r" | "d" | "u" | "z" | "x" | "s" | "f" | "o" | "b" | "k" | "c" | "g";

/** The states after which nothing follows. */
export const FINAL = "sfobkcg";

/** What went wrong, for code to branch on. */
export type ErrorKind =
  | "invalid" // 400: the request is wrong; field or fields say where
  | "signedOut" // 401: no session, or it is over: show the login form
  | "denied" // 403: not allowed, such as a request made by another site's page
  | "readOnly" // 403: the console shows and changes nothing
  | "notFound" // 404
  | "conflict" // 409: not in this state, or somebody was faster
  | "quota" // 429: a limit on how many may exist
  | "throttled" // 429
  | "busy" // 503: the same request may work later
  | "internal" // 500: the server's log says more
  | "network"; // the server was not reached (made here, never by the server)

/** What is wrong with one part of a request, such as "params.day". */
export interface FieldError {
  field: string;
  message: string;
}

/** The error of any request. message is for people and says how to fix it. */
export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
    readonly status: number,
    readonly field: string = "",
    readonly fields: FieldError[] = [],
  ) {
    super(message);
    this.name = "ApiError";
  }
}

// ---------------------------------------------------------------- session

/** How a service spells a state. */
export interface Word {
  /** The API's own spelling, such as UP_FOR_RETRY. */
  word: string;
  /** A lower-case word or two for people, such as "up for retry". */
  plain: string;
}

export interface Session {
  /** Who is signed in: the access key; "" means that nobody is. */
  user: string;
  /** False where the server asks nobody to sign in (--anonymous). */
  login: boolean;
  /** Actions answer 403; do not offer them. */
  readOnly: boolean;
  /** When the session ends unless it is used; 0 without one. */
  expires: Millis;
  // The rest is empty until somebody is signed in.
  version: string;
  account: string;
  region: string;
  /** What points AWS clients in a shell at this server, such as eval "$(fairlead env)". */
  setup: string;
  /** A role that the form for new workflows may suggest. */
  role: string;
  /** The most bytes that a definition may have. */
  maxDefinition: number;
  /** Of tasks and of runs, by service, then by letter. */
  words: Record<Service, { task: Record<State, Word>; run: Record<State, Word> }>;
  /** Everything is paused; null: it is not. */
  pausedAll: Pause | null;
  /** The server's clock, to correct the browser's. */
  now: Millis;
}

/** GET session: never 401. */
export const session = (o?: Options) => get<Session>("session", {}, o);

/**
 * POST login: with the access key and secret that `fairlead env` prints, or
 * with the token of the link that serve, demo and `fairlead console` print
 * ("/#login=TOKEN", good once, for ten minutes: take it out of the address bar
 * before anything else). Wrong ones are 401 "signedOut".
 */
export const login = (body: { accessKey: string; secretKey: string } | { token: string }, o?: Options) =>
  post<Session>("login", body, o);

/** POST logout: ends the session. */
export const logout = (o?: Options) => post<Record<string, never>>("logout", {}, o);

// -------------------------------------------------------------- workflows

export interface Pause {
  by: string;
  since: Millis;
}

export interface Schedule {
  /** As written, such as "17 3 * * *". */
  expr: string;
  /** IANA name, such as Europe/Berlin. */
  zone: string;
  /** In English, such as "at 03:17 every day"; may be empty. */
  words: string;
  /** The next fire; 0: never, or while paused or being deleted. */
  next: Millis;
}

/** A run in a list. */
export interface RunRow {
  id: string;
  workflow: string;
  service: Service;
  version: string;
  /** The version's number; 0 when the version was deleted since. */
  n: number;
  kind: "ondemand" | "scheduled" | "backfill";
  state: State;
  /** Counts changes. Of two pictures of a run the one with the higher rev is newer. */
  rev: number;
  created: Millis;
  /** The slot of a scheduled run; else about created. */
  logical: Millis;
  started: Millis;
  ended: Millis;
  /** Why it failed or is being stopped; may be empty. */
  reason: string;
  /** Who asked for a rerun or backfill; may be empty. */
  by: string;
  /** Paused: what runs goes on, nothing begins. */
  held: boolean;
}

/** A workflow in the list. */
export interface WorkflowRow {
  id: string;
  name: string;
  service: Service;
  /** The number of the latest version. */
  n: number;
  created: Millis;
  modified: Millis;
  deleting: boolean;
  paused: Pause | null;
  /** Everything is paused; null: it is not. */
  pausedAll: Pause | null;
  schedule: Schedule | null;
  /** Runs that have not ended. */
  active: number;
  /** The latest runs, newest first; at most as many as were asked for. */
  runs: RunRow[];
}

export interface WorkflowList {
  rows: WorkflowRow[];
  next: string;
  pausedAll: Pause | null;
}

/**
 * GET workflows: newest first. q keeps those whose name or id has the text
 * (at most 200 characters, upper and lower case alike). limit 1..200 (50);
 * runs 0..30 (12).
 */
export const workflows = (q: { q?: string; after?: string; limit?: number; runs?: number } = {}, o?: Options) =>
  get<WorkflowList>("workflows", q, o);

export interface Workflow extends WorkflowRow {
  arn: string;
  description: string;
  role: string;
  tags: Record<string, string>;
  /** The id of the latest version. */
  latest: string;
  /** How many runs may be under way at once; the rest queue. */
  maxRuns: number;
  /** Where the definition was read from, such as s3://bucket/key. */
  location: string;
  /** Where the code package was read from; "" without one. */
  code: string;
  triggerMode: string;
  logGroup: string;
  /** The params that a run may be started with, in the order of the definition. */
  params: Param[];
}

/** One param of a workflow: what the form for a new run asks. */
export interface Param {
  name: string;
  /** The default, any JSON; undefined: a run must give a value. */
  default?: unknown;
  required: boolean;
  /** "string", "integer", "number", "boolean", "array", "object", "null", several joined by " or ", or "". */
  type: string;
  /** The JSON Schema of values: type, enum, title, description, minimum, ...; undefined: anything goes. */
  schema?: Record<string, unknown>;
}

/** GET workflows/{workflow}: by id. runs as in workflows(). */
export const workflow = (id: string, o?: Options) => get<Workflow>(`workflows/${e(id)}`, {}, o);

export interface RunList {
  rows: RunRow[];
  next: string;
}

/**
 * GET workflows/{workflow}/runs: newest first; of one version if version is
 * set. limit 1..500 (50). For charts of durations ask for many: started minus
 * created is the time in the queue, ended minus started the time at work.
 */
export const runs = (workflow: string, q: { version?: string; after?: string; limit?: number } = {}, o?: Options) =>
  get<RunList>(`workflows/${e(workflow)}/runs`, q, o);

/**
 * A grid of runs across and tasks down. Rows are the tasks of the latest
 * version in the order of its graph, then those that only older runs had.
 */
export interface Grid {
  /** Ids of the tasks, one a row. */
  tasks: string[];
  /** Names of operators, and for each row an index into them. */
  kinds: string[];
  kind: number[];
  /**
   * The graphs of the runs: graphs[i][j] is the row of the j-th task of a
   * run's graph; null when task j is in row j.
   */
  graphs: (number[] | null)[];
  /** Newest first. */
  runs: GridRun[];
  next: string;
}

export interface GridRun extends RunRow {
  /** Which of graphs. */
  graph: number;
  /** One letter per row of the grid: a State, or "-" where the run has no such task. */
  states: string;
}

/** GET workflows/{workflow}/grid: limit 1..100 runs (50). 50 runs of 1,000 tasks take about 80 KB. */
export const grid = (workflow: string, q: { after?: string; limit?: number } = {}, o?: Options) =>
  get<Grid>(`workflows/${e(workflow)}/grid`, q, o);

/** A day with runs in the past, slots to come, or both. Days without either are left out. */
export interface CalendarDay {
  /** Such as 2026-11-21, in the zone that was asked for. */
  day: string;
  /** How many runs were created on that day in each state. */
  runs: Partial<Record<State, number>>;
  /** How many slots of the schedule are to come. */
  slots: number;
  /** The first few of them. */
  at: Millis[];
}

export interface Calendar {
  days: CalendarDay[];
  /** Slots were counted up to here; 0: to the end of the range. Schedules may fire too often to count on. */
  counted: Millis;
}

/**
 * GET workflows/{workflow}/calendar: from and to are days (both included, at
 * most 400 days); offset is the zone's distance from UTC in minutes, as
 * -new Date().getTimezoneOffset().
 */
export const calendar = (workflow: string, q: { from: string; to: string; offset?: number }, o?: Options) =>
  get<Calendar>(`workflows/${e(workflow)}/calendar`, q, o);

export interface VersionRow {
  id: string;
  n: number;
  created: Millis;
  latest: boolean;
  schedule: Schedule | null;
  maxRuns: number;
}

export interface VersionList {
  rows: VersionRow[];
  next: string;
}

/** GET workflows/{workflow}/versions: newest first. limit 1..200 (50). */
export const versions = (workflow: string, q: { after?: string; limit?: number } = {}, o?: Options) =>
  get<VersionList>(`workflows/${e(workflow)}/versions`, q, o);

export interface Version extends VersionRow {
  workflow: string;
  /** The definition's text. For a diff fetch two versions. */
  source: string;
  location: string;
  code: string;
  codeAt: Millis;
  params: Param[];
  /** 1-based line of the definition at which each task begins, by task id. */
  lines: Record<string, number>;
}

/** GET workflows/{workflow}/versions/{version}: never changes. version may be "latest". */
export const version = (workflow: string, version: string, o?: Options) =>
  get<Version>(`workflows/${e(workflow)}/versions/${e(version)}`, {}, o);

/**
 * A graph, laid out from left to right. Sizes are in pixels of an unscaled
 * drawing; boxes have the height `height`. Columns by node, in the order of
 * the graph, so node i is task i of every run of the version.
 */
export interface Graph {
  width: number;
  /** Of the whole drawing. */
  depth: number;
  /** Of each box. */
  height: number;
  ids: string[];
  kinds: string[];
  kind: number[];
  /** Left and top of each box, and its width. */
  x: number[];
  y: number[];
  w: number[];
  /** The column (rank) of each node, from 0 at the left. */
  rank: number[];
  /** Trigger rule per node where it is not all_success. */
  rules: Record<number, string>;
  /** Edges: from[k] -> to[k] are indexes of nodes. */
  from: number[];
  to: number[];
  /**
   * Where edges that pass other columns go: via[k] is a flat list of x, y, x,
   * y, ... between the right edge of from[k] and the left edge of to[k]. Edges
   * without an entry go straight.
   */
  via: Record<number, number[]>;
  /** Groups of nodes that may be collapsed, outer before inner. */
  groups: Group[];
  /** How many of a run's tasks may be active at once; 0: any number. */
  maxActive: number;
}

export interface Group {
  /** Unique in the graph. */
  id: string;
  label: string;
  /** The id of the group around it; "" at the top. */
  parent: string;
  /** "prefix": ids begin alike up to a dot; "series": alike but for a number, side by side. */
  how: "prefix" | "series";
  /** Indexes of all nodes in it, inner groups' too. */
  members: number[];
}

/**
 * GET workflows/{workflow}/versions/{version}/graph: laid out once and kept;
 * has an ETag. At most 20,000 nodes and 100,000 edges, else 400.
 */
export const graph = (workflow: string, version: string, o?: Options) =>
  get<Graph>(`workflows/${e(workflow)}/versions/${e(version)}/graph`, {}, o);

/** GET runs/{run}/graph: that of the run's version, also when the version was deleted. */
export const runGraph = (run: string, o?: Options) => get<Graph>(`runs/${e(run)}/graph`, {}, o);

/** A run of HealthOmics, which belongs to none of workflows(). */
export interface OmicsRunRow {
  /** Its number; run() and what follows take it as any other. */
  id: string;
  /** May be empty. */
  name: string;
  /** The id of its workflow. */
  workflow: string;
  workflowName: string;
  /** In the words of the service, such as COMPLETED. */
  status: string;
  state: State;
  held: boolean;
  rev: number;
  created: Millis;
  started: Millis;
  ended: Millis;
  /** Why it failed; may be empty. */
  reason: string;
}

export interface OmicsRunList {
  rows: OmicsRunRow[];
  next: string;
}

/** GET omics/runs: newest first; with one status if it is set. limit 1..200 (50). */
export const omicsRuns = (q: { status?: string; after?: string; limit?: number } = {}, o?: Options) =>
  get<OmicsRunList>("omics/runs", q, o);

// ----------------------------------------------- actions on workflows
// token makes a request that is sent again take effect once: make one with
// newToken() per dialog, not per click.

/** POST workflows/{workflow}/start. Params that their schema refuses are 400 with fields "params.NAME". */
export const start = (
  workflow: string,
  body: { params?: Record<string, unknown>; version?: string; token?: string },
  o?: Options,
) => post<{ run: RunRow }>(`workflows/${e(workflow)}/start`, body, o);

/** POST workflows/{workflow}/pause: what runs goes on, nothing begins, slots of the schedule pass. */
export const pause = (workflow: string, o?: Options) => post<WorkflowRow>(`workflows/${e(workflow)}/pause`, {}, o);

/** POST workflows/{workflow}/resume. */
export const resume = (workflow: string, o?: Options) => post<WorkflowRow>(`workflows/${e(workflow)}/resume`, {}, o);

/** POST pause: everything. */
export const pauseAll = (o?: Options) => post<{ pausedAll: Pause | null }>("pause", {}, o);

/** POST resume: ends the pause of everything; workflows that are paused by themselves stay so. */
export const resumeAll = (o?: Options) => post<{ pausedAll: Pause | null }>("resume", {}, o);

/** POST workflows/{workflow}/backfill: a run for each slot from..to that has none; dry only lists them. At most 1,000. */
export const backfill = (workflow: string, body: { from: Millis; to: Millis; dry?: boolean }, o?: Options) =>
  post<{ slots: { at: Millis; run: string }[]; begun: number }>(`workflows/${e(workflow)}/backfill`, body, o);

/** POST workflows/{workflow}/delete: the workflow with all versions, runs and logs; it is `deleting` until all are gone. */
export const deleteWorkflow = (workflow: string, o?: Options) =>
  post<Record<string, never>>(`workflows/${e(workflow)}/delete`, {}, o);

/** POST workflows/{workflow}/versions/{version}/delete: 409 for the only one, or while a run needs it. */
export const deleteVersion = (workflow: string, version: string, o?: Options) =>
  post<Record<string, never>>(`workflows/${e(workflow)}/versions/${e(version)}/delete`, {}, o);

// ------------------------------------------------------------------- runs

export interface Run extends RunRow {
  arn: string;
  workflowName: string;
  /** What the run was started with; null: nothing. */
  params: Record<string, unknown> | null;
  /** The same as JSON over lines, with all digits of all numbers. */
  paramsText: string;
  /** The params of its version, for the form of a rerun. */
  form: Param[];
  /** What an unfinished run waits for. */
  wait: Wait | null;
  /** Ids of tasks that did not succeed although the run did (at most 20). */
  hidden: string[];
  /** Of a run of HealthOmics; null: it is none. */
  omics: OmicsFacts | null;
}

export interface OmicsFacts {
  /** Its name; "": it has none. */
  name: string;
  /** Where its outputs go, below a directory of its id. */
  outputUri: string;
  role: string;
}

/** GET runs/{run}. */
export const run = (id: string, o?: Options) => get<Run>(`runs/${e(id)}`, {}, o);

/**
 * All tasks of a run as they are, in columns, in the order of the graph. What
 * tasks have unfolded into, such as the calls within a scatter, comes after
 * them.
 */
export interface Tasks {
  run: RunRow;
  ids: string[];
  kinds: string[];
  kind: number[];
  /** One State per task. */
  states: string;
  /** The number of the current attempt; 0: none yet. */
  attempt: number[];
  /** Start and end of the current attempt. */
  started: Millis[];
  ended: Millis[];
  /** When a retrying or resting task goes on, or an attempt under way is ended. */
  due: Millis[];
  /** Why a task is in its state, by index; only where there is something to say. */
  reasons: Record<number, string>;
  /** Into how many instances a task has unfolded, by index; only of those that have. */
  unfolded: Record<number, number>;
  /** How many tasks were left out that others have unfolded into, beyond 20,000. */
  more: number;
}

/** GET runs/{run}/tasks: 5,000 tasks take about 250 KB before compression. */
export const tasks = (run: string, o?: Options) => get<Tasks>(`runs/${e(run)}/tasks`, {}, o);

/**
 * What tasks did when, from the journal: spans of time in one state. Columns by
 * span, ordered by task, then time.
 */
export interface Timeline {
  run: RunRow;
  /** Ask again with after: rev for what has changed since. */
  rev: number;
  /** Index of the task in the graph. */
  task: number[];
  /** One State per span: q queued for a slot, t starting, r running, d/z waiting outside, u between attempts, x being ended. */
  states: string;
  attempt: number[];
  from: Millis[];
  /** 0: it lasts. */
  to: Millis[];
  /** How many spans were left out beyond 100,000. */
  more: number;
}

/**
 * GET runs/{run}/timeline. With after, only tasks that changed after that rev
 * are in it, each with all of its spans: replace theirs.
 */
export const timeline = (run: string, q: { after?: number } = {}, o?: Options) =>
  get<Timeline>(`runs/${e(run)}/timeline`, q, o);

/** One thing that an entry of a journal did. */
export interface JournalLine {
  /** "": to the run. */
  task: string;
  /** What it is after that; "-": as before. */
  state: State | "-";
  text: string;
}

/** Something that has happened to a run. */
export interface JournalEntry {
  rev: number;
  at: Millis;
  /** Who asked for it; "": nobody did. */
  by: string;
  lines: JournalLine[];
  /** How many lines were left out beyond 20. */
  more: number;
}

export interface Journal {
  entries: JournalEntry[];
  next: string;
}

/** GET runs/{run}/journal: what has happened, the oldest first. asked: only what somebody asked for. limit 1..500 (100). */
export const journal = (run: string, q: { asked?: boolean; after?: string; limit?: number } = {}, o?: Options) =>
  get<Journal>(`runs/${e(run)}/journal`, { ...q, asked: q.asked ? "true" : "" }, o);

/** What something waits for. */
export interface Wait {
  /** "" while it is under way; else upstream, slot, driver, retry, poke, stop, paused, limit, tasks or schedule. */
  gate: string;
  /** A sentence with names and numbers. */
  text: string;
  /** When the gate opens by itself; 0: not known. */
  until: Millis;
  /** The tasks that are waited for (at most 20), and how many there are beside. */
  on: string[];
  more: number;
}

export interface Waits {
  run: Wait | null;
  tasks: ({ task: string; state: State; attempt: number } & Wait)[];
  /** How many unfinished tasks there are beside. */
  more: number;
}

/** GET runs/{run}/waits: the gate of every unfinished task. limit 1..10000 (1000); those that wait for other tasks come last. */
export const waits = (run: string, q: { limit?: number } = {}, o?: Options) =>
  get<Waits>(`runs/${e(run)}/waits`, q, o);

/** POST runs/{run}/stop. 409 when it has ended. */
export const stop = (run: string, o?: Options) => post<{ run: RunRow }>(`runs/${e(run)}/stop`, {}, o);

/** POST runs/{run}/retry: does again what failed, was blocked or canceled, and all that comes after. */
export const retry = (run: string, o?: Options) => post<{ run: RunRow }>(`runs/${e(run)}/retry`, {}, o);

/** POST runs/{run}/clear: does tasks again (at most 10,000); failed adds all that failed, downstream all that comes after them. */
export const clear = (
  run: string,
  body: { tasks?: string[]; failed?: boolean; downstream?: boolean },
  o?: Options,
) => post<{ run: RunRow }>(`runs/${e(run)}/clear`, body, o);

/** POST runs/{run}/mark: decides how a task has ended, whatever it did. */
export const mark = (run: string, body: { task: string; state: "success" | "failed" | "skipped" }, o?: Options) =>
  post<{ run: RunRow }>(`runs/${e(run)}/mark`, body, o);

/** POST runs/{run}/rerun: a new run like this one; params undefined: the same ones; latest takes the latest version. */
export const rerun = (
  run: string,
  body: { params?: Record<string, unknown>; latest?: boolean; token?: string },
  o?: Options,
) => post<{ run: RunRow }>(`runs/${e(run)}/rerun`, body, o);

export interface OmicsWorkflowRow {
  id: string;
  name: string;
  status: string;
  created: Millis;
}

export interface OmicsWorkflowList {
  rows: OmicsWorkflowRow[];
  next: string;
}

export interface OmicsParameter {
  description: string;
  optional: boolean;
}

export interface OmicsWorkflow extends OmicsWorkflowRow {
  description: string;
  /** Why it failed, or what is in it. */
  message: string;
  engine: string;
  main: string;
  /** Markdown; "": there is none. */
  readme: string;
  /** What runs are started with, by name. */
  template: Record<string, OmicsParameter>;
}

/** GET omics/workflows: newest first. */
export const omicsWorkflows = (q: { after?: string } = {}, o?: Options) => get<OmicsWorkflowList>("omics/workflows", q, o);

/** GET omics/workflows/{workflow}. */
export const omicsWorkflow = (id: string, o?: Options) => get<OmicsWorkflow>(`omics/workflows/${e(id)}`, {}, o);

/** POST runs/{run}/rerun of a run of HealthOmics; what is undefined is as it was. params is the JSON of an object. */
export const repeat = (run: string, body: { params?: string; name?: string; outputUri?: string; token: string }, o?: Options) => {
  const { params, ...rest } = body;
  const text = JSON.stringify(rest);
  return ask<{ run: RunRow }>(`runs/${e(run)}/rerun`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: params === undefined ? text : `${text.slice(0, -1)},"params":${params}}`,
    signal: o?.signal ?? null,
  });
};

// ------------------------------------------------------------------ tasks

/** How an attempt's process ended, as far as is known. */
export interface Exit {
  /** 128+n when signal n ended it; -1: not known. */
  code: number;
  /** Such as "killed"; "" unless a signal ended it. */
  signal: string;
  /** "", "stopped", "out of time", "out of memory", "out of disk" or "lost". */
  why: string;
  /** Processor time, and the most memory at once, of all its processes. 0: not known. */
  cpu: number;
  memory: number;
}

export interface Attempt {
  n: number;
  state: State;
  reason: string;
  started: Millis;
  ended: Millis;
  /** null: no process of its own (a sensor, an operator with nothing to do), or not ended. */
  exit: Exit | null;
  /** Bytes of its log; -1: there is none. */
  log: number;
  /** What an attempt of HealthOmics asked for; null: nothing, or not known yet. */
  asked: Asked | null;
}

/** What an attempt of HealthOmics asked for. */
export interface Asked {
  cpus: number;
  memory: number;
  gpus: number;
  /** The machine of HealthOmics that would have been taken. */
  instance: string;
  image: string;
  /** No command has run, since a cache had what it makes, at cacheUri. */
  cacheHit: boolean;
  cacheUri: string;
}

export interface Task {
  run: RunRow;
  workflowName: string;
  id: string;
  index: number;
  /** The operator's class, and its import path as written. */
  kind: string;
  operator: string;
  state: State;
  reason: string;
  /** The current attempt; 0: none yet. */
  attempt: number;
  /** All attempts, oldest first; a task that was never started has none. At most the latest 200. */
  attempts: Attempt[];
  /** How many attempts may be made before it fails for good (clearing begins anew). */
  mayTry: number;
  due: Millis;
  wait: Wait | null;
  rule: string;
  /** Of one attempt; 0: no bound. */
  timeout: number;
  retryDelay: number;
  /** How often a sensor has looked. */
  pokes: number;
  /** What the attempt keeps, such as the id of a job elsewhere; may be "". */
  mark: string;
  up: { id: string; state: State }[];
  down: { id: string; state: State }[];
  /** Where the task is in the definition. */
  definition: Excerpt | null;
}

/** A few lines of a definition around one that matters. */
export interface Excerpt {
  version: string;
  /** The number of the first line shown. */
  first: number;
  lines: string[];
  /** The line that matters: the task's, or the argument's that caused its error. */
  line: number;
  /** Where line is one of an argument: its name. */
  arg: string;
}

/** GET runs/{run}/tasks/{task}. */
export const task = (run: string, task: string, o?: Options) => get<Task>(`runs/${e(run)}/tasks/${e(task)}`, {}, o);

export interface Argument {
  name: string;
  /** As written in the definition, any JSON. */
  template: unknown;
  /** As rendered for the attempt; the same as template where nothing was to render. */
  value: unknown;
  /** Line of the definition; 0: not there. */
  line: number;
  /** It is a template field, and rendering changed it. */
  rendered: boolean;
}

export interface Arguments {
  args: Argument[];
  /** Why they could not be rendered, such as an XCom that is not there yet; "": they could. */
  error: string;
  /** The argument at fault; "": none, or not known. */
  arg: string;
}

/** GET runs/{run}/tasks/{task}/{attempt}/arguments: rendered now, with the XComs of now. Secrets are shown as ***. */
export const taskArguments = (run: string, task: string, attempt: number, o?: Options) =>
  get<Arguments>(`runs/${e(run)}/tasks/${e(task)}/${attempt}/arguments`, {}, o);

export interface XComs {
  values: { key: string; /** JSON, whose numbers may have more digits than a double */ text: string; bytes: number; /** text is its first part, as a JSON text */ cut: boolean }[];
  /** How many there are beside the first 200. */
  more: number;
}

/** GET runs/{run}/tasks/{task}/{attempt}/xcom. Values beyond 256 KiB are cut. Secrets are shown as ***. */
export const xcom = (run: string, task: string, attempt: number, o?: Options) =>
  get<XComs>(`runs/${e(run)}/tasks/${e(task)}/${attempt}/xcom`, {}, o);

// ------------------------------------------------------------------- logs
// Positions are bytes from the head of the log and mean nothing else. A line
// begins at `at` and the next at `next`, so a virtual list may spread `size`
// bytes over its height and fetch what comes into view.

/** debug, info, warning, error: "d", "i", "w", "e"; "" where a line says none. */
export type Level = "d" | "i" | "w" | "e" | "";

export interface LogLine {
  at: number;
  next: number;
  /** When; 0: not known. */
  t: Millis;
  level: Level;
  /** At most 8 KiB, without escape sequences. */
  text: string;
  /** The rest: exceptions with where they came from, other members as name=value. */
  more?: string;
  /** Bytes of the line that are not shown. */
  cut?: number;
}

export interface LogPage {
  lines: LogLine[];
  /** The stretch that was looked at: go on backward from head, forward from tail. */
  head: number;
  tail: number;
  /** Of the whole log now. */
  size: number;
  /** Nothing will be added. */
  ended: boolean;
}

/**
 * GET runs/{run}/tasks/{task}/{attempt}/log. from: a position, also one within
 * a line (the reading begins with that line); undefined: the end. back: read
 * toward the head (the default when from is undefined). limit 1..2000 (500)
 * lines, and at most 1 MB. level keeps lines of that level and worse: a page
 * may then be empty although tail (or head) has moved; go on from there until
 * it reaches size (or 0).
 */
export const log = (
  run: string,
  task: string,
  attempt: number,
  q: { from?: number; back?: boolean; limit?: number; level?: Level } = {},
  o?: Options,
) => get<LogPage>(`runs/${e(run)}/tasks/${e(task)}/${attempt}/log`, q, o);

export interface LogMatches {
  /** Positions at which matching lines begin, in order of the log. */
  at: number[];
  /** Go on from here; -1: the end (with back: the head) is reached. */
  next: number;
  size: number;
}

/**
 * GET runs/{run}/tasks/{task}/{attempt}/log/search: lines whose text has q (at
 * most 200 characters; upper and lower case alike) and whose level is at least
 * level; one of the two must be set. from and back as in log(); from is 0
 * unless set. limit 1..5000 (500). Answers within about 150 ms, perhaps with a
 * part: then ask again from next.
 */
export const searchLog = (
  run: string,
  task: string,
  attempt: number,
  q: { q?: string; level?: Level; from?: number; back?: boolean; limit?: number },
  o?: Options,
) => get<LogMatches>(`runs/${e(run)}/tasks/${e(task)}/${attempt}/log/search`, q, o);

/** The address of the whole log as a download: form "text" (readable lines) or "json" (as it was written). */
export const logDownload = (run: string, task: string, attempt: number, form: "text" | "json" = "text") =>
  `${BASE}runs/${e(run)}/tasks/${e(task)}/${attempt}/log/download?form=${form}`;

// ----------------------------------------------------------------- editor

export interface Diagnostic {
  severity: "error" | "warning" | "note";
  /** 1-based; 0: the whole text. Columns count characters. */
  line: number;
  column: number;
  /** The key at fault, such as etl.tasks.load.retries. */
  path: string;
  message: string;
  /** What to write instead; may be "". */
  fix: string;
  /** What AWS says of it; "" where that is not known. */
  public: string;
}

export interface Check {
  /** No errors: it would be accepted. */
  ok: boolean;
  diagnostics: Diagnostic[];
  /** The graph; null while there are errors. */
  graph: Graph | null;
  /** Lines of the tasks, by id. */
  lines: Record<string, number>;
  /** The name inside the text. */
  name: string;
  schedule: Schedule | null;
  params: Param[];
}

/** POST check: what would be said of a definition; code: it comes with a code package. Stores nothing. */
export const check = (body: { source: string; code?: boolean }, o?: Options) => post<Check>("check", body, o);

/**
 * POST workflows: creates a workflow of a text, which is stored in S3 as
 * s3://fairlead-definitions/NAME.yaml first. role may be left out. Faults of
 * the text are 400 with fields whose messages begin with LINE:COLUMN.
 */
export const createWorkflow = (
  body: {
    name: string;
    source: string;
    role?: string;
    description?: string;
    tags?: Record<string, string>;
    /** s3://bucket/key of a code package. */
    code?: string;
    token?: string;
  },
  o?: Options,
) => post<{ workflow: string; version: string; warnings: string[] }>("workflows", body, o);

/**
 * POST workflows/{workflow}/update: a new version of the text, which replaces
 * the object that the latest version was read from. base is the version that
 * was edited: 409 if it is not the latest any more.
 */
export const updateWorkflow = (workflow: string, body: { source: string; base: string }, o?: Options) =>
  post<{ workflow: string; version: string; warnings: string[] }>(`workflows/${e(workflow)}/update`, body, o);

// ------------------------------------------------------------------- live
// One stream of server-sent events per page. Browsers allow six connections
// to one server over all tabs: close the stream while the page is hidden
// (document.visibilityState) and open it again with lastEventId.

/**
 * A topic of events:
 * "workflows" | "omics" | "workflow:ID" | "run:ID" | "log:RUN/ATTEMPT/TASK".
 */
export type Topic = string;

export const topics = {
  workflows: "workflows",
  omics: "omics",
  workflow: (id: string) => `workflow:${id}`,
  run: (id: string) => `run:${id}`,
  log: (run: string, task: string, attempt: number) => `log:${run}/${attempt}/${task}`,
};

/**
 * The address of a stream for new EventSource(url): at most 8 topics. To go on
 * after closing a stream oneself, pass the lastEventId of its last event (an
 * EventSource that reconnects by itself sends it). Without it the stream
 * begins now: open it first, then read, so that nothing is missed.
 *
 * Each event is named by its topic's first word, "workflows", "omics",
 * "workflow", "run" or "log", and has JSON with the type below; at most about five a
 * second per topic. Beside those there are "hello" (the stream stands) and
 * "reset": something was missed, read everything again. An answer of 401 or 403
 * closes an EventSource for good: ask session() then.
 */
export const eventsURL = (topics: Topic[], lastEventId = "") =>
  `${BASE}events?${query({ topic: topics, last: lastEventId })}`;

/** Event "workflows": rows that changed, or are new; ids that are gone. */
export interface WorkflowsEvent {
  topic: Topic;
  rows: WorkflowRow[];
  gone: string[];
  pausedAll: Pause | null;
}

/** Event "omics": runs that changed, or are new. */
export interface OmicsEvent {
  topic: Topic;
  rows: OmicsRunRow[];
  /** There are more than are told: read the list again. */
  more: boolean;
}

/** Event "workflow". */
export interface WorkflowEvent {
  topic: Topic;
  /** The workflow as in the list. */
  row: WorkflowRow;
  /** Runs that changed or are new. Ignore those whose rev is not higher than the one shown. */
  runs: RunChange[];
  /** The workflow is gone. */
  gone: boolean;
}

export interface RunChange extends RunRow {
  /** Indexes in the run's graph (Grid.graphs leads to rows) and their new states, a letter each. */
  cells: number[];
  states: string;
}

/** Event "run": the run as it is now, and the tasks that changed, in columns. */
export interface RunEvent {
  topic: Topic;
  run: RunRow;
  /** Indexes as in Tasks; a task that has unfolded since is followed by others that those do not have. */
  task: number[];
  states: string;
  attempt: number[];
  started: Millis[];
  ended: Millis[];
  due: Millis[];
  /** By index in the graph; "" where there is nothing to say any more. */
  reasons: Record<number, string>;
  /** The run is gone. */
  gone: boolean;
}

/** Event "log": what was added. */
export interface LogEvent {
  topic: Topic;
  /** Lines from `from` on; empty when too much was added at once: read the log then. */
  lines: LogLine[];
  from: number;
  size: number;
  ended: boolean;
}

// ----------------------------------------------------------------- asking

/** Where the server's API is. */
export const BASE = "/console/api/";

export interface Options {
  signal?: AbortSignal;
}

/** A token that makes a request sent twice take effect once. */
export const newToken = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
};

type QueryValue = string | number | boolean | undefined | readonly string[];

const e = encodeURIComponent;

const query = (q: object): string => {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(q) as [string, QueryValue][]) {
    if (value === undefined || value === "" || value === false) continue;
    for (const one of Array.isArray(value) ? value : [value]) all.append(name, String(one));
  }
  return all.toString();
};

const get = <T>(path: string, q: object, o: Options = {}): Promise<T> => {
  const text = query(q);
  return ask<T>(text === "" ? path : `${path}?${text}`, { signal: o.signal ?? null });
};

const post = <T>(path: string, body: unknown, o: Options = {}): Promise<T> =>
  ask<T>(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: o.signal ?? null,
  });

const ask = async <T>(path: string, init: RequestInit): Promise<T> => {
  let answer: Response;
  try {
    answer = await fetch(BASE + path, { credentials: "same-origin", ...init });
  } catch (err) {
    if (err instanceof DOMException && err.name === "AbortError") throw err;
    throw new ApiError("network", "The server does not answer.", 0);
  }
  if (answer.ok) return (await answer.json()) as T;
  const body = (await answer.json().catch(() => null)) as {
    error?: { kind?: ErrorKind; message?: string; field?: string; fields?: FieldError[] };
  } | null;
  const err = body?.error;
  throw new ApiError(
    err?.kind ?? "internal",
    err?.message ?? `The server answered ${answer.status}.`,
    answer.status,
    err?.field,
    err?.fields,
  );
};
