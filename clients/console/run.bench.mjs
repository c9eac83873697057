// How fast a run of 5,000 tasks is drawn, and at what pace it pans. Beside
// each number stands a control: what the machine does with next to nothing.

import { loadavg } from "node:os";
import { launch, open, Server, wide } from "./harness.mjs";
import { layered } from "./runDefinitions.mjs";

const tasks = Number(process.env.FAIRLEAD_TASKS ?? 5000);
const rounds = 5;
const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];

const server = await Server.start();
const browser = await launch();
try {
  const small = await server.run(await server.create("small", layered(4, 2).replace("layered:", "small:")));
  const big = await server.run(await server.create("layered", layered(tasks, 50)));
  await server.ended(small);
  await server.ended(big, 300_000);
  console.log(`run of ${tasks} tasks in Chromium, ${wide.width} x ${wide.height}; load of the machine ${loadavg()[0].toFixed(1)}`);

  for (const [name, run] of [["4 tasks", small], [`${tasks} tasks`, big]]) {
    const whole = [];
    let bytes = 0;
    for (let i = 0; i < rounds; i++) {
      const page = await open(browser, server, { path: `/runs/${run}` });
      await page.waitForFunction(() => performance.getEntriesByName("graph:whole").length > 0);
      whole.push(await page.evaluate(() => performance.getEntriesByName("graph:whole")[0].startTime));
      bytes = await page.evaluate(() => performance.getEntriesByType("resource").reduce((n, r) => n + r.transferSize, performance.getEntriesByType("navigation")[0].transferSize));
      await page.context().close();
    }
    console.log(`  ${name.padEnd(12)} from navigation to the whole graph on the screen: ${Math.round(median(whole))} ms (worst of ${rounds}: ${Math.round(Math.max(...whole))}), ${Math.round(bytes / 1024)} KiB transferred`);
  }

  for (const [name, path, zoom] of [
    ["control: an empty page", null, 0],
    ["4 tasks", `/runs/${small}`, 0],
    [`${tasks} tasks, all in sight`, `/runs/${big}`, 0],
    [`${tasks} tasks, some hundred in sight`, `/runs/${big}`, 6],
    [`${tasks} tasks, legible`, `/runs/${big}`, 10],
  ]) {
    const page = await open(browser, server, { path: path ?? "/console/licences.md" });
    let box = { x: 0, y: 0, width: 1000, height: 700 };
    if (path) {
      await page.waitForFunction(() => performance.getEntriesByName("graph:whole").length > 0);
      box = await page.getByRole("application").boundingBox();
    }
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    for (let i = 0; i < zoom; i++) await page.mouse.wheel(0, -120);
    await page.waitForTimeout(500);
    await page.evaluate(() => {
      globalThis.frames = [];
      const each = (t) => {
        globalThis.frames.push(t);
        if (globalThis.frames.length < 100_000) requestAnimationFrame(each);
      };
      requestAnimationFrame(each);
    });
    await page.mouse.down();
    const end = Date.now() + 4000;
    for (let k = 0; Date.now() < end; k++) await page.mouse.move(x + box.width * 0.35 * Math.sin(k / 30), y + box.height * 0.2 * Math.sin(k / 17));
    await page.mouse.up();
    const frames = await page.evaluate(() => globalThis.frames.splice(0, 200_000));
    const gaps = frames.slice(1).map((t, i) => t - frames[i]).sort((a, b) => a - b);
    const rate = (1000 * gaps.length) / (frames.at(-1) - frames[0]);
    console.log(`  panning, ${name.padEnd(36)} ${rate.toFixed(1)} frames/s, 95 % within ${gaps[Math.floor(gaps.length * 0.95)].toFixed(0)} ms, longest ${gaps.at(-1).toFixed(0)} ms`);
    await page.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
