// How soon the first screen of a log of 100 MB comes, and what a reader does
// with it costs. Beside it, as a control, a log of ten lines.

import { loadavg } from "node:os";
import { launch, open, Server } from "./harness.mjs";
import { shouts } from "./runDefinitions.mjs";

const lines = Number(process.env.FAIRLEAD_LINES ?? 1_000_000);
const rounds = 5;
const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];

const server = await Server.start();
const browser = await launch();
try {
  const made = [];
  for (const [name, n] of [["small", 10], ["large", lines]]) {
    const run = await server.run(await server.create(name, shouts(n).replace("shouts:", `${name}:`)));
    await server.ended(run, 600_000);
    const { attempts } = await server.api(`runs/${run}/tasks/shout`);
    made.push({ run, bytes: attempts[0].log });
  }
  console.log(`logs in Chromium; load of the machine ${loadavg()[0].toFixed(1)}`);
  for (const { run, bytes } of made) {
    const size = bytes > 1e6 ? `${(bytes / 1e6).toFixed(0)} MB` : `${bytes} B`;
    const opened = [];
    const steps = { "the first line, by Home": [], "the last, by End": [], "the next error": [] };
    for (let i = 0; i < rounds; i++) {
      const page = await open(browser, server, { path: `/runs/${run}/tasks/shout?tab=definition` });
      await page.getByRole("tab", { name: "Log" }).waitFor();
      // From the click to the lines, in the page's own clock.
      opened.push(
        await page.evaluate(() => new Promise((done) => {
          const begun = performance.now();
          const look = () => {
            const text = document.querySelector("[data-testid=log]")?.textContent ?? "";
            if (/line \d+ of/.test(text)) requestAnimationFrame(() => done(performance.now() - begun));
            else requestAnimationFrame(look);
          };
          document.querySelector("#tab-log").click();
          look();
        })),
      );
      const timed = async (what, act, text) => {
        const begun = performance.now();
        await act();
        await page.getByTestId("log").getByText(text).first().waitFor();
        steps[what].push(performance.now() - begun);
      };
      await page.getByTestId("log").focus();
      await timed("the first line, by Home", () => page.keyboard.press("Home"), /^line 1 of/);
      if (bytes > 1e6) {
        await timed("the next error", () => page.keyboard.press("e"), "it broke at 350");
        await page.getByTestId("log").focus();
        await timed("the last, by End", () => page.keyboard.press("End"), new RegExp(`^line ${lines} of`));
      }
      await page.context().close();
    }
    console.log(`  ${size.padEnd(8)} first screen ${Math.round(median(opened))} ms after the click (worst of ${rounds}: ${Math.round(Math.max(...opened))})`);
    for (const [what, all] of Object.entries(steps)) if (all.length) console.log(`           ${what}: ${Math.round(median(all))} ms`);
  }
} finally {
  await browser.close();
  await server.stop();
}
