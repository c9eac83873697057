import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { flaky, hello, orders, rollup, slow } from "./definitions.mjs";
import { accessible, everyLook, launch, open, quiet, Server, shot, until } from "./harness.mjs";

let server, browser, ids;
before(async () => {
  browser = await launch();
  server = await Server.start();
  ids = {};
  for (const [name, source, runs] of [
    ["hello", hello, 1], ["sessions_weekly", rollup("sessions_weekly", "0 6 * * 1"), 9], ["rollup_hourly", rollup("rollup_hourly", "0 * * * *"), 12],
    ["vendor_feed", flaky, 3], ["slow_import", slow, 1], ["orders_daily", orders(), 4],
  ]) {
    ids[name] = await server.create(name, source);
    for (let i = 0; i < runs; i++) {
      const run = await server.run(ids[name], name === "orders_daily" && i === 2 ? { fails: "join" } : undefined);
      if (name !== "slow_import") await server.ended(run);
    }
  }
  await server.api(`workflows/${ids.rollup_hourly}/pause`, {});
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const row = (page, name) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
const there = (page) => row(page, "hello").waitFor();

test("the list, in every look", () => everyLook(browser, server, "/", "workflows", there));

test("a new server says how to begin, in every look", async () => {
  const other = await Server.start();
  try {
    await everyLook(browser, other, "/", "first", (p) => p.getByText("No workflow yet").waitFor());
  } finally {
    await other.stop();
  }
});

test("a row says what there is to know", async () => {
  const page = await open(browser, server);
  await there(page);
  const says = async (name, ...texts) => {
    const text = (await row(page, name).innerText()).replaceAll(/\s+/g, " ");
    for (const t of texts) assert.ok(text.includes(t), `the row of ${name} has no ${JSON.stringify(t)}: ${text}`);
  };
  await says("hello", "on demand", "succeeded");
  await says("vendor_feed", "every hour", "failed", "in ");
  await says("slow_import", "1 active", "running");
  await says("rollup_hourly", "paused");
  await says("orders_daily", "at 03:17 every day (Europe/Berlin)");
  assert.deepEqual(await row(page, "orders_daily").getByRole("link", { name: /^Run/ }).evaluateAll((l) => l.map((a) => a.ariaLabel.split(",")[0])),
    ["Run succeeded", "Run succeeded", "Run failed", "Run succeeded"], "the runs, oldest first");
  await row(page, "orders_daily").getByRole("link", { name: /^Run failed/ }).click();
  await page.waitForURL("**/runs/*");
  await page.context().close();
});

test("a filter is in the address", async () => {
  const page = await open(browser, server);
  await there(page);
  await page.keyboard.press("f");
  await page.keyboard.type("ROLL");
  await row(page, "hello").waitFor({ state: "detached" });
  await row(page, "rollup_hourly").waitFor();
  await page.waitForURL(/\?q=ROLL$/);
  await page.reload();
  await row(page, "rollup_hourly").waitFor();
  assert.equal(await row(page, "hello").count(), 0);
  await page.getByRole("searchbox").fill("nothing like it");
  await page.getByText("No workflow has").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Show all" }).click();
  await there(page);
  quiet(page);
  await page.context().close();
});

test("pause and resume, one and all", async () => {
  const page = await open(browser, server);
  await there(page);
  const paused = () => server.api(`workflows/${ids.hello}`).then((w) => w.paused !== null);
  await row(page, "hello").getByRole("button", { name: "More for hello" }).click();
  await accessible(page);
  await page.getByRole("menuitem", { name: "Pause" }).click();
  await row(page, "hello").getByText("paused").waitFor();
  assert.ok(await paused());
  await row(page, "hello").getByRole("link", { name: "hello" }).focus();
  await page.keyboard.press("p");
  await row(page, "hello").getByText("paused").waitFor({ state: "detached" });
  assert.ok(!(await paused()));

  await page.getByRole("button", { name: "Pause all" }).click();
  await shot(page, "pause-all");
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Pause all" }).click();
  await page.getByText("Everything is paused").waitFor();
  await accessible(page);
  const other = await open(browser, server, { path: `/workflows/${ids.hello}` });
  await other.getByText(/everything is paused by/).waitFor();
  await other.getByRole("button", { name: "Start", exact: true }).click();
  await other.getByRole("dialog").getByText(/Everything is paused: the run will wait/).waitFor();
  await page.getByRole("button", { name: "Resume all" }).click();
  await page.getByText("Everything is paused").waitFor({ state: "detached" });
  await other.getByText(/is paused/).first().waitFor({ state: "detached" });
  await other.context().close();
  quiet(page);
  await page.context().close();
});

test("a form asks for params, says what is wrong where it is, and starts a run", async () => {
  for (const theme of ["light", "dark"]) {
    const page = await open(browser, server, { theme });
    await there(page);
    await row(page, "orders_daily").getByRole("button", { name: "Start" }).click();
    const form = page.getByRole("dialog");
    const field = (name) => form.getByLabel(new RegExp(`^${name}\\b`));
    await field("limit").fill("0");
    await field("labels").fill('["a", ');
    await field("ratio").fill("half");
    await field("region").selectOption("us");
    await form.getByRole("button", { name: "Start" }).click();
    await form.getByText("This must be at least 1.").waitFor();
    await form.getByText("This is not a number.").waitFor();
    await form.getByText(/This is not JSON/).waitFor();
    assert.equal(await field("limit").evaluate((e) => e === document.activeElement), true, "the first field with a fault has the focus");
    await shot(page, `start-${theme}`);
    await accessible(page);

    await field("limit").fill("10");
    await field("ratio").fill("0.25");
    await field("labels").fill('["a", 7]'); // the schema's items are strings: the server says so
    await form.getByRole("checkbox", { name: "null" }).uncheck();
    await field("note").fill("by hand");
    await form.getByRole("button", { name: "Start" }).click();
    await form.getByText(/not of type/).waitFor();
    assert.equal(await field("labels").getAttribute("aria-invalid"), "true");
    await field("labels").fill('["a"]');
    await form.getByRole("button", { name: "Start" }).click();
    await form.waitFor({ state: "detached" });
    await page.getByText("A run of orders_daily has been started.").waitFor();
    await page.getByRole("link", { name: "Open it" }).click();
    await page.waitForURL("**/runs/*");
    const run = await server.api(`runs/${page.url().split("/").at(-1)}`);
    assert.deepEqual(run.params, { limit: 10, ratio: 0.25, labels: ["a"], note: "by hand", region: "us" }, "what was changed, and nothing else");
    quiet(page, /status of 400/); // the label that is no string
    await page.context().close();
  }
});

test("keys alone go through the list and start a run", async () => {
  const page = await open(browser, server);
  await there(page);
  const had = (await server.api(`workflows/${ids.hello}/runs`)).rows.length;
  const at = () => page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press("j");
  const first = await at();
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  assert.equal(await at(), first);
  for (let i = 0; i < 10 && (await at()) !== "hello"; i++) await page.keyboard.press("j");
  await page.keyboard.press("s");
  await page.getByRole("dialog").getByLabel(/^who/).waitFor();
  await page.keyboard.type("!");
  await page.keyboard.press("Enter");
  await until("the run starts", async () => (await server.api(`workflows/${ids.hello}/runs`)).rows.length === had + 1);
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await at(), "hello", "the focus is where it was");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "hello" }).waitFor();
  quiet(page);
  await page.context().close();
});

test("delete asks first", async () => {
  const id = await server.create("goes_away", hello);
  const page = await open(browser, server);
  await row(page, "goes_away").getByRole("button", { name: "More for goes_away" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("This cannot be undone.").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal((await server.api(`workflows/${id}`)).deleting, false);
  await row(page, "goes_away").getByRole("button", { name: "More for goes_away" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await row(page, "goes_away").waitFor({ state: "detached" });
  quiet(page);
  await page.context().close();
});

test("a long list is drawn in part and goes on as one scrolls", async () => {
  const other = await Server.start("--limit", "workflows=0");
  try {
    for (let i = 0; i < 150; i++) await other.create(`many_${String(i).padStart(3, "0")}`, hello);
    const page = await open(browser, other);
    await row(page, "many_149").waitFor();
    assert.ok((await page.getByRole("row").count()) < 60, "rows that are out of view are not drawn");
    await until("the last comes into view", async () => {
      await page.mouse.wheel(0, 3000);
      return row(page, "many_000").isVisible();
    });
    quiet(page);
    await page.context().close();
  } finally {
    await other.stop();
  }
});
