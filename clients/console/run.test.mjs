// The page of a run, against a real server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, everyLook, fits, launch, open, phone, quiet, Server, shot, until } from "./harness.mjs";
import { sales, waits } from "./runDefinitions.mjs";

let server, browser, workflow, failed;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  workflow = await server.create("sales", sales);
  failed = await server.run(workflow);
  await server.ended(failed);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const graphDrawn = (page) => page.waitForFunction(() => performance.getEntriesByName("graph:whole").length > 0);
const stateOf = async (run, task) => {
  const t = await server.api(`runs/${run}/tasks`);
  return t.states[t.ids.indexOf(task)];
};
/** picture is what the graph shows, as text that changes with it. */
const picture = (page) => page.evaluate(() => document.querySelector("[data-testid=graph] canvas").toDataURL());

test("each view in each look", async () => {
  await everyLook(browser, server, `/runs/${failed}?task=clean.items`, "run-graph", async (page) => {
    await page.getByRole("application", { name: /Graph of 10 tasks/ }).waitFor();
    await graphDrawn(page);
    await page.getByRole("option", { name: /clean\.items\W+failed/ }).waitFor();
  });
  await everyLook(browser, server, `/runs/${failed}/timeline?task=clean.items`, "run-timeline", async (page) => {
    await page.getByRole("option", { name: /clean\.items\W+failed.*retrying/ }).waitFor();
  });
  await everyLook(browser, server, `/runs/${failed}/table`, "run-table", async (page) => {
    await page.getByRole("row", { name: /clean.items/ }).waitFor();
  });
});

test("the graph is walked by keys, and a link leads to what is selected", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}` });
  await graphDrawn(page);
  const graph = page.getByRole("application");
  await graph.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/task=begin/);
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/task=extract\./);
  await page.getByRole("status").filter({ hasText: /extract\..*1 before, 1 after/ }).waitFor({ state: "attached" });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowLeft");
  await page.waitForURL(/task=begin/);
  await page.keyboard.press("Escape");
  await page.waitForURL((u) => !u.search.includes("task="));
  await page.goto(`/runs/${failed}?task=join`);
  await page.getByRole("region", { name: "Task join" }).getByText("upstream failed").first().waitFor();
  await graph.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/tasks\/join/);
  await page.goBack();
  await page.getByRole("region", { name: "Task join" }).waitFor();
  quiet(page);
  await page.context().close();
});

test("the graph pans, scales and fits", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}` });
  await graphDrawn(page);
  const first = await picture(page);
  const box = await page.getByRole("application").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y + 100);
  await page.mouse.down();
  await page.mouse.move(x + 90, y + 130, { steps: 4 });
  await page.mouse.up();
  const panned = await until("panning shows", async () => ((await picture(page)) !== first ? picture(page) : null));
  await page.mouse.wheel(0, -240);
  await until("the wheel scales", async () => (await picture(page)) !== panned);
  await page.getByRole("button", { name: "Show everything" }).click();
  await until("everything is shown again", async () => (await picture(page)) === first);
  await page.getByRole("button", { name: "Larger" }).click();
  await until("the button scales", async () => (await picture(page)) !== first);
  await page.context().close();
});

test("groups close and open", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}` });
  await graphDrawn(page);
  const first = await picture(page);
  await page.getByRole("button", { name: "Groups" }).click();
  await page.getByRole("menuitem", { name: "Close all" }).click();
  await page.waitForURL(/closed=/);
  await until("the closed groups are drawn", async () => (await picture(page)) !== first);
  await shot(page, "run-graph-closed");
  await page.reload();
  await graphDrawn(page);
  await page.getByRole("button", { name: "Groups" }).click();
  await page.getByRole("menuitem", { name: "Open all" }).click();
  await until("the graph is as before", async () => (await picture(page)) === first);
  await page.context().close();
});

test("the list and the table are filtered and sorted, and the address keeps it", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}` });
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("f");
  await page.keyboard.type("extract");
  await page.waitForURL(/q=extract/);
  assert.equal(await page.getByRole("option").count(), 3);
  await page.getByRole("option", { name: /extract.items/ }).click();
  await page.waitForURL(/task=extract.items/);
  await page.getByRole("tab", { name: "Table" }).click();
  await page.waitForURL(/\/table\?/);
  const names = () => page.locator("[data-row] a").allTextContents();
  assert.deepEqual(await names(), ["extract.orders", "extract.items", "extract.prices"]);
  await page.getByRole("button", { name: "Task", exact: true }).click();
  assert.deepEqual(await names(), ["extract.items", "extract.orders", "extract.prices"]);
  await page.getByRole("button", { name: "Task", exact: true }).click();
  assert.deepEqual(await names(), ["extract.prices", "extract.orders", "extract.items"]);
  await page.getByRole("searchbox").fill("");
  await page.getByRole("button", { name: /upstream failed/ }).click();
  await page.waitForURL(/state=b/);
  assert.deepEqual((await names()).sort(), ["archive", "join", "publish"]);
  await page.reload();
  await page.getByRole("row", { name: /join/ }).waitFor();
  assert.equal(await page.getByRole("button", { name: /upstream failed/ }).getAttribute("aria-pressed"), "true");
  quiet(page);
  await page.context().close();
});

test("the table is walked by keys", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/table` });
  await page.locator('[data-row="0"] a').focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.activeElement.textContent === "extract.items");
  await page.keyboard.press("End");
  await page.waitForFunction(() => document.activeElement.textContent === "archive");
  await page.keyboard.press("x");
  await page.getByText("1 chosen").waitFor();
  await page.context().close();
});

test("the timeline is walked and scaled by keys", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/timeline` });
  const line = page.getByRole("listbox", { name: "Timeline of tasks" });
  await line.focus();
  await page.keyboard.press("Home");
  await page.waitForURL(/task=begin/);
  const width = () => line.evaluate((el) => el.scrollWidth);
  const before = await width();
  await page.keyboard.press("+");
  await until("the scale grows", async () => (await width()) > before * 1.2);
  await page.keyboard.press("0");
  await until("it fits again", async () => (await width()) === before);
  await page.keyboard.press("Enter");
  await page.waitForURL(/tasks\/begin/);
  await page.context().close();
});

test("what waits shows its gate, changes arrive, and a stop says what it does", async () => {
  const id = await server.create("waits", waits);
  const run = await server.run(id);
  const page = await open(browser, server, { path: `/runs/${run}/table` });
  await page.getByRole("row", { name: /wait_for_export.*resting/ }).waitFor({ timeout: 120_000 });
  await page.getByRole("row", { name: /wait_for_export.*Next look/ }).waitFor();
  await page.getByRole("row", { name: /load.*Upstream:.*long/ }).waitFor();
  await page.goto(`/runs/${run}?task=load`);
  await page.getByRole("region", { name: "Task load" }).getByText(/Upstream:/).waitFor();
  await shot(page, "run-waiting");
  await accessible(page);
  await page.getByRole("button", { name: "Stop…" }).click();
  const dialog = page.getByRole("dialog", { name: "Stop this run?" });
  await dialog.getByText(/1 attempt under way is ended/).waitFor();
  await dialog.getByText(/2 tasks that wait will not run/).waitFor();
  await accessible(page);
  await shot(page, "run-stop");
  await dialog.getByRole("button", { name: "Leave it" }).click();
  assert.equal((await server.api(`runs/${run}`)).state, "r");
  await page.keyboard.press("Shift+S");
  await page.getByRole("dialog").getByRole("button", { name: "Stop the run" }).click();
  await page.getByRole("heading", { level: 1 }).getByText("stopped").waitFor({ timeout: 120_000 });
  quiet(page);
  await page.context().close();
});

test("a failed run is retried", async () => {
  const run = await server.run(workflow);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}` });
  await page.getByRole("button", { name: "Retry from failed…" }).click();
  const dialog = page.getByRole("dialog");
  for (const name of ["clean.items", "join", "publish", "report", "archive"]) await dialog.getByText(name, { exact: true }).waitFor();
  await dialog.getByText("1 task that had succeeded is among them.").waitFor();
  await dialog.getByRole("button", { name: "Retry 5 tasks" }).click();
  await until("the task has been tried again", async () => (await server.api(`runs/${run}/tasks/clean.items`)).attempt > 2);
  await server.ended(run);
  await page.getByRole("heading", { level: 1 }).getByText("failed").waitFor();
  await page.context().close();
});

test("a task is cleared, with what comes after it or alone", async () => {
  const run = await server.run(workflow);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}?task=extract.orders` });
  const card = page.getByRole("region", { name: "Task extract.orders" });
  await card.getByRole("button", { name: "Clear…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Clear 6 tasks" }).waitFor();
  await accessible(page);
  await dialog.getByRole("checkbox", { name: /comes after/ }).uncheck();
  await dialog.getByRole("button", { name: "Clear 1 task" }).click();
  await until("it is done again", async () => (await server.api(`runs/${run}/tasks/extract.orders`)).attempt === 2 && (await stateOf(run, "extract.orders")) === "s");
  assert.equal((await server.api(`runs/${run}/tasks/clean.orders`)).attempt, 1);
  await server.ended(run);
  await page.getByRole("tab", { name: "Table" }).click();
  for (const id of ["extract.items", "extract.prices"]) await page.getByRole("checkbox", { name: `Choose ${id}` }).check();
  await page.getByRole("button", { name: "Clear…" }).click();
  await page.getByRole("dialog", { name: "Clear 2 tasks?" }).getByRole("button", { name: /^Clear \d/ }).click();
  await until("both are done again", async () => {
    const [a, b] = await Promise.all(["extract.items", "extract.prices"].map((t) => server.api(`runs/${run}/tasks/${t}`)));
    return a.attempt === 2 && b.attempt === 2;
  });
  await page.context().close();
});

test("a task is marked", async () => {
  const run = await server.run(workflow);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}?task=publish` });
  const mark = async (task, as, state) => {
    await page.getByRole("option", { name: new RegExp(`^${task.replace(".", "\\.")}\\W`) }).click();
    await page.getByRole("region", { name: `Task ${task}` }).getByRole("button", { name: "Mark as" }).click();
    await page.getByRole("menuitem", { name: `${as}…` }).click();
    const dialog = page.getByRole("dialog", { name: `Mark as ${as}?` });
    await dialog.getByText(`Task ${task}, now`).waitFor();
    await dialog.getByRole("button", { name: `Mark as ${as}` }).click();
    await until(`${task} is ${as}`, async () => (await stateOf(run, task)) === state);
    await page.getByRole("option", { name: new RegExp(`^${task.replace(".", "\\.")}\\W+${as}`) }).waitFor();
  };
  await mark("join", "skipped", "k");
  await mark("extract.prices", "failed", "f");
  await mark("extract.prices", "succeeded", "s");
  quiet(page);
  await page.context().close();
});

test("the journal tells what has happened, and who asked for it", async () => {
  const run = await server.run(workflow);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}` });
  await page.getByRole("tab", { name: "Table" }).waitFor();
  await page.keyboard.press("4");
  await page.waitForURL(/\/journal/);
  await page.getByRole("row", { name: /clean\.items: attempt 1 failed and another follows/ }).waitFor();
  await page.getByRole("checkbox", { name: "Only what somebody asked for" }).check();
  await page.getByText("Nobody has changed this run").waitFor();
  // What somebody else does comes by itself.
  await server.api(`runs/${run}/mark`, { task: "clean.items", state: "success" });
  await page.getByRole("row", { name: new RegExp(`clean\\.items: is marked by hand.*${server.key.accessKey}`) }).waitFor();
  await page.getByRole("link", { name: "clean.items" }).first().click();
  await page.waitForURL(/tasks\/clean\.items/);
  quiet(page);
  await page.context().close();
  await everyLook(browser, server, `/runs/${run}/journal`, "run-journal", (p) => p.getByRole("row", { name: /is marked by hand/ }).waitFor());
});

test("the table says why at the width of a tablet", async () => {
  for (const width of [800, 1280]) {
    const page = await open(browser, server, { path: `/runs/${failed}/table`, size: { width, height: 800 } });
    await page.getByRole("row", { name: /clean\.items.*exit code 1/ }).getByText(/exit code 1/).waitFor();
    await fits(page);
    await shot(page, `run-table-${width}`);
    await page.context().close();
  }
});

test("the timeline has a mark for a task that had nothing to do", async () => {
  const id = await server.create("nothing", "nothing:\n  tasks:\n    gate:\n      operator: airflow.providers.standard.operators.empty.EmptyOperator\n");
  const run = await server.run(id);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}/timeline` });
  await page.getByRole("option", { name: /gate\W+succeeded/ }).locator("[title^=running]").waitFor();
  await page.context().close();
});

test("a run is run again with other params", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}` });
  await page.getByRole("button", { name: "Run again…" }).waitFor();
  await page.keyboard.press("Shift+R");
  const dialog = page.getByRole("dialog", { name: "Run again" });
  await dialog.getByLabel("fails").fill("no");
  await accessible(page);
  await dialog.getByRole("button", { name: "Start a new run" }).click();
  await page.waitForURL((u) => u.pathname.startsWith("/runs/") && !u.pathname.includes(failed));
  const run = new URL(page.url()).pathname.split("/")[2];
  assert.equal((await server.ended(run)).state, "s");
  assert.equal((await server.api(`runs/${run}`)).params.fails, "no");
  // Nothing was asked for: the page hears of it.
  await page.getByRole("heading", { level: 1 }).getByText("succeeded").waitFor();
  quiet(page);
  await page.context().close();
});

test("on a phone all is there", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}`, size: phone, hasTouch: true });
  await graphDrawn(page);
  await page.getByRole("option", { name: /clean.items/ }).tap();
  await page.getByRole("region", { name: "Task clean.items" }).getByRole("link", { name: "Open" }).waitFor();
  await fits(page);
  await page.context().close();
});

test("a console that only shows offers no action", async () => {
  const other = await Server.start();
  try {
    const id = await other.create("sales", sales);
    const run = await other.run(id);
    await other.ended(run);
    other.flags = ["--console-read-only"];
    await other.restart();
    for (const path of [`/runs/${run}?task=clean.items`, `/runs/${run}/table`, `/runs/${run}/tasks/clean.items`, `/workflows/${id}/edit`]) {
      const page = await open(browser, other, { path });
      await page.getByText("Read-only").first().waitFor();
      await page.getByText(/clean.items/).first().waitFor();
      for (const name of [/Stop/, /Retry/, /Run again/, /Clear/, /Mark as/, /Save/]) assert.equal(await page.getByRole("button", { name }).count(), 0, `${name} on ${path}`);
      assert.equal(await page.getByRole("checkbox").count(), 0, path);
      await accessible(page);
      quiet(page);
      await page.context().close();
    }
  } finally {
    await other.stop();
  }
});

test("a run that does not exist says so", async () => {
  const page = await open(browser, server, { path: "/runs/nothing-of-the-kind" });
  await page.getByText("There is no such thing").waitFor();
  await page.getByText("Offline").waitFor({ state: "detached" });
  await page.getByRole("alert").waitFor();
  await accessible(page);
  await page.context().close();
});
