// The page on which definitions are written, against a real server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, everyLook, launch, open, quiet, Server, shot, until } from "./harness.mjs";
import { sales, task } from "./runDefinitions.mjs";

let server, browser, workflow;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  workflow = await server.create("sales", sales);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const text = (page) => page.getByRole("textbox", { name: /Definition in YAML/ });
const diagnostics = (page) => page.getByRole("region", { name: "Diagnostics" });
/** write replaces the whole text. */
const write = async (page, source) => {
  await text(page).click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(source);
};

test("the editor in each look", async () => {
  await everyLook(browser, server, `/workflows/${workflow}/edit`, "editor", async (page) => {
    await diagnostics(page).getByText("No errors").waitFor();
    await page.getByRole("application", { name: "Graph of 10 tasks" }).waitFor();
    await page.waitForFunction(() => performance.getEntriesByName("graph:whole").length > 0);
  });
  await everyLook(browser, server, "/new", "editor-new", async (page) => {
    await diagnostics(page).getByText("No errors").waitFor();
  });
});

test("what is wrong is said as it is typed, in its place", async () => {
  const page = await open(browser, server, { path: "/new" });
  await write(page, `broken:\n  tasks:\n${task("a", "echo a").replace("operator", "operatr")}${task("b", "echo b", ["nothing"])}`);
  await diagnostics(page).getByText(/\d errors?/).first().waitFor();
  assert.ok((await page.locator(".cm-lintRange-error").count()) > 0, "errors are marked in the text");
  await accessible(page);
  await shot(page, "editor-errors");
  await diagnostics(page).getByRole("button").first().click();
  await until("the cursor is there", () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.className.includes("cm-content")));
  await write(page, `fixed:\n  tasks:\n${task("a", "echo a")}${task("b", "echo b", ["a"])}`);
  await diagnostics(page).getByText("No errors").waitFor();
  await page.getByRole("application", { name: "Graph of 2 tasks" }).waitFor();
  quiet(page);
  await page.context().close();
});

test("the keys of the page stay out of the text", async () => {
  const page = await open(browser, server, { path: "/new" });
  await text(page).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# g w ? / f");
  assert.equal(new URL(page.url()).pathname, "/new");
  assert.equal(await page.getByRole("dialog").count(), 0);
  await text(page).getByText("# g w ? / f").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => !document.activeElement.shadowRoot), "Escape, then Tab leaves the editor");
  await page.context().close();
});

test("a workflow is created", async () => {
  const page = await open(browser, server, { path: "/new" });
  await write(page, `made_here:\n  tasks:\n${task("a", "echo a")}`);
  await diagnostics(page).getByText("1 task").waitFor();
  await page.keyboard.press("Control+S");
  const dialog = page.getByRole("dialog", { name: "Create the workflow" });
  assert.equal(await dialog.getByLabel("Name").inputValue(), "made_here");
  await accessible(page);
  await dialog.getByLabel("Name").fill("");
  await dialog.getByRole("button", { name: "Create" }).click();
  await dialog.getByText("A workflow needs a name.").waitFor();
  await dialog.getByLabel("Name").fill("made_here");
  await dialog.getByRole("button", { name: "Create" }).click();
  await page.waitForURL(/workflows\/made_here/);
  const { rows } = await server.api("workflows?q=made_here");
  assert.equal(rows.length, 1);
  assert.equal((await server.ended(await server.run(rows[0].id))).state, "s");
  quiet(page);
  await page.context().close();
});

test("a new version is saved, and an old one is not written over", async () => {
  const id = await server.create("versions", `versions:\n  tasks:\n${task("a", "echo a")}`);
  const page = await open(browser, server, { path: `/workflows/${id}/edit` });
  const save = page.getByRole("button", { name: "Save as a new version…" });
  await diagnostics(page).getByText("No errors").waitFor();
  assert.ok(await save.isDisabled(), "there is nothing to save");
  await write(page, `versions:\n  tasks:\n${task("a", "echo a")}${task("b", "echo b", ["a"])}`);
  await diagnostics(page).getByText("2 tasks").waitFor();
  await save.click();
  const dialog = page.getByRole("dialog", { name: "Save version 2?" });
  await dialog.getByText("becomes the one that new runs use").waitFor();
  await accessible(page);
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Version 2 is saved.").waitFor();
  assert.ok(await save.isDisabled());
  assert.equal((await server.api(`workflows/${id}`)).n, 2);
  // Somebody else saves a version meanwhile.
  const latest = await server.api(`workflows/${id}/versions/latest`);
  await server.api(`workflows/${id}/update`, { source: `${latest.source}# theirs\n`, base: latest.id });
  await write(page, `${latest.source}# mine\n`);
  await save.click();
  await page.getByRole("dialog", { name: "Save version 3?" }).getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.match((await server.api(`workflows/${id}/versions/latest`)).source, /# theirs/);
  await page.context().close();
});

test("changes are not lost by a wrong step", async () => {
  const page = await open(browser, server, { path: `/workflows/${workflow}/edit` });
  await text(page).click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("# changed");
  await page.getByRole("link", { name: "Workflows" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await text(page).getByText("# changed").waitFor();
  await page.getByRole("link", { name: "Workflows" }).first().click();
  await dialog.getByRole("button", { name: "Leave", exact: true }).click();
  await page.waitForURL((u) => u.pathname === "/");
  await page.context().close();
});

test("the cursor and the graph point at each other", async () => {
  const page = await open(browser, server, { path: `/workflows/${workflow}/edit` });
  const graph = page.getByRole("application");
  await graph.focus();
  await page.keyboard.press("ArrowRight");
  await until("the cursor is at the first task", () => page.evaluate(() => document.querySelector("[data-testid=code]").shadowRoot.querySelector(".cm-activeLine")?.textContent.includes("begin:")));
  await page.context().close();
});
