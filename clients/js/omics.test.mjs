// HealthOmics through the SDK for JavaScript: the life of a workflow, a version,
// a group, a cache, runs and a batch, with the SDK's waiters and paginators.
// FAIRLEAD names the binary; `make clients` builds it.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import zlib from "node:zlib";

import * as sdk from "@aws-sdk/client-omics";

const binary = process.env.FAIRLEAD;
const role = "arn:aws:iam::111122223333:role/omics";
const quick = { maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
const dir = mkdtempSync(join(tmpdir(), "fairlead-js-"));
let server, omics;

before(async () => {
  const data = join(dir, "data");
  server = spawn(binary, ["serve", "--listen", "127.0.0.1:0", "--data", data], { stdio: ["ignore", "ignore", "inherit"] });
  for (let tries = 0; ; tries++) {
    try {
      assert.equal(JSON.parse(readFileSync(join(data, "server.json"))).pid, server.pid);
      break;
    } catch (err) {
      assert.ok(server.exitCode === null && tries < 600, `the server does not come up: ${err}`);
      await sleep(50);
    }
  }
  const env = {};
  for (const line of execFileSync(binary, ["env", "--data", data], { encoding: "utf8" }).split("\n")) {
    const m = /^export (\w+)='?([^']*)'?$/.exec(line);
    if (m) env[m[1]] = m[2];
  }
  const settings = {
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  };
  // Else the SDK puts workflows- before the host.
  omics = new sdk.OmicsClient({ ...settings, disableHostPrefix: true });
  const made = await signedBucket(settings, "js-outputs");
  assert.equal(made, 200);
});

after(async () => {
  omics?.destroy();
  if (server?.exitCode === null) {
    const gone = new Promise((done) => server.once("exit", done));
    server.kill();
    await gone;
  }
  rmSync(dir, { recursive: true, force: true });
});

// signedBucket makes a bucket by the one request that needs it: an SDK for S3
// would be three times the size of the one under test.
async function signedBucket(settings, name) {
  const { SignatureV4 } = await import("@smithy/signature-v4");
  const { Sha256 } = await import("@aws-crypto/sha256-js");
  const url = new URL(settings.endpoint);
  const signer = new SignatureV4({ service: "s3", region: settings.region, credentials: settings.credentials, sha256: Sha256, uriEscapePath: false });
  const signed = await signer.sign({
    method: "PUT", protocol: url.protocol, hostname: url.hostname, port: Number(url.port), path: `/${name}`, query: {},
    headers: { host: url.host },
  });
  return (await fetch(`${settings.endpoint}/${name}`, { method: "PUT", headers: signed.headers })).status;
}

// zip is an archive of one file, stored as it is.
function zip(name, text) {
  const [n, body] = [Buffer.from(name), Buffer.from(text)];
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt32LE(zlib.crc32(body), 10);
  common.writeUInt32LE(body.length, 14);
  common.writeUInt32LE(body.length, 18);
  common.writeUInt16LE(n.length, 22);
  const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, n, body]);
  const central = Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, Buffer.alloc(14), n]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\x05\x06"), end]);
}

const document = (seconds) => `version 1.0
task say {
  input { String who }
  command { sleep ${seconds}; echo hello ~{who} }
  output { String line = read_string(stdout()) }
}
workflow hello {
  input { String who }
  call say { input: who = who }
  output { String line = say.line }
}`;

const call = (name, input) => omics.send(new sdk[`${name}Command`](input));

async function fails(promise, name, status) {
  await assert.rejects(promise, (err) => {
    assert.deepEqual([err.name, err.$metadata.httpStatusCode], [name, status]);
    assert.ok(err instanceof sdk[name] && err.message, String(err));
    return true;
  });
}

async function define(seconds) {
  const { id } = await call("CreateWorkflow", { name: "js", definitionZip: zip("main.wdl", document(seconds)) });
  await sdk.waitUntilWorkflowActive({ client: omics, ...quick }, { id });
  return id;
}

const asked = { roleArn: role, outputUri: "s3://js-outputs/runs", parameters: { who: "you" } };

test("a workflow and its version", async () => {
  const id = await define(0);
  const got = await call("GetWorkflow", { id, export: ["DEFINITION"] });
  assert.equal(got.status, "ACTIVE");
  assert.deepEqual(got.parameterTemplate, { who: {} });
  assert.ok(got.creationTime instanceof Date && got.creationTime <= new Date(Date.now() + 1000));
  assert.deepEqual(Buffer.from(await (await fetch(got.definition)).arrayBuffer()), zip("main.wdl", document(0)));
  await call("UpdateWorkflow", { id, description: "née" });
  const version = { workflowId: id, versionName: "v.1" };
  await call("CreateWorkflowVersion", { ...version, definitionZip: zip("main.wdl", document(0)) });
  await sdk.waitUntilWorkflowVersionActive({ client: omics, ...quick }, version);
  await call("UpdateWorkflowVersion", { ...version, description: "the first" });
  assert.equal((await call("GetWorkflowVersion", version)).description, "the first");
  const names = [];
  for await (const page of sdk.paginateListWorkflowVersions({ client: omics, pageSize: 1 }, { workflowId: id })) {
    names.push(...page.items.map((v) => v.versionName));
  }
  assert.deepEqual(names, ["v.1"]);
  await fails(call("DeleteWorkflow", { id }), "ConflictException", 409);
  const { arn } = got;
  await call("TagResource", { resourceArn: arn, tags: { a: "1", "b c": "2" } });
  await call("UntagResource", { resourceArn: arn, tagKeys: ["a"] });
  assert.deepEqual((await call("ListTagsForResource", { resourceArn: arn })).tags, { "b c": "2" });
  await call("DeleteWorkflowVersion", version);
  await call("DeleteWorkflow", { id });
  await fails(call("GetWorkflow", { id }), "ResourceNotFoundException", 404);
});

test("a run in a group, with a cache", async () => {
  const workflowId = await define(3);
  const group = await call("CreateRunGroup", { name: "js", maxRuns: 1, maxDuration: 10 });
  await call("UpdateRunGroup", { id: group.id, maxCpus: 4 });
  const cache = await call("CreateRunCache", { name: "js", cacheS3Location: "s3://js-outputs/cache", cacheBehavior: "CACHE_ALWAYS" });
  const run = await call("StartRun", { ...asked, workflowId, name: "js", runGroupId: group.id, cacheId: cache.id, tags: { k: "v" } });
  await sdk.waitUntilRunRunning({ client: omics, ...quick }, { id: run.id });
  await fails(call("DeleteRunGroup", { id: group.id }), "ConflictException", 409);
  let tasks = [];
  while (tasks.length === 0) tasks = (await call("ListRunTasks", { id: run.id })).items;
  const task = { id: run.id, taskId: tasks[0].taskId };
  await sdk.waitUntilTaskRunning({ client: omics, ...quick }, task);
  await sdk.waitUntilTaskCompleted({ client: omics, ...quick }, task);
  await sdk.waitUntilRunCompleted({ client: omics, ...quick }, { id: run.id });
  const got = await call("GetRun", { id: run.id });
  assert.deepEqual([got.status, got.uuid, got.runGroupId, got.tags, got.parameters], ["COMPLETED", run.uuid, group.id, { k: "v" }, { who: "you" }]);
  assert.ok(got.creationTime <= got.startTime && got.startTime <= got.stopTime);
  const known = await call("GetRunTask", task);
  assert.deepEqual([known.status, known.name, known.cpus, known.memory, known.cacheHit], ["COMPLETED", "say", 1, 1, false]);

  const again = await call("StartRun", { runId: run.id, roleArn: role, outputUri: asked.outputUri });
  await sdk.waitUntilRunCompleted({ client: omics, ...quick }, { id: again.id });
  assert.equal((await call("ListRunTasks", { id: again.id })).items[0].cacheHit, true);

  const long = await call("StartRun", { ...asked, workflowId: await define(120) });
  await sdk.waitUntilRunRunning({ client: omics, ...quick }, { id: long.id });
  await call("CancelRun", { id: long.id });
  while ((await call("GetRun", { id: long.id })).status !== "CANCELLED") await sleep(100);
  const runs = new Set();
  for await (const page of sdk.paginateListRuns({ client: omics, pageSize: 1 }, {})) page.items.forEach((r) => runs.add(r.id));
  assert.ok([run.id, again.id, long.id].every((id) => runs.has(id)));
  for (const id of [run.id, again.id, long.id]) await call("DeleteRun", { id });
  await call("DeleteRunGroup", { id: group.id });
  await call("DeleteRunCache", { id: cache.id });
});

test("a batch", async () => {
  const workflowId = await define(0);
  const { id: batchId } = await call("StartRunBatch", {
    batchName: "js",
    defaultRunSetting: { ...asked, workflowId },
    batchRunSettings: { inlineSettings: [{ runSettingId: "a" }, { runSettingId: "b", parameters: { who: "b" } }, { runSettingId: "c", parameters: { nobody: 1 } }] },
  });
  let batch;
  do {
    batch = await call("GetBatch", { batchId });
    await sleep(100);
  } while (batch.status !== "PROCESSED");
  assert.deepEqual([batch.totalRuns, batch.runSummary.completedRunCount, batch.submissionSummary.failedStartSubmissionCount], [3, 2, 1]);
  const reasons = {};
  for await (const page of sdk.paginateListRunsInBatch({ client: omics, pageSize: 1 }, { batchId })) {
    for (const r of page.runs) reasons[r.runSettingId] = r.submissionFailureReason ?? r.submissionStatus;
  }
  assert.deepEqual(reasons, { a: "SUCCESS", b: "SUCCESS", c: "ValidationException" });
  await call("DeleteRunBatch", { batchId });
  while ((await call("GetBatch", { batchId })).status !== "RUNS_DELETED") await sleep(100);
  await call("DeleteBatch", { batchId });
  await fails(call("GetBatch", { batchId }), "ResourceNotFoundException", 404);
});

test("what is refused", async () => {
  await fails(call("StartRun", { ...asked, workflowId: "999" }), "ResourceNotFoundException", 404);
  await fails(call("StartRun", { ...asked, workflowId: "x" }), "ValidationException", 400);
  await fails(call("GetRun", { id: "1".repeat(19) }), "ValidationException", 400);
  await fails(call("ListRuns", { startingToken: "nonsense" }), "ValidationException", 400);
});
