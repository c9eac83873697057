import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bashTask, layers, orders, rollup } from "./definitions.mjs";
import { accessible, everyLook, launch, open, phone, quiet, Server, shot, until } from "./harness.mjs";

let server, browser, id, first, latest, failed;
before(async () => {
  browser = await launch();
  server = await Server.start();
  id = await server.create("orders_daily", orders());
  first = (await server.api(`workflows/${id}`)).latest;
  for (let i = 0; i < 8; i++) {
    const run = await server.run(id, { pace: 0.01 * (i % 4), ...(i === 4 ? { fails: "check.orders" } : {}) });
    await server.ended(run);
    if (i === 4) failed = run;
  }
  const source = orders(bashTask("archive", ["publish"])).replace("17 3 * * *", "30 2 * * *");
  latest = (await server.api(`workflows/${id}/update`, { source, base: first })).version;
  await server.ended(await server.run(id));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const at = (tab = "") => `/workflows/${id}${tab && `/${tab}`}`;
const grid = (page) => page.getByRole("grid");
const cell = 24;
/** place is where a cell is in the grid's box; row -1 is the run. */
const place = async (page, row, column) => {
  const box = await page.locator("[role=grid] canvas").first().boundingBox();
  const outer = await grid(page).boundingBox();
  return { position: { x: box.x - outer.x + column * cell + cell / 2, y: row < 0 ? 76 : 88 + row * cell + cell / 2 } };
};
const aside = (page) => page.getByRole("complementary");

test("the grid, in every look", () => everyLook(browser, server, at(), "grid", (p) => grid(p).waitFor()));
test("the grid with a task picked, in every look", () =>
  everyLook(browser, server, `${at()}?run=${failed}&task=check.orders`, "grid-picked", (p) => p.getByRole("link", { name: "Open the task and its log" }).waitFor()));
test("what the grid shows is on its way before the code that shows it", async () => {
  const page = await open(browser, server, { path: "/healthz" });
  const asked = [];
  page.on("request", (r) => asked.push(new URL(r.url()).pathname));
  await page.goto(at());
  await grid(page).waitFor();
  const timing = await page.evaluate(() => {
    const by = Object.fromEntries(performance.getEntriesByType("resource").map((r) => [r.name.replace(/^.*\//, "").replace(/\?.*|-[\w-]{8}\.js$/, ""), r]));
    return { grid: by.grid.startTime, kind: by.grid.initiatorType, base: by.base.responseEnd };
  });
  assert.equal(timing.kind, "link", "the page's head asks for the grid");
  assert.ok(timing.grid < timing.base, `the grid was asked for at ${timing.grid} ms, and the code was there at ${timing.base}`);
  assert.equal(asked.filter((p) => p.endsWith("/api/session")).length, 0, "the session is written into the page");
  await page.waitForTimeout(6000); // by then Chromium complains of what was fetched ahead for nothing
  quiet(page);
  await page.context().close();
});

test("a menu opens by pointer and by keys, the first time as the second", async () => {
  const page = await open(browser, server, { path: at() });
  await grid(page).waitFor();
  const more = page.getByRole("button", { name: "More", exact: true });
  const on = () => page.evaluate(() => document.activeElement?.textContent);
  for (const press of ["Enter", "ArrowDown", "Enter"]) {
    await more.focus();
    await page.keyboard.press(press);
    await page.getByRole("menuitem", { name: "Copy the ARN" }).waitFor();
    await until("the first item has the focus", async () => (await on()) === "Copy the ARN");
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await until("the button has it again", () => more.evaluate((b) => b === document.activeElement));
  }
  const account = page.getByRole("button", { name: "Account and theme" });
  await account.click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  quiet(page);
  await page.context().close();
});

test("runs, in every look", () => everyLook(browser, server, at("runs"), "runs", (p) => p.getByRole("link", { name: failed }).waitFor()));
test("durations, in every look", () => everyLook(browser, server, at("durations"), "durations", (p) => p.getByText("Median").waitFor()));
test("the schedule, in every look", () => everyLook(browser, server, at("schedule"), "schedule", (p) => p.getByRole("button", { name: /9 runs/ }).waitFor()));
test("versions, in every look", () => everyLook(browser, server, at("versions"), "versions", (p) => p.getByText("equal lines").first().waitFor()));
test("details, in every look", () => everyLook(browser, server, at("details"), "details", (p) => p.getByText("Log group").waitFor()));

test("a click picks a cell, which is in the address, and keys move on", async () => {
  const page = await open(browser, server, { path: at() });
  await grid(page).waitFor();
  await aside(page).getByText("Latest run").waitFor();
  await grid(page).click(await place(page, 5, 4));
  await aside(page).getByRole("heading", { name: "check.orders" }).waitFor();
  await aside(page).getByText("failed", { exact: true }).waitFor();
  await aside(page).getByText("FAILED", { exact: true }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("run"), failed);
  await page.reload();
  await aside(page).getByRole("heading", { name: "check.orders" }).waitFor();

  const said = () => page.getByRole("gridcell").getAttribute("aria-label");
  await grid(page).focus();
  assert.match(await said(), /^check\.orders: failed, run failed/);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.match(await said(), /^join: upstream failed/);
  await page.keyboard.press("ArrowRight");
  assert.match(await said(), /^join: succeeded, run succeeded/);
  await page.keyboard.press("Control+Home");
  assert.match(await said(), /^begin: succeeded/);
  await page.keyboard.press("End");
  await page.keyboard.press("PageDown");
  assert.match(await said(), /^mail: succeeded/);
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("ArrowUp");
  await page.getByRole("columnheader", { name: /^Run succeeded/ }).waitFor();
  await aside(page).getByRole("heading", { name: /^Run / }).waitFor();
  await page.keyboard.press("Escape");
  await aside(page).getByText("Latest run").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/runs/*/tasks/*");
  quiet(page);
  await page.context().close();
});

test("a run at the top is picked and opened", async () => {
  const page = await open(browser, server, { path: at() });
  await grid(page).waitFor();
  await grid(page).click(await place(page, -1, 4));
  await aside(page).getByText("1 failed").waitFor();
  await aside(page).getByRole("link", { name: "Open the run" }).click();
  await page.waitForURL(`**/runs/${failed}`);
  await page.context().close();
});

test("on a phone the picked cell comes up from below, and can be put away", async () => {
  const page = await open(browser, server, { path: at(), size: phone, hasTouch: true });
  await grid(page).waitFor();
  await grid(page).tap({ position: { x: 300, y: 200 } });
  await aside(page).getByRole("link", { name: "Open the task and its log" }).waitFor();
  await accessible(page);
  await aside(page).getByRole("button", { name: "Close the details" }).tap();
  await aside(page).waitFor({ state: "detached" });
  quiet(page);
  await page.context().close();
});

test("filters leave the tasks that are asked for", async () => {
  const page = await open(browser, server, { path: at() });
  await grid(page).waitFor();
  const names = () => page.getByRole("rowheader").allTextContents();
  await page.keyboard.press("f");
  await page.keyboard.type("CHECK");
  await until("the filter works", async () => (await names()).length === 2);
  assert.deepEqual(await names(), ["check.orders", "check.customers"]);
  await page.getByLabel("Failures only").check();
  await until("the filter works", async () => (await names()).length === 1);
  await page.getByRole("searchbox").fill("no such");
  await page.getByText("No task is left").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Show all" }).click();
  await until("all are back", async () => (await names()).length === 14);
  quiet(page);
  await page.context().close();
});

test("a run shows as it goes, without asking", async () => {
  const page = await open(browser, server, { path: at() });
  await page.getByText("Live", { exact: true }).waitFor();
  const columns = async () => Number(await grid(page).getAttribute("aria-colcount"));
  await until("the grid is there", async () => (await columns().catch(() => 0)) > 1);
  const had = await columns();
  const run = await server.run(id, { pace: 0.3 });
  await until("the run shows", async () => (await columns()) === had + 1);
  await aside(page).getByText("running").first().waitFor();
  await server.ended(run);
  await aside(page).getByText("14 succeeded").waitFor();
  quiet(page);
  await page.context().close();
});

test("older runs come when they are asked for", async () => {
  const many = await server.create("rollup", rollup("rollup", "0 0 1 1 *"));
  for (let i = 0; i < 60; i++) await server.run(many);
  const page = await open(browser, server, { path: `/workflows/${many}` });
  await page.getByText("3 tasks · 50 runs").waitFor();
  await page.getByRole("button", { name: "Older runs" }).click();
  await page.getByText("3 tasks · 60 runs").waitFor();
  await page.getByRole("button", { name: "Older runs" }).waitFor({ state: "detached" });
  quiet(page);
  await page.context().close();
});

test("a grid of a thousand tasks draws what is in view", async () => {
  const big = await server.create("layers", layers("layers", 1000));
  await server.ended(await server.run(big));
  const page = await open(browser, server, { path: `/workflows/${big}` });
  await grid(page).waitFor();
  assert.ok((await page.getByRole("rowheader").count()) < 100);
  assert.ok((await page.locator("canvas").count()) < 12);
  await grid(page).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+End");
  assert.match(await page.getByRole("gridcell").getAttribute("aria-label"), /^step_0999: succeeded/);
  await page.getByRole("rowheader", { name: "step_0999" }).first().waitFor();
  await shot(page, "grid-end");
  quiet(page);
  await page.context().close();
});

test("keys go from view to view", async () => {
  const page = await open(browser, server, { path: at() });
  await grid(page).waitFor();
  for (const [key, tab] of [["2", "Runs"], ["3", "Durations"], ["4", "Schedule"], ["5", "Versions"], ["6", "Details"], ["1", "Grid"]]) {
    await page.keyboard.press(key);
    await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: tab }).and(page.locator("[aria-current=page]")).waitFor();
  }
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "Resume" }).waitFor();
  await page.getByText(/^paused by/).waitFor();
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.keyboard.press("s");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.keyboard.press("e");
  await page.waitForURL("**/edit");
  await page.context().close();
});

test("runs of one version", async () => {
  const page = await open(browser, server, { path: at("runs") });
  await page.getByRole("link", { name: failed }).waitFor();
  await page.getByLabel("Version").selectOption(latest);
  await page.getByRole("link", { name: failed }).waitFor({ state: "detached" });
  assert.match(page.url(), new RegExp(`version=${latest}`));
  await page.getByLabel("Version").selectOption("");
  await page.getByRole("link", { name: failed }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/runs/*");
  quiet(page);
  await page.context().close();
});

test("the chart of durations is read by keys", async () => {
  const page = await open(browser, server, { path: at("durations") });
  const chart = page.getByRole("listbox");
  await chart.focus();
  await page.keyboard.press("Home");
  assert.match(await page.getByRole("option").textContent(), /^succeeded, .*ran/);
  for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
  assert.match(await page.getByRole("option").textContent(), /^failed/);
  await accessible(page);
  await page.getByLabel("Logarithmic").check();
  await page.getByLabel("Queue").uncheck();
  quiet(page);
  await chart.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/runs/${failed}`);
  await page.context().close();
});

test("a day of the calendar says what ran, and a backfill asks first", async () => {
  const page = await open(browser, server, { path: at("schedule") });
  await page.getByRole("button", { name: /today: \d+ runs, failed/ }).click();
  await page.getByText("1 failed").or(page.getByRole("listitem").filter({ hasText: "failed" })).first().waitFor();
  await page.getByRole("button", { name: "Later months" }).click();
  await page.getByRole("button", { name: /1 slot to come/ }).first().click();
  await page.getByText(/1 slot to come: \d\d:\d\d/).waitFor();
  await page.getByRole("button", { name: "Backfill" }).click();
  const dialog = page.getByRole("dialog");
  const days = [dialog.getByLabel("First day"), dialog.getByLabel("Last day")];
  const [first, last] = await Promise.all(days.map((d) => d.inputValue()));
  await days[0].fill(last);
  await days[1].fill(first);
  await dialog.getByText("It is before the first day.").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Show the slots" }).isDisabled());
  await days[0].fill("1900-01-01");
  await dialog.getByText("Days begin with 1970-01-02.").waitFor();
  await days[0].fill(first);
  await days[1].fill(last);
  await dialog.getByRole("button", { name: "Show the slots" }).click();
  await dialog.getByText(/\d slots? without a run/).waitFor();
  await shot(page, "backfill");
  await accessible(page);
  const had = (await server.api(`workflows/${id}/runs`)).rows.length;
  await dialog.getByRole("button", { name: /^Start \d runs?$/ }).click();
  await page.getByText(/begun\./).waitFor();
  await until("the runs are there", async () => (await server.api(`workflows/${id}/runs`)).rows.length > had);
  quiet(page);
  await page.context().close();
});

test("versions are compared, and one is deleted", async () => {
  const page = await open(browser, server, { path: at("versions") });
  const diff = page.getByRole("region", { name: "Differences" });
  await diff.waitFor();
  const text = await diff.innerText();
  assert.match(text, /−[^+]*schedule: "17 3 \* \* \*"/);
  assert.match(text, /\+[^+]*schedule: "30 2 \* \* \*"/);
  assert.deepEqual(await diff.locator("mark").allTextContents(), ["17", "3", "30", "2"], "the words that changed");
  await diff.getByRole("button", { name: /equal lines/ }).first().click();
  await diff.getByText("max_active_runs").waitFor();
  await page.getByLabel("against").selectOption({ label: "nothing" });
  await page.getByRole("region", { name: "Definition" }).waitFor();
  await page.getByRole("button", { name: /^Version 1/ }).click();
  await page.getByRole("heading", { name: "Version 1" }).waitFor();
  assert.match(page.url(), new RegExp(`to=${first}`));

  const extra = (await server.api(`workflows/${id}/update`, { source: orders(), base: latest })).version;
  await page.getByRole("button", { name: "More for version 3" }).click(); // which has come by itself
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByRole("dialog").getByText("It is the latest").waitFor();
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^Version 3/ }).waitFor({ state: "detached" });
  await assert.rejects(server.api(`workflows/${id}/versions/${extra}`), { code: "notFound" });
  quiet(page);
  await page.context().close();
});
