// Definitions that look like what people run, for tests and pictures.

const bash = "airflow.providers.standard.operators.bash.BashOperator";
const empty = "airflow.providers.standard.operators.empty.EmptyOperator";

/** orders is a daily workflow with params of many kinds; its runs succeed, take `pace` seconds a task, and fail when told to. */
export const orders = (change = "") => `# Loads yesterday's orders and mails the finance team.
orders_daily:
  description: Orders of the day before, checked, joined and published
  schedule: "17 3 * * *"
  timezone: Europe/Berlin
  max_active_runs: 2
  params:
    day: {type: string, format: date, default: "2026-11-20", title: Day, description: Which day's orders}
    region: {type: string, enum: [eu, us, apac], default: eu}
    limit: {type: integer, minimum: 1, maximum: 100000, default: 5000, description: At most as many orders}
    ratio: {type: number, default: 0.5}
    dry_run: {type: boolean, default: false}
    note: {type: [string, "null"], default: null}
    pace: {type: number, default: 0.05, description: Seconds that each task takes}
    fails: {type: string, default: "", description: A task that is to fail}
    labels: {type: array, items: {type: string}, default: [finance, daily]}
  default_args:
    retries: 0
    owner: finance
  tasks:
    begin:
      operator: ${empty}
${["extract.orders", "extract.customers", "extract.prices", "extract.stock"].map((t) => task(t, ["begin"])).join("")}\
${task("check.orders", ["extract.orders"])}\
${task("check.customers", ["extract.customers"])}\
${task("join", ["check.orders", "check.customers", "extract.prices"])}\
${task("enrich", ["join", "extract.stock"])}\
${task("aggregate.by_country", ["enrich"])}\
${task("aggregate.by_product", ["enrich"])}\
${task("publish", ["aggregate.by_country", "aggregate.by_product"])}\
${change}\
    mail:
      operator: ${bash}
      bash_command: "sleep {{ params.pace }}; echo 'to: finance@example.com'"
      dependencies: [publish]
`;

const task = (id, after) => `    ${id}:
      operator: ${bash}
      bash_command: "echo '${id} of {{ params.region }} for {{ params.day }}'; sleep {{ params.pace }}; test '{{ params.fails }}' != '${id}'"
      dependencies: [${after.join(", ")}]
`;

/** bashTask writes a Bash task that takes params.pace seconds. */
export const bashTask = task;

/** hello is the smallest that does something. */
export const hello = `hello:
  schedule: null
  params: {who: world}
  tasks:
    greet:
      operator: ${bash}
      bash_command: "echo hello {{ params.who }}"
    repeat:
      operator: ${bash}
      bash_command: "echo again"
      dependencies: [greet]
`;

/** slow runs until it is stopped. */
export const slow = `slow_import:
  schedule: "*/30 * * * *"
  tasks:
    fetch:
      operator: ${bash}
      bash_command: "for i in $(seq 600); do echo row $i; sleep 1; done"
    store:
      operator: ${empty}
      dependencies: [fetch]
`;

/** flaky fails on its last try. */
export const flaky = `vendor_feed:
  schedule: "@hourly"
  default_args: {retries: 1, retry_delay: 1}
  tasks:
    download:
      operator: ${bash}
      bash_command: "echo 503 from the vendor >&2; exit 7"
    parse:
      operator: ${empty}
      dependencies: [download]
    load:
      operator: ${empty}
      dependencies: [parse]
`;

/** rollup is another scheduled one that only takes a moment. */
export const rollup = (name, schedule) => `${name}:
  schedule: "${schedule}"
  tasks:
    read: {operator: ${empty}}
    sum: {operator: ${bash}, bash_command: "sleep 0.0$((RANDOM % 9)); echo $((RANDOM % 1000))", dependencies: [read]}
    write: {operator: ${empty}, dependencies: [sum]}
`;

/** layers is a workflow of n tasks without commands, in layers of a hundred; each follows the first of the layer before. */
export const layers = (name, n) => {
  const id = (i) => `step_${String(i).padStart(4, "0")}`;
  const of = (i) => (i % 100 ? `*l${Math.floor(i / 100)}` : `&l${i / 100} {operator: ${empty}${i ? `, dependencies: [${id(i - 100)}]` : ""}}`);
  // Aliases, since a definition may not be long.
  return `${name}:\n  schedule: null\n  tasks:\n${Array.from({ length: n }, (_, i) => `    ${id(i)}: ${of(i)}\n`).join("")}`;
};
