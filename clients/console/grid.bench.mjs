// Measures the grid of a workflow of 1,000 tasks with 50 runs, in the browser:
// from navigation to a drawn grid, from a click to the frame that shows it,
// and what is transferred. Controls: a page of three bytes, and a click that
// changes one word.

import { layers } from "./definitions.mjs";
import { launch, open, Server, until } from "./harness.mjs";

const rounds = Number(process.env.ROUNDS ?? 7);
const browser = await launch();
const server = await Server.start();
const id = await server.create("layers", layers("layers", 1000));
for (let i = 0; i < 50; i++) await server.ended(await server.run(id));

// shown resolves to when a frame with the grid has been put on the screen.
const watch = () => {
  window.frame = () => new Promise((done) => requestAnimationFrame(() => {
    const c = new MessageChannel();
    c.port1.onmessage = () => done(performance.now());
    c.port2.postMessage(0);
  }));
  window.shown = new Promise((done) => {
    const look = () => {
      if (!document.querySelector("[role=grid] canvas")) return false;
      seen.disconnect();
      frame().then(done);
      return true;
    };
    const seen = new MutationObserver(look);
    seen.observe(document, { childList: true, subtree: true });
  });
};

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const line = (name, list, unit, bound) =>
  console.log(`${name.padEnd(52)} median ${median(list).toFixed(0).padStart(5)} ${unit}, worst ${Math.max(...list).toFixed(0).padStart(5)} ${unit}${bound ? `   (asked for: ${bound} ${unit})` : ""}`);

const cold = [], work = [], bytes = [], control = [], inApp = [], click = [], clickControl = [];
for (let i = 0; i < rounds; i++) {
  const page = await open(browser, server, { path: "/healthz" });
  control.push(await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => done(performance.now())))));
  await page.addInitScript(watch);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  let sum = 0;
  cdp.on("Network.loadingFinished", (e) => { sum += e.encodedDataLength; });
  await page.goto(`/workflows/${id}`, { waitUntil: "commit" });
  cold.push(await page.evaluate(() => window.shown));
  work.push((await cdp.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value * 1000);
  await until("all is transferred", async () => { const before = sum; await page.waitForTimeout(100); return sum === before; });
  bytes.push(sum / 1024);

  // Clicks, at cells that are apart. The frame counts that shows the cell and its panel.
  const box = await page.getByRole("grid").boundingBox();
  await page.evaluate(() => {
    window.clicks = [];
    document.addEventListener("pointerup", (e) => {
      const at = e.timeStamp;
      const panel = () => document.querySelector("aside h2")?.textContent + (document.querySelector("[role=gridcell]")?.ariaLabel ?? "");
      const before = panel();
      const wait = () => (panel() === before ? requestAnimationFrame(wait) : frame().then((t) => window.clicks.push(t - at)));
      requestAnimationFrame(wait);
    }, true);
  });
  for (let k = 0; k < 8; k++) {
    await page.mouse.click(box.x + 200 + 96 * k, box.y + 140 + 48 * k);
    await page.waitForFunction((n) => window.clicks.length === n, k + 1);
    await page.waitForTimeout(150);
  }
  click.push(...await page.evaluate(() => window.clicks));

  // From the list, as a reader comes; what is loaded once is loaded.
  await page.goto("/");
  const link = page.getByRole("link", { name: "layers", exact: true });
  await link.waitFor();
  await page.waitForTimeout(3000);
  await page.evaluate(() => addEventListener("click", (e) => { window.clicked = e.timeStamp; }, { capture: true, once: true }));
  await link.click();
  inApp.push(await page.evaluate(() => window.shown.then((t) => t - window.clicked)));

  await page.setContent("<button>a</button>");
  clickControl.push(await page.evaluate(() => new Promise((done) => {
    window.frame ??= () => new Promise((d) => requestAnimationFrame(() => setTimeout(() => d(performance.now()))));
    const b = document.querySelector("button");
    b.onclick = (e) => { b.textContent = "b"; frame().then((t) => done(t - e.timeStamp)); };
    setTimeout(() => b.dispatchEvent(new PointerEvent("click")));
  })));
  await page.context().close();
}
console.log(`grid of 1,000 tasks and 50 runs, ${rounds} rounds, load of the machine ${(await import("node:os")).loadavg()[0].toFixed(1)}`);
line("navigation to a drawn grid, nothing cached", cold, "ms", 300);
line("  of which the page's thread was at work", work, "ms");
line("  control: navigation to a page of three bytes", control, "ms");
line("from the list to a drawn grid", inApp, "ms", 300);
line("click on a cell to the frame that shows it", click, "ms", 60);
line("  control: a click that changes one word", clickControl, "ms");
line("transferred by the navigation, all files", bytes, "KiB", 1024);
await browser.close();
await server.stop();
