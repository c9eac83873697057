// Runs the jobs of bench/peers on DBOS. A line "chain N" or "wide N" on
// standard input runs one and answers "done MS".
//
// A step is a DBOS step within one workflow: its result is a row in
// PostgreSQL before the workflow goes on. The fan-out starts all steps and
// awaits them together.
import { createInterface } from 'node:readline';
import { DBOS } from '@dbos-inc/dbos-sdk';

const noop = async () => {};

const jobs = {
  chain: DBOS.registerWorkflow(
    async (n) => {
      for (let i = 0; i < n; i++) await DBOS.runStep(noop, { name: 'noop' });
    },
    { name: 'chain' },
  ),
  wide: DBOS.registerWorkflow(
    async (n) => {
      const steps = [];
      for (let i = 0; i < n; i++) steps.push(DBOS.runStep(noop, { name: 'noop' }));
      for (const s of await Promise.allSettled(steps)) if (s.status !== 'fulfilled') throw s.reason;
    },
    { name: 'wide' },
  ),
};

DBOS.setConfig({ name: 'peers', systemDatabaseUrl: process.env.PEER_POSTGRES, logLevel: 'error', runAdminServer: false });
await DBOS.launch();
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [job, n] = line.split(' ');
  const began = performance.now();
  const handle = await DBOS.startWorkflow(jobs[job])(Number(n));
  await handle.getResult();
  console.log('done', performance.now() - began);
}
await DBOS.shutdown();
