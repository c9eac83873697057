import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { hello, slow } from "./definitions.mjs";
import { accessible, binary, everyLook, launch, open, phone, quiet, Server, shot, until } from "./harness.mjs";

let server, browser, workflow;
before(async () => {
  browser = await launch();
  server = await Server.start();
  workflow = await server.create("hello", hello);
  await server.ended(await server.run(workflow));
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const name = (page) => page.getByRole("link", { name: "hello", exact: true });

test("a page that is not there says so, in every look", () =>
  everyLook(browser, server, "/nowhere", "nowhere", (p) => p.getByText("There is no such thing").waitFor()));

test("who is not signed in is asked, and comes to where they were going", async (t) => {
  await t.test("in every look", async () => {
    for (const theme of ["light", "dark"]) {
      const page = await open(browser, server, { theme, size: phone, path: "/login", signedIn: false });
      await page.getByRole("heading", { name: "Sign in to Fairlead" }).waitFor();
      await shot(page, `login-${theme}`);
      await accessible(page);
      quiet(page);
      await page.context().close();
    }
  });
  const page = await open(browser, server, { signedIn: false, path: `/workflows/${workflow}/runs?version=` });
  await page.getByLabel("Access key").fill(server.key.accessKey);
  await page.getByLabel("Secret key").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  await accessible(page);
  await page.getByLabel("Secret key").fill(server.key.secretKey);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "hello" }).waitFor();
  assert.match(page.url(), /\/runs\?version=$/);
  await page.getByRole("button", { name: "Account and theme" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to Fairlead" }).waitFor();
  await page.goto("/");
  await page.getByRole("heading", { name: "Sign in to Fairlead" }).waitFor();
  await page.context().close();
});

test("next leads to no other site", async () => {
  for (const next of ["//example.com/", "https://example.com", "/\\example.com"]) {
    const page = await open(browser, server, { path: `/login?next=${encodeURIComponent(next)}` });
    await page.getByRole("heading", { name: "Workflows" }).waitFor();
    assert.equal(new URL(page.url()).origin, server.url);
    await page.context().close();
  }
});

test("a printed link signs in once, and leaves nothing in the address", async () => {
  const out = execFileSync(binary, ["console", "--data", server.data], { encoding: "utf8" });
  const link = /http:\S+#login=\S+/.exec(out)?.[0];
  assert.ok(link, out);
  for (const [again, heading] of [[false, "Workflows"], [true, "Sign in to Fairlead"]]) {
    const page = await open(browser, server, { signedIn: false, path: link });
    await page.getByRole("heading", { name: heading }).waitFor();
    assert.ok(!page.url().includes("login="), `${page.url()} (again: ${again})`);
    await page.context().close();
  }
});

test("a sign-out holds when the server starts anew", async () => {
  const ask = (path, cookie, body) => fetch(`${server.url}/console/api/${path}`, {
    headers: { "Content-Type": "application/json", ...(cookie ? { Cookie: cookie } : {}) }, ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
  });
  const cookie = async () => (await ask("login", "", server.key)).headers.getSetCookie().map((c) => c.split(";")[0]).join("; ");
  const [leaves, stays] = [await cookie(), await cookie()];
  assert.equal((await ask("logout", leaves, {})).status, 200);
  await server.restart();
  assert.equal((await (await ask("session", leaves)).json()).user, "");
  assert.equal((await (await ask("session", stays)).json()).user, server.key.accessKey);
});

test("a theme is kept", async () => {
  const page = await open(browser, server);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Account and theme" }).click();
  await accessible(page);
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  assert.notEqual(await ground(), light);
  await page.reload();
  assert.notEqual(await ground(), light);
  await page.getByRole("button", { name: "Account and theme" }).click();
  await page.getByRole("menuitemradio", { name: "As the system" }).click();
  assert.equal(await ground(), light);
  quiet(page);
  await page.context().close();
});

test("the keyboard goes everywhere, and says where", async () => {
  const page = await open(browser, server);
  await name(page).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent);

  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");

  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor();
  await shot(page, "help");
  await accessible(page);
  await page.getByLabel("Answer single keys").uncheck();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "Keyboard" }).waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await pause(100);
  assert.equal(await page.locator("dialog").count(), 0, "a single key is answered although they are off");

  await page.keyboard.press("Control+k");
  const box = page.getByRole("combobox");
  await box.waitFor();
  await box.fill("hel");
  await until("the search finds it", async () => (await page.getByRole("option").first().textContent())?.includes("hello"));
  await shot(page, "search");
  await accessible(page);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "hello" }).waitFor();
  assert.equal(await focused(), "hello", "a new page has the focus at its heading");
  assert.equal(await page.title(), "hello · Fairlead");

  await page.evaluate(() => localStorage.removeItem("fairlead.keys"));
  await page.reload();
  await page.getByRole("heading", { name: "hello" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("w");
  await page.getByRole("heading", { name: "Workflows" }).waitFor();
  quiet(page);
  await page.context().close();
});

test("a search finds actions and runs", async () => {
  const run = (await server.api(`workflows/${workflow}/runs`)).rows[0].id;
  const page = await open(browser, server);
  await name(page).waitFor();
  await page.keyboard.press("/");
  await page.getByRole("combobox").fill("new work");
  await page.getByRole("option", { name: /Write a new workflow/ }).click();
  await page.waitForURL("**/new");
  await page.goto("/");
  await name(page).waitFor();
  await page.keyboard.press("/");
  await page.getByRole("combobox").fill(run);
  await page.getByRole("option", { name: /open as a run/ }).click();
  await page.waitForURL(`**/runs/${run}`);
  await page.context().close();
});

test("changes arrive without asking, and after the server was away", async () => {
  const page = await open(browser, server);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.waitForTimeout(2500); // what was read before the stream stood is read again, once
  const asked = [];
  page.on("request", (r) => asked.push(new URL(r.url()).pathname));
  const strip = page.getByRole("row", { name: /hello/ }).getByRole("link", { name: /^Run/ });
  const had = await strip.count();
  await server.ended(await server.run(workflow));
  await until("the run shows", async () => (await strip.count()) === had + 1);
  const other = await server.create("arrives", slow);
  await page.getByRole("link", { name: "arrives" }).waitFor();
  assert.deepEqual(asked, [], "the page asked although nothing polls");
  await server.restart(() => page.getByText("Offline").waitFor());
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 120_000 });
  await server.api(`workflows/${other}/delete`, {});
  await page.getByRole("link", { name: "arrives" }).waitFor({ state: "detached" });
  await page.context().close();
});

test("a hidden page holds no connection", async () => {
  const page = await open(browser, server);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.getByText("Connecting").waitFor();
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.getByText("Live", { exact: true }).waitFor();
  quiet(page);
  await page.context().close();
});

test("read-only offers no action", async () => {
  const other = await Server.start();
  try {
    const w = await other.create("hello", hello);
    await other.ended(await other.run(w));
    other.flags = ["--console-read-only"];
    await other.restart();
    for (const path of ["/", `/workflows/${w}`, `/workflows/${w}/versions`, `/workflows/${w}/schedule`]) {
      const page = await open(browser, other, { path });
      await page.getByText("Read-only").waitFor();
      await page.getByRole("heading", { name: path === "/" ? "Workflows" : "hello", exact: true }).waitFor();
      await page.getByText(path === "/" ? "hello" : /version 1/i).first().waitFor();
      for (const verb of ["Start", "Pause", "Resume", "Edit", "Delete", "New", "Backfill"]) {
        assert.equal(await page.getByRole("button", { name: verb }).count() + (await page.getByRole("link", { name: verb, exact: true }).count()), 0, `${path} offers ${verb}`);
      }
      await accessible(page);
      quiet(page);
      await page.context().close();
    }
  } finally {
    await other.stop();
  }
});

test("colours of states are told from their ground, in both themes", async () => {
  for (const theme of ["light", "dark"]) {
    const page = await open(browser, server, { theme });
    await name(page).waitFor();
    const low = await page.evaluate(() => {
      const probe = document.body.appendChild(document.createElement("i"));
      const channel = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      const light = (name) => {
        probe.style.color = `var(--c-${name})`;
        const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).map((v) => channel(Number(v) / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
      };
      const found = [];
      const must = (a, b, least) => {
        const c = contrast(a, b);
        if (c < least) found.push(`${a} on ${b}: ${c.toFixed(2)} < ${least}`);
      };
      for (const tone of ["wait", "soon", "live", "hold", "good", "bad", "cut", "off"]) {
        for (const ground of [`${tone}-tint`, "sheet", "page", "raised"]) must(tone, ground, 4.5);
        for (const ground of ["sheet", "page", "hover", "picked"]) must(`${tone}-fill`, ground, 3);
        must("fill-ink", `${tone}-fill`, 3);
      }
      for (const ground of ["page", "sheet", "raised", "sunken", "hover", "picked"]) {
        must("ink", ground, 7);
        must("soft", ground, 4.5);
        must("link", ground, 4.5);
        must("edge-strong", ground, 3);
        must("focus", ground, 3);
      }
      must("accent-ink", "accent", 4.5);
      must("accent-ink", "accent-hover", 4.5);
      must("fill-ink", "bad-fill", 4.5);
      must("bar-ink", "bar", 7);
      must("bar-soft", "bar", 4.5);
      must("rope", "bar", 3);
      return found;
    });
    assert.deepEqual(low, [], theme);
    await page.context().close();
  }
});

test("no style or script is written into the page", async () => {
  const page = await open(browser, server);
  await name(page).waitFor();
  const policy = (await page.request.get("/", { headers: { Accept: "text/html" } })).headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.equal(await page.locator("style").count(), 0);
  quiet(page);
  await page.context().close();
});
