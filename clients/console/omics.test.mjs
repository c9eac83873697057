import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { accessible, everyLook, fits, launch, open, phone, quiet, Server, shot, until } from "./harness.mjs";

const document = `version 1.1
workflow hello {
  input { Array[String] names }
  scatter (name in names) { call greet { input: name = name } }
  output { Array[String] said = greet.said }
}
task greet {
  input { String name }
  command <<< echo "greeting ~{name}" >&2; echo "hello ~{name}" >>>
  output { String said = read_string(stdout()) }
  runtime { cpu: 1 memory: "1 GiB" }
}
`;

/** zip is an archive of one file, as it is. */
function zip(name, text) {
  const data = Buffer.from(text);
  const [file, entry, end] = [Buffer.alloc(30), Buffer.alloc(46), Buffer.alloc(22)];
  file.writeUInt32LE(0x04034b50, 0);
  file.writeUInt16LE(10, 4);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(10, 4);
  entry.writeUInt16LE(10, 6);
  for (const [b, at] of [[file, 14], [entry, 16]]) {
    b.writeUInt32LE(crc32(data), at);
    b.writeUInt32LE(data.length, at + 4);
    b.writeUInt32LE(data.length, at + 8);
    b.writeUInt16LE(name.length, at + 12);
  }
  const offset = file.length + name.length + data.length;
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length + name.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([file, Buffer.from(name), data, entry, Buffer.from(name), end]);
}

/** ask sends a signed request to HealthOmics. */
async function ask(server, method, path, body) {
  const text = body === undefined ? "" : JSON.stringify(body);
  const hash = (s) => createHash("sha256").update(s).digest("hex");
  const hmac = (key, s) => createHmac("sha256", key).update(s).digest();
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const host = new URL(server.url).host;
  const scope = [time.slice(0, 8), "us-east-1", "omics", "aws4_request"];
  const signed = hash(`${method}\n${path}\n\nhost:${host}\nx-amz-date:${time}\n\nhost;x-amz-date\n${hash(text)}`);
  const key = scope.reduce(hmac, `AWS4${server.key.secretKey}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope.join("/")}\n${signed}`).toString("hex");
  const r = await fetch(server.url + path, {
    method,
    headers: {
      "X-Amz-Date": time, "Content-Type": "application/json",
      Authorization: `AWS4-HMAC-SHA256 Credential=${server.key.accessKey}/${scope.join("/")}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    },
    ...(body === undefined ? {} : { body: text }),
  });
  assert.ok(r.ok, `${method} ${path}: ${r.status} ${await r.clone().text()}`);
  return r.status === 204 || r.status === 202 ? {} : r.json();
}

let server, browser, workflow;
const start = async (name, names) => (await ask(server, "POST", "/run", {
  workflowId: workflow, roleArn: "arn:aws:iam::111122223333:role/omics", name, requestId: name,
  outputUri: `file://${join(server.dir, "out")}`, parameters: { names },
})).id;
before(async () => {
  browser = await launch();
  server = await Server.start("--local-files");
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a server without runs says how to begin", () =>
  everyLook(browser, server, "/omics", "omics-first", (p) => p.getByText("No run of HealthOmics yet").waitFor()));

test("the list, and a run that comes meanwhile", async () => {
  workflow = (await ask(server, "POST", "/workflow", { name: "hello", engine: "WDL", requestId: "hello", definitionZip: zip("main.wdl", document).toString("base64") })).id;
  await until("the workflow is ready", async () => (await ask(server, "GET", `/workflow/${workflow}`)).status === "ACTIVE");
  await server.ended(await start("first", ["ada", "bob", "cyd"]));
  const there = (p) => p.getByRole("row", { name: /first.*hello.*COMPLETED/ }).waitFor();
  await everyLook(browser, server, "/omics", "omics", there);
  const page = await open(browser, server);
  await page.getByRole("link", { name: "HealthOmics" }).click();
  await there(page);
  await start("second", ["dan"]);
  await page.getByRole("row", { name: /second.*hello.*COMPLETED/ }).waitFor();
  await page.getByLabel("Status").selectOption("FAILED");
  await page.getByText("No run is FAILED").waitFor();
  await accessible(page);
  quiet(page);
  await page.context().close();
});

test("a run: its scatter as one node, its calls in the list, a call with its log and outputs", async () => {
  const run = (await server.api("omics/runs")).rows.find((r) => r.name === "first").id;
  await everyLook(browser, server, `/runs/${run}`, "omics-run", (p) => p.getByRole("option", { name: /\/2\/greet\W+succeeded/ }).waitFor());
  await everyLook(browser, server, `/runs/${run}/timeline`, "omics-timeline", (p) => p.getByRole("option", { name: /\/2\/greet/ }).waitFor());
  const page = await open(browser, server, { path: "/omics" });
  await page.getByRole("link", { name: "first" }).click();
  await page.getByRole("application", { name: /Graph of 2 tasks/ }).waitFor();
  await page.getByRole("tab", { name: "Table" }).click();
  await page.getByRole("link", { name: /\/1\/greet$/ }).click();
  await page.getByText("greeting bob").waitFor();
  await page.getByRole("tab", { name: "Outputs" }).click();
  await page.getByText("hello bob").waitFor();
  await accessible(page);
  quiet(page);
  await page.context().close();
});

test("a call within a scatter says what is around it, and what it asked for", async () => {
  const run = (await server.api("omics/runs")).rows.find((r) => r.name === "first").id;
  const call = (await server.api(`runs/${run}/tasks`)).ids.find((id) => id.endsWith("/1/greet"));
  const page = await open(browser, server, { path: `/runs/${run}/tasks/${encodeURIComponent(call)}` });
  await page.getByRole("heading", { name: "Before it" }).waitFor();
  await page.getByText("1 CPU, 1.0 GiB").or(page.getByText("1 CPU, 1 GiB")).first().waitFor();
  await page.getByRole("tab", { name: "Outputs" }).click();
  await page.getByText("hello bob").waitFor();
  assert.equal(await page.getByRole("region", { name: "usage" }).count(), 0, "what the engine keeps is no output");
  await page.goto(`/runs/${run}?task=${encodeURIComponent(call)}`);
  await page.getByRole("heading", { name: "Before it" }).waitFor();
  await accessible(page);
  quiet(page);
  await page.context().close();
});

test("a run is started again with other parameters, and other acts are refused", async () => {
  const run = (await server.api("omics/runs")).rows.find((r) => r.name === "first").id;
  await assert.rejects(server.api(`runs/${run}/retry`, {}), /COMPLETED/, "what has succeeded is not retried");
  for (const [act, body] of [["clear", { failed: true }], ["mark", { task: "x", state: "failed" }], ["rerun", { latest: true }]]) {
    await assert.rejects(server.api(`runs/${run}/${act}`, body), /HealthOmics/, act);
  }
  const page = await open(browser, server, { path: `/runs/${run}` });
  await page.getByRole("button", { name: "Run again…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("again");
  const params = dialog.getByLabel("Parameters, as JSON");
  await params.fill("{");
  assert.ok(await dialog.getByRole("button", { name: "Start a new run" }).isDisabled());
  await params.fill('{"nam": []}');
  await dialog.getByRole("button", { name: "Start a new run" }).click();
  await dialog.getByRole("alert").getByText(/parameters/).waitFor();
  await params.fill('{"names": ["eve", "fay"]}');
  await accessible(page);
  await shot(page, "omics-again");
  await dialog.getByRole("button", { name: "Start a new run" }).click();
  await page.getByRole("heading", { name: "again" }).waitFor();
  await page.getByRole("option", { name: /\/1\/greet\W+succeeded/ }).waitFor();
  quiet(page, /status of 400/);
  await page.context().close();
});

test("an open page says that its run was deleted, and the list lets go of it", async () => {
  const run = await start("doomed", ["gus"]);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}` });
  const list = await open(browser, server, { path: "/omics" });
  await list.getByRole("row", { name: /doomed/ }).waitFor();
  await page.getByRole("heading", { name: "doomed" }).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await ask(server, "DELETE", `/run/${run}`);
  await page.getByText("This run was deleted").waitFor();
  await list.getByRole("row", { name: /doomed/ }).waitFor({ state: "detached" });
  await accessible(page);
  // What a page had asked for when the run went is not there any more.
  const late = new RegExp(`status of 404 .*/runs/${run}`);
  quiet(page, late);
  quiet(list, late);
  await page.context().close();
  await list.context().close();
});

test("on a phone the menu leads to it", async () => {
  const page = await open(browser, server, { size: phone });
  await page.getByRole("button", { name: "Account and theme" }).click();
  await shot(page, "omics-menu-phone");
  await page.getByRole("menuitem", { name: "HealthOmics" }).click();
  await page.getByRole("heading", { name: "HealthOmics" }).waitFor();
  await fits(page);
  quiet(page);
  await page.context().close();
});

test("workflows, and one with its README and parameters", async () => {
  await ask(server, "POST", "/workflow", {
    name: "described", description: "Greets people.", engine: "WDL", requestId: "described", definitionZip: zip("main.wdl", document).toString("base64"),
    readmeMarkdown: "# Greeter\n\nSays hello.", parameterTemplate: { names: { description: "whom to greet" } },
  });
  await until("it is ready", async () => (await server.api("omics/workflows")).rows.every((w) => w.status === "ACTIVE"));
  await everyLook(browser, server, "/omics/workflows", "omics-workflows", (p) => p.getByRole("row", { name: /described.*ACTIVE/ }).waitFor());
  const { id } = (await server.api("omics/workflows")).rows.find((w) => w.name === "described");
  await everyLook(browser, server, `/omics/workflows/${id}`, "omics-workflow", (p) => p.getByText("Says hello.").waitFor());
  const page = await open(browser, server, { path: "/omics" });
  await page.getByRole("link", { name: "Workflows", exact: true }).last().click();
  await page.getByRole("link", { name: "described" }).click();
  await page.getByText("whom to greet").waitFor();
  quiet(page);
  await page.goto("/omics/workflows/99");
  await page.getByText("There is no such thing").waitFor();
  await page.context().close();
});
