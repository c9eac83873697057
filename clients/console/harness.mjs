// A real server and a real browser for the tests of the console.
//
// FAIRLEAD names the binary; `make console` builds it. CHROMIUM names the
// browser. Every test file has a server of its own on a free loopback port,
// with a fresh data directory.

import { AxeBuilder } from "@axe-core/playwright";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
/** The binary under test. */
export const binary = process.env.FAIRLEAD ?? join(here, "../../bin/fairlead");
const shots = join(here, "shots");

/** until asks again until the answer is truthy, and returns it. */
export async function until(what, ask, ms = 300_000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await after(25);
  }
}

/** A Server is a `fairlead serve` process and what its console's API answers. */
export class Server {
  /** start returns a server that answers. */
  static async start(...flags) {
    const s = new Server();
    s.dir = mkdtempSync(join(tmpdir(), "fairlead-console-"));
    s.data = join(s.dir, "data");
    s.flags = flags;
    await s.#spawn();
    const env = execFileSync(binary, ["env", "--data", s.data, "--shell", "sh"], { encoding: "utf8" });
    const of = (name) => new RegExp(`${name}=['"]?([^'"\\n;]+)`).exec(env)?.[1] ?? assert.fail(`fairlead env prints no ${name}:\n${env}`);
    s.key = { accessKey: of("AWS_ACCESS_KEY_ID"), secretKey: of("AWS_SECRET_ACCESS_KEY") };
    await s.login();
    return s;
  }

  async #spawn() {
    this.log = join(this.dir, "serve.log");
    const out = openSync(this.log, "a");
    this.process = spawn(binary, ["serve", "--listen", this.url ? new URL(this.url).host : "127.0.0.1:0", "--data", this.data, ...this.flags], { stdio: ["ignore", out, out] });
    closeSync(out);
    const info = await until("the server comes up", () => {
      if (this.process.exitCode !== null) throw new Error(`serve ended: ${readFileSync(this.log, "utf8")}`);
      try {
        const info = JSON.parse(readFileSync(join(this.data, "server.json"), "utf8"));
        return info.pid === this.process.pid ? info : null;
      } catch {
        return null;
      }
    });
    this.url = info.endpoint;
  }

  async login() {
    const r = await fetch(`${this.url}/console/api/login`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(this.key) });
    assert.equal(r.status, 200, `login: ${await r.clone().text()}`);
    this.cookie = r.headers.getSetCookie().map((c) => c.split(";")[0]).join("; ");
  }

  async #end(signal) {
    const over = new Promise((done) => this.process.once("exit", done));
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill(signal);
      await over;
    }
  }

  /** restart ends the server and starts it again under the same address. */
  async restart(between = async () => {}) {
    await this.#end("SIGTERM");
    await between();
    await this.#spawn();
  }

  async stop() {
    await this.#end("SIGTERM");
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** api asks the console's API: GET without a body. An error is thrown with its kind as code. */
  async api(path, body) {
    const r = await fetch(`${this.url}/console/api/${path}`, {
      headers: { Cookie: this.cookie, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    const answer = await r.json();
    if (!r.ok) throw Object.assign(new Error(`${path}: ${r.status} ${JSON.stringify(answer)}`), { code: answer.error?.kind });
    return answer;
  }

  /** create makes a workflow of a definition and returns its id. */
  async create(name, source) {
    return (await this.api("workflows", { name, source })).workflow;
  }

  /** run starts a run and returns its id. */
  async run(workflow, params) {
    // So many may be unfinished: then this one waits for room.
    return until(`a run of ${workflow} starts`, async () => {
      try {
        return (await this.api(`workflows/${encodeURIComponent(workflow)}/start`, params ? { params } : {})).run.id;
      } catch (e) {
        if (e.code === "quota") return null;
        throw e;
      }
    }, 120_000);
  }

  /** ended waits for a run to end and returns it. */
  async ended(run, ms = 60_000) {
    return until(`run ${run} ends`, async () => {
      const r = await this.api(`runs/${run}`);
      return "sfobkcg".includes(r.state) ? r : null;
    }, ms);
  }
}

/** launch starts the browser. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"],
  });
}

/** The two widths that pages are held to. */
export const phone = { width: 390, height: 844 };
export const wide = { width: 1600, height: 1000 };

/**
 * open returns a page of a signed-in reader. What the browser complains about
 * (errors, refused styles or scripts) is in page.complaints; `look` ends
 * with an assertion that there is nothing.
 */
export async function open(browser, server, { theme = "light", size = wide, path = "/", signedIn = true, ...more } = {}) {
  const context = await browser.newContext({ viewport: size, colorScheme: theme, baseURL: server.url, reducedMotion: "reduce", ...more });
  if (signedIn) {
    const r = await context.request.post("/console/api/login", { data: server.key });
    assert.equal(r.status(), 200, await r.text());
  }
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") page.complaints.push(`${m.text()} ${m.location().url}`);
  });
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  page.setDefaultTimeout(120_000);
  await page.goto(path);
  return page;
}

/** quiet asserts that the browser had nothing to complain about, but for what matches `except`. */
export function quiet(page, except) {
  assert.deepEqual(page.complaints.filter((c) => !except?.test(c)), [], `complaints of the browser on ${page.url()}`);
}

/** accessible asserts that axe finds no violation of WCAG 2.2 AA. */
export async function accessible(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  const found = violations.map((v) => `${v.id}: ${v.help}\n${v.nodes.slice(0, 5).map((n) => `    ${n.target} ${n.html.slice(0, 200)}\n      ${n.failureSummary?.replaceAll("\n", " ")}`).join("\n")}`);
  assert.equal(found.length, 0, `axe on ${page.url()}\n${found.join("\n")}`);
}

/** fits asserts that nothing makes the page wider than its window. */
export async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `${page.url()} is ${content} px wide in a window of ${window}`);
}

/** shot keeps a picture of what is shown in shots/. */
export async function shot(page, name) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), animations: "disabled" });
}

/**
 * everyLook shows a page in both themes at both widths, and asserts that each
 * fits and makes the browser complain of nothing. Each theme and each width is
 * given to axe once: it looks at colours and at structure, and takes long.
 * `ready` waits for what is to be seen.
 */
export async function everyLook(browser, server, path, name, ready) {
  for (const theme of ["light", "dark"]) {
    for (const [width, size] of Object.entries({ phone, wide })) {
      const page = await open(browser, server, { theme, size, path });
      await ready(page);
      await shot(page, `${name}-${theme}-${width}`);
      if ((theme === "light") === (width === "wide")) await accessible(page);
      await fits(page);
      quiet(page);
      await page.context().close();
    }
  }
}
