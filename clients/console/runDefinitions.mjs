// Definitions for the pages of a run, a task and the editor.

const bash = "airflow.providers.standard.operators.bash.BashOperator";
const s3 = "airflow.providers.amazon.aws";

/** task writes a Bash task. */
export const task = (id, command, after = [], more = "") => `    ${id}:
      operator: ${bash}
      bash_command: ${JSON.stringify(command)}
${after.length ? `      dependencies: [${after.join(", ")}]\n` : ""}${more}`;

/** sales fails at clean.items, after a second attempt, unless param fails says otherwise. */
export const sales = `sales:
  params:
    day: "2026-11-20"
    fails: "yes"
  tasks:
${task("begin", "echo begin of {{ params.day }}")}\
${task("extract.orders", "for i in $(seq 40); do echo order $i; done", ["begin"])}\
${task("extract.items", "echo items", ["begin"])}\
${task("extract.prices", "echo prices", ["begin"])}\
${task("clean.orders", "echo clean", ["extract.orders"])}\
${task("clean.items", "echo reading items; echo 'row 17: amount is empty' >&2; test '{{ params.fails }}' = no", ["extract.items"], "      retries: 1\n      retry_delay: 1\n")}\
${task("join", "echo join", ["clean.orders", "clean.items", "extract.prices"])}\
${task("publish", "echo publish", ["join"])}\
${task("report", "echo report", ["publish"], "      trigger_rule: all_done\n")}\
${task("archive", "echo archive", ["publish"])}`;

/** waits has a task that runs until it is stopped, one that waits for an object that never comes, and one behind both. */
export const waits = `waits:
  tasks:
    make_bucket:
      operator: ${s3}.operators.s3.S3CreateBucketOperator
      bucket_name: console-waits
${task("long", "for i in $(seq 600); do echo line $i; sleep 0.2; done")}\
    wait_for_export:
      operator: ${s3}.sensors.s3.S3KeySensor
      bucket_name: console-waits
      bucket_key: export.done
      mode: reschedule
      poke_interval: 30
      timeout: 3600
      dependencies: [make_bucket]
${task("load", "echo load", ["long", "wait_for_export"])}`;

/** values publishes a list, and text. */
export const values = `values:
  params:
    name: "many"
  tasks:
    make_bucket:
      operator: ${s3}.operators.s3.S3CreateBucketOperator
      bucket_name: console-values
${["one", "two", "three"].map((n, i) => `    put_${n}:
      operator: ${s3}.operators.s3.S3CreateObjectOperator
      s3_bucket: console-values
      s3_key: in/${n}.csv
      data: "${n}"
      dependencies: [${i ? ["put_one", "put_two"][i - 1] : "make_bucket"}]
`).join("")}\
    list:
      operator: ${s3}.operators.s3.S3ListOperator
      bucket: console-values
      prefix: in/
      dependencies: [put_three]
${task("say", "echo {{ ti.xcom_pull(task_ids='list') }} of {{ params.name }}", ["list"])}`;

/** shouts writes a log of n lines, as records; each 700th from the 350th on is an error. */
export const shouts = (n) => `shouts:
  tasks:
${task("shout", `awk 'BEGIN { for (i = 1; i <= ${n}; i++) if (i % 700 == 350) printf "{\\"event\\": \\"it broke at %d\\", \\"level\\": \\"error\\"}\\n", i; else printf "{\\"event\\": \\"line %d of a long log, with some words to make it as wide as such lines are\\", \\"level\\": \\"info\\"}\\n", i }' >&$FAIRLEAD_LOG_FD`, [], "      retries: 0\n")}`;

/** layered is a workflow of n tasks in ranks of width; each follows two of the rank before. */
export const layered = (n, width) => {
  // A definition may have 50 KiB: short names, and an alias for each rank.
  // The letters make no word that YAML takes for yes or no.
  const letters = "abcdfghijklmpqrtuvwxz";
  const id = (i) => letters[Math.floor(i / 441)] + letters[Math.floor(i / 21) % 21] + letters[i % 21];
  const of = (i) => {
    const r = Math.floor(i / width);
    if (i % width) return `*${r}`;
    const after = r === 0 ? "" : `,dependencies: [${id(i - width)},${id(i - (width >> 1))}]`;
    return `&${r} {operator: ${r === 0 ? "&o airflow.providers.standard.operators.empty.EmptyOperator" : "*o"}${after}}`;
  };
  return `layered:\n  max_active_tasks: 100\n  tasks: {${Array.from({ length: n }, (_, i) => `${id(i)}: ${of(i)}`).join(",")}}\n`;
};
