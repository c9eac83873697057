// The page of a task, against a real server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { accessible, everyLook, launch, open, quiet, Server, shot, until } from "./harness.mjs";
import { sales, shouts, values, waits } from "./runDefinitions.mjs";

let server, browser, failed, valued;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  failed = await server.run(await server.create("sales", sales));
  valued = await server.run(await server.create("values", values));
  await Promise.all([server.ended(failed), server.ended(valued)]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const log = (page) => page.getByRole("region", { name: /Log of attempt/ });

test("each part in each look", async () => {
  await everyLook(browser, server, `/runs/${failed}/tasks/clean.items`, "task-log", async (page) => {
    await log(page).getByText("row 17: amount is empty").waitFor();
  });
  await everyLook(browser, server, `/runs/${valued}/tasks/list?tab=xcom`, "task-xcom", async (page) => {
    await page.getByRole("treeitem", { name: /in\/one.csv/ }).waitFor();
  });
  await everyLook(browser, server, `/runs/${failed}/tasks/clean.items?tab=arguments`, "task-arguments", async (page) => {
    await page.getByRole("rowheader", { name: /bash_command/ }).waitFor();
  });
  await everyLook(browser, server, `/runs/${failed}/tasks/clean.items?tab=definition`, "task-definition", async (page) => {
    await page.getByRole("tabpanel").getByText("clean.items:").waitFor();
  });
});

test("attempts, how they ended, and what the error comes from", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/tasks/clean.items` });
  await page.getByRole("button", { name: /Attempt 2/ }).waitFor();
  await page.getByRole("complementary", { name: "Facts" }).getByText("code 1").waitFor();
  await page.getByText(/Line \d+ of the definition/).waitFor();
  await page.getByRole("button", { name: /Attempt 1/ }).click();
  await page.waitForURL(/attempt=1/);
  await log(page).getByText("reading items").waitFor();
  assert.equal(await log(page).getAttribute("aria-label"), "Log of attempt 1");
  quiet(page);
  await page.context().close();
});

test("the parts are reached by keys", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/tasks/clean.items` });
  await log(page).waitFor();
  for (const [key, tab] of [["2", "Arguments"], ["3", "XCom"], ["4", "Definition"], ["1", "Log"]]) {
    await page.keyboard.press(key);
    await page.getByRole("tab", { name: tab, selected: true }).waitFor();
  }
  await page.getByRole("tab", { name: "Log" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("tab", { name: "Arguments", selected: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Arguments");
  await page.context().close();
});

test("arguments stand beside their templates", async () => {
  const page = await open(browser, server, { path: `/runs/${valued}/tasks/say?tab=arguments` });
  const row = page.getByRole("row", { name: /bash_command/ });
  await row.getByText("{{ ti.xcom_pull(task_ids='list') }}").waitFor();
  await row.getByText(/in\/one.csv.* of many/).waitFor();
  await page.context().close();
});

test("a value is walked and copied by keys", async () => {
  const page = await open(browser, server, { path: `/runs/${valued}/tasks/list?tab=xcom`, permissions: ["clipboard-read", "clipboard-write"] });
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole("treeitem", { name: /return_value/ }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.getByRole("treeitem", { name: /in\/three.csv/, selected: true }).waitFor();
  await page.keyboard.press("c");
  await until("the value is copied", async () => (await copied()) === "in/three.csv");
  await page.keyboard.press("p");
  await until("the expression is copied", async () => (await copied()) === "{{ ti.xcom_pull(task_ids='list')[1] }}");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.getByRole("treeitem", { name: /return_value/, expanded: false }).waitFor();
  assert.equal(await page.getByRole("treeitem").count(), 1);
  await page.keyboard.press("ArrowRight");
  await page.getByRole("treeitem", { name: /in\/one.csv/ }).waitFor();
  quiet(page);
  await page.context().close();
});

test("a log is followed while it is written, and let go of", async () => {
  const run = await server.run(await server.create("waits", waits));
  const page = await open(browser, server, { path: `/runs/${run}/tasks/long` });
  const line = (n) => log(page).getByText(new RegExp(`^line ${n}$`));
  await line(3).waitFor({ timeout: 120_000 });
  await page.getByRole("button", { name: "Follow", pressed: true }).waitFor();
  for (const n of [8, 16]) await line(n).waitFor();
  // Enough lines to scroll.
  await until("the log is longer than the screen", () => log(page).evaluate((el) => el.scrollHeight > el.clientHeight + 60), 60_000);
  await until("the end is in sight", () => log(page).evaluate((el) => el.scrollTop + el.clientHeight > el.scrollHeight - 30));
  await log(page).hover();
  await page.mouse.wheel(0, -2000);
  await page.getByRole("button", { name: "Follow", pressed: false }).waitFor();
  await line(1).waitFor();
  const top = await log(page).evaluate((el) => el.scrollTop);
  const height = await log(page).evaluate((el) => el.scrollHeight);
  await until("more is written", () => log(page).evaluate((el, h) => el.scrollHeight > h, height));
  assert.equal(await log(page).evaluate((el) => el.scrollTop), top, "what is read must not move");
  await page.keyboard.press("Shift+G");
  await page.getByRole("button", { name: "Follow", pressed: true }).waitFor();
  await until("the end is in sight", () => log(page).evaluate((el) => el.scrollTop + el.clientHeight > el.scrollHeight - 30));
  await server.api(`runs/${run}/stop`, {});
  await page.getByText("complete", { exact: true }).waitFor({ timeout: 120_000 });
  quiet(page);
  await page.context().close();
});

test("a long log is searched, sifted, jumped through and downloaded", async () => {
  const lines = 30_000;
  const run = await server.run(await server.create("shouts", shouts(lines)));
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}/tasks/shout` });
  const has = (text) => log(page).getByText(text).first().waitFor();
  await has(/^line 30000 of/);

  await page.keyboard.press("f");
  await page.keyboard.type("line 12345 of");
  await page.keyboard.press("Enter");
  await has("line 12345 of");
  await page.getByText("1 of 1", { exact: true }).waitFor();
  await page.waitForURL(/find=line/);
  await page.keyboard.press("Escape");

  await page.keyboard.press("e");
  await has("it broke at 12950");
  await page.keyboard.press("e");
  await has("it broke at 13650");
  await page.keyboard.press("Shift+E");
  await has("it broke at 12950");
  await accessible(page);
  await shot(page, "task-log-error");

  await page.getByRole("button", { name: "All levels" }).click();
  await page.getByRole("menuitemradio", { name: "Errors", exact: true }).click();
  await page.waitForURL(/level=e/);
  await has(/it broke at \d+/);
  assert.equal(await log(page).getByText(/^line \d/).count(), 0);
  await page.reload();
  await has("it broke at 29750");
  await page.getByRole("button", { name: "Errors", exact: true }).click();
  await page.getByRole("menuitemradio", { name: "All levels" }).click();

  // From end to end by the keys of scrolling: what lies between is never read.
  let asked = 0;
  page.on("request", (r) => void (/\/log\?/.test(r.url()) && asked++));
  await log(page).focus();
  await page.keyboard.press("Home");
  await has(/^line 1 of/);
  await page.keyboard.press("End");
  await has(/^line 30000 of/);
  assert.ok(asked < 20, `${asked} requests to go from end to end`);

  await page.keyboard.press("w");
  await page.getByRole("button", { name: "Wrap", pressed: false }).waitFor();
  await page.keyboard.press("w");

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the log" }).click().then(() => page.getByRole("menuitem", { name: "As text" }).click()),
  ]);
  const text = readFileSync(await download.path(), "utf8");
  assert.ok(text.includes("line 1 of") && text.includes(`line ${lines} of`), "the download has all lines");
  quiet(page);
  await page.context().close();
});

test("a link leads to a line", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/tasks/extract.orders` });
  await log(page).getByText("order 7", { exact: true }).waitFor();
  await log(page).locator("div", { hasText: /order 7$/ }).locator("span").first().click();
  await page.waitForURL(/line=\d+/);
  await page.reload();
  await log(page).getByText("order 7", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Follow", pressed: false }).waitFor();
  await page.context().close();
});

test("a task is cleared and marked from its page", async () => {
  const run = await server.run((await server.api("workflows?q=sales")).rows[0].id);
  await server.ended(run);
  const page = await open(browser, server, { path: `/runs/${run}/tasks/extract.items` });
  await page.getByRole("button", { name: "Clear…" }).click();
  const dialog = page.getByRole("dialog", { name: "Clear extract.items?" });
  await dialog.getByRole("checkbox").uncheck();
  await dialog.getByRole("button", { name: "Clear 1 task" }).click();
  await page.getByText("attempt 2 of").waitFor();
  await server.ended(run);
  await page.getByRole("button", { name: "Mark as" }).click();
  await page.getByRole("menuitem", { name: "failed…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Mark as failed" }).click();
  await page.getByRole("heading", { level: 1 }).getByText("failed").waitFor();
  quiet(page);
  await page.context().close();
});

test("a task that never ran says why there is no log", async () => {
  const page = await open(browser, server, { path: `/runs/${failed}/tasks/publish` });
  await page.getByText("The task never ran: something before it failed.").waitFor();
  await accessible(page);
  await page.context().close();
});
