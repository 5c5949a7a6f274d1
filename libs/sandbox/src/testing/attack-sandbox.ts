/** Runs the hostile programs against a boundary and looks, from the host, whether one got through. */
import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Boundary } from '../boundary.ts';
import { assertFilePath, limitRanges } from '../program.ts';
import { Sandbox } from '../sandbox.ts';
import { hostilePrograms, type HostileProgram } from './hostile-programs.ts';

export interface Finding {
  readonly number: number;
  readonly name: string;
  readonly outcome: string;
  readonly wallMs: number;
  /** What went wrong; empty when the program was held. */
  readonly breaches: readonly string[];
}

/** Milliseconds that a run may take beyond its limit, besides those by which this process itself was held up. */
const tolerance = 1000;
/** Files of the host that programs try to change. */
const watched = ['/etc/hosts', '/etc/passwd', '/etc/resolv.conf', '/etc/crontab'];

/** Runs all that `select` takes, some at a time, and closes the boundary. */
export async function attack(
  boundary: Boundary,
  select: (program: HostileProgram) => boolean = () => true,
  report: (finding: Finding) => void = () => undefined,
): Promise<Finding[]> {
  await using host = await watchHost();
  const sandbox = new Sandbox(boundary, { concurrency: 3, warm: 0 });
  try {
    const waiting = hostilePrograms(boundary.name, host.args).filter(select);
    const findings: Finding[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const finding = await attackOnce(sandbox, next, host);
        findings.push(finding);
        report(finding);
      }
    };
    await Promise.all([work(), work(), work()]);
    return findings.sort((a, b) => a.number - b.number);
  } finally {
    await sandbox.close();
  }
}

async function attackOnce(sandbox: Sandbox, hostile: HostileProgram, host: Host): Promise<Finding> {
  const breaches: string[] = [];
  const said: Buffer[] = [];
  const onOutput = (_stream: string, bytes: Uint8Array): void => void said.push(Buffer.from(bytes));
  const delays = monitorEventLoopDelay();
  delays.enable();
  const result = await sandbox.run(hostile.program, { onOutput });
  delays.disable();
  const { outcome, usage, files, value } = result;
  if (!hostile.allowed.includes(outcome)) breaches.push(`it ended as ${outcome} (${result.message}): ${excerpt(said)}`);
  const wallLimit = hostile.program.limits?.wallMs ?? limitRanges.wallMs[2];
  if (usage.wallMs > wallLimit + tolerance + delays.max / 1e6)
    breaches.push(`it took ${usage.wallMs} ms; the limit was ${wallLimit}`);
  const output = Buffer.concat(said).toString('latin1');
  if (output.includes('THROUGH')) breaches.push(/THROUGH.{0,200}/.exec(output)![0]);
  const contents = [...files.map(({ content }) => Buffer.from(content).toString('latin1')), value?.repr ?? ''];
  if ([output, ...contents].some((text) => text.includes(host.secret))) breaches.push('it knows the secret');
  for (const { path } of files) assertFilePath(path, 'path');
  if (value?.json !== undefined) JSON.parse(value.json);
  if ('polluted' in {}) breaches.push('the prototype of objects is polluted');
  breaches.push(...host.changes());

  // The next one finds a sandbox as if nothing had been.
  const next: Buffer[] = [];
  const after = await sandbox.run(
    { code: `${hostile.then ?? ''}\nprint(6 * 7)`, args: host.args },
    { onOutput: (_stream, bytes) => void next.push(Buffer.from(bytes)) },
  );
  const text = Buffer.concat(next).toString();
  if (after.outcome !== 'ok' || !text.endsWith('42\n') || text.includes('THROUGH'))
    breaches.push(`the next one ended as ${after.outcome} and said ${JSON.stringify(text.slice(0, 200))}`);
  return { number: hostile.number, name: hostile.name, outcome, wallMs: usage.wallMs, breaches };
}

function excerpt(said: readonly Buffer[]): string {
  return JSON.stringify(Buffer.concat(said).toString().slice(-300));
}

interface Host extends AsyncDisposable {
  readonly secret: string;
  readonly args: readonly string[];
  /** What is not as it was. */
  readonly changes: () => string[];
}

/** A file, a variable and a port that a program must not reach. */
async function watchHost(): Promise<Host> {
  const secret = randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'crucible-canary-'));
  const canary = join(folder, 'canary');
  writeFileSync(canary, secret);
  const variable = `CRUCIBLE_TEST_CANARY_${process.pid}`;
  process.env[variable] = secret;
  let contacts = 0;
  const tcp = createServer((socket) => {
    contacts++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4', () => contacts++);
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  const before = watched.map(contentOf);
  return {
    secret,
    args: [canary, variable, String(port)],
    changes: () => [
      ...(contentOf(canary) === secret ? [] : ['the canary has changed']),
      ...(readdirSync(folder).length === 1 ? [] : ['there are files beside the canary']),
      ...(process.env[variable] === secret ? [] : ['the environment has changed']),
      ...(contacts === 0 ? [] : ['the port was reached']),
      ...watched.filter((path, i) => contentOf(path) !== before[i]).map((path) => `${path} has changed`),
    ],
    [Symbol.asyncDispose]: async () => {
      Reflect.deleteProperty(process.env, variable);
      udp.close();
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
      rmSync(folder, { recursive: true });
    },
  };
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
