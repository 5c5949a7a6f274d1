/**
 * A real nats-server for tests, on 127.0.0.1 alone. It never outlives the test process: `await using`, `stop()`, or,
 * when the process dies without either, a watchdog that notices.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import { findNatsServer, natsServerMissing } from './find-nats-server.ts';
import { freePort } from './free-port.ts';
import { killWithParent } from './kill-with-parent.ts';

export interface NatsServerOptions {
  /** Default true. */
  readonly jetstream?: boolean;
  /** Default: a free one, which stays the same over `restart()`. */
  readonly port?: number;
  /** Where JetStream keeps its files. Default: a temporary folder, removed by `stop()`. */
  readonly storeDir?: string;
  /** More lines for the server's configuration file (authorization, tls, limits). */
  readonly config?: string;
  /** How long to wait until it answers, in ms; 10,000 by default. */
  readonly startDeadline?: number;
}

export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs at present; another one after `restart()`. */
  readonly pid: number;
  /** Ends it in an orderly way and removes the temporary files. */
  stop(): Promise<void>;
  /** SIGKILL; the files stay for `restart()`. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files; stops it first where it runs. */
  restart(): Promise<void>;
}

/** Resolves when the server takes connections. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const program = findNatsServer();
  if (program === undefined) throw new CrucibleError('not-found', natsServerMissing);
  const { startDeadline = 10_000 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'crucible-nats-'));
  const port = options.port ?? (await freePort());
  const configFile = join(folder, 'nats-server.conf');
  const jetstream = `jetstream { store_dir: ${JSON.stringify(options.storeDir ?? join(folder, 'jetstream'))} }`;
  writeFileSync(
    configFile,
    [`listen: "127.0.0.1:${port}"`, options.jetstream === false ? '' : jetstream, options.config ?? ''].join('\n'),
  );
  const run = (): Promise<RunningProcess> => startProcess(program, configFile, port, startDeadline);
  const removeFiles = (): void => rmSync(folder, { recursive: true, force: true });

  let running: RunningProcess;
  try {
    running = await run();
  } catch (reason) {
    removeFiles();
    throw reason;
  }
  const stop = async (): Promise<void> => {
    await running.end('SIGTERM');
    removeFiles();
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get pid() {
      return running.pid;
    },
    stop,
    kill: () => running.end('SIGKILL'),
    restart: async () => {
      await running.end('SIGTERM');
      running = await run();
    },
    [Symbol.asyncDispose]: stop,
  };
}

interface RunningProcess {
  readonly pid: number;
  /** Sends the signal where the process still runs, and waits until it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

async function startProcess(
  program: string,
  configFile: string,
  port: number,
  startDeadline: number,
): Promise<RunningProcess> {
  const child = spawn(program, ['-c', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4000)));
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await withDeadline(exited, 5000, `nats-server ${child.pid ?? ''} after ${signal}`).catch(async (late: unknown) => {
      child.kill('SIGKILL');
      await exited;
      throw late;
    });
  };
  killWithParent(child);
  const deadline = performance.now() + startDeadline;
  while (!(await answers(port))) {
    if (child.exitCode !== null || child.pid === undefined)
      throw new CrucibleError('unavailable', `${program} ended with ${child.exitCode}: ${log}`);
    if (performance.now() > deadline) {
      await end('SIGKILL');
      throw new CrucibleError('deadline-exceeded', `${program} did not answer within ${startDeadline} ms: ${log}`);
    }
    await sleep(10);
  }
  return { pid: child.pid!, end };
}

/** Whether a server greets on the port: the first thing that NATS sends is its INFO line. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(1000, () => socket.destroy());
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('data', (bytes) => resolve(bytes.toString('latin1').startsWith('INFO ')));
      socket.once('error', () => resolve(false));
      socket.once('close', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
