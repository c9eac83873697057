// Takes the pictures of the console that the documents show, of a server that
// has run for a while: docs/console-*.png.

import { fileURLToPath } from "node:url";
import { bashTask, flaky, hello, orders, rollup, slow } from "./definitions.mjs";
import { launch, open, Server } from "./harness.mjs";

const size = { width: 1360, height: 800 };
const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const day = 86_400_000;

const browser = await launch();
const server = await Server.start("--limit", "runs=0,workflow-runs=0");
const all = async (id, runs) => {
  for (const r of runs) await server.ended(r);
  return id;
};
for (const [name, schedule, n] of [["sessions_weekly", "0 6 * * 1", 9], ["stock_levels", "*/15 * * * *", 12], ["ledger_close", "0 22 28 * *", 5]]) {
  const id = await server.create(name, rollup(name, schedule));
  await all(id, await Promise.all(Array.from({ length: n }, () => server.run(id))));
  if (name === "ledger_close") await server.api(`workflows/${id}/pause`, {});
}
const greet = await server.create("hello", hello);
await all(greet, [await server.run(greet)]);
const feed = await server.create("vendor_feed", flaky);
await all(feed, [await server.run(feed), await server.run(feed)]);
await server.run(await server.create("slow_import", slow));

// A daily workflow with a slot for each of the last weeks, some of which fail.
const fails = (source, task, days) => source.replace(`test '{{ params.fails }}' != '${task}'`, `case {{ ds }} in ${days}) exit 1;; esac`);
const source = fails(fails(orders().replace("default: 0.05", "default: 0.25"), "check.orders", "*-03|*-12"), "publish", "*-19|*-08");
const id = await server.create("orders_daily", source);
const first = (await server.api(`workflows/${id}`)).latest;
const now = Date.now();
const { slots } = await server.api(`workflows/${id}/backfill`, { from: now - 19 * day, to: now });
for (const s of slots) await server.ended(s.run, 120_000);
await server.api(`workflows/${id}/update`, { source: source.replace("    mail:", `${bashTask("archive", ["publish"])}    mail:`), base: first });
await server.ended(await server.run(id));
const last = await server.run(id, { pace: 1.6 });
const runs = (await server.api(`workflows/${id}/runs?limit=100`)).rows;
const failed = runs.find((r) => r.state === "f")?.id ?? last;

const take = async (name, theme, path, ready) => {
  const page = await open(browser, server, { theme, size, path });
  await ready(page);
  await page.waitForTimeout(2500);
  await page.screenshot({ path: `${docs}console-${name}.png`, animations: "disabled" });
  await page.context().close();
};
await take("run", "light", `/runs/${last}`, (p) => p.getByRole("heading").first().waitFor());
await take("workflows", "light", "/", (p) => p.getByRole("link", { name: "hello", exact: true }).waitFor());
await take("grid", "dark", `/workflows/${id}?run=${failed}&task=publish`, (p) => p.getByRole("grid").waitFor());
await browser.close();
await server.stop();
