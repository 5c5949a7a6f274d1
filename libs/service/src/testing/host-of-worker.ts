/** A process that owns a worker, says both their ids, and waits to be killed. */
import { WorkerProcess } from '../worker-process.ts';
import type { ExampleMethods } from './example-worker.ts';

const worker = await WorkerProcess.start<ExampleMethods>(new URL('./example-worker.ts', import.meta.url), {
  name: 'the worker',
});
process.stdout.write(`${worker.pid}\n`);
