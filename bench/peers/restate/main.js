// Runs the jobs of bench/peers on Restate. A line "chain N" or "wide N" on
// standard input runs one and answers "done MS".
//
// A step is ctx.run within one handler: its result is in Restate's log before
// the handler goes on. The fan-out starts all steps and awaits them together.
import { createInterface } from 'node:readline';
import * as restate from '@restatedev/restate-sdk';
import * as clients from '@restatedev/restate-sdk-clients';

// The SDK wants it from Node.js 22; this runs on 20 as well.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const noop = async () => {};

const peers = restate.service({
  name: 'peers',
  handlers: {
    chain: async (ctx, n) => {
      for (let i = 0; i < n; i++) await ctx.run('noop', noop);
    },
    wide: async (ctx, n) => {
      const steps = [];
      for (let i = 0; i < n; i++) steps.push(ctx.run('noop', noop));
      await restate.RestatePromise.all(steps);
    },
  },
});

const port = Number(process.env.PEER_WORKER_PORT);
await restate.serve({ services: [peers], port });
const registered = await fetch(`${process.env.PEER_ADMIN}/deployments`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
});
if (!registered.ok) throw new Error(`register the service: ${await registered.text()}`);
const client = clients.connect({ url: process.env.PEER_INGRESS }).serviceClient(peers);
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [job, n] = line.split(' ');
  const began = performance.now();
  await client[job](Number(n));
  console.log('done', performance.now() - began);
}
process.exit(0);
