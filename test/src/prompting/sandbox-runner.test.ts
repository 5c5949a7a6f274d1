/** PAL over our sandbox: programs run behind its boundary, through gRPC. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Bus, createBus } from '@crucible/bus';
import { createSandboxRunner } from '@crucible/chat-models';
import { collectRun, createStrategy, runStrategy } from '@crucible/prompting';
import { scriptedModel } from '@crucible/prompting/testing';
import { SandboxService } from '@crucible/protos/sandbox/v1';
import { type Client, createClient } from '@crucible/rpc';
import { createSandboxService } from '@crucible/sandbox-service';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';

const timeout = 120_000;
const cache = fileURLToPath(new URL('../../../node_modules/.cache/crucible-sandbox', import.meta.url));
let bus: Bus;
let service: Service;
let client: Client<typeof SandboxService>;

beforeAll(async () => {
  bus = await createBus('embedded:');
  const { log } = recordingLogger();
  service = await createSandboxService({ bus, log, host: '127.0.0.1', port: 0, cache });
  client = createClient(SandboxService, service.target, { deadlineMs: timeout });
}, timeout);
afterAll(async () => {
  client.close();
  await service.close(0);
  await bus.close();
});

it('comes to the value, tells of what failed, and ends what does not end', { timeout }, async () => {
  const programs = [
    'while True:\n    pass',
    'print("Zürich")\nraise ValueError("no such town")',
    'def solution():\n    print("working")\n    return 64422 / 10.1',
  ];
  const model = scriptedModel(programs.map((program) => `\`\`\`python\n${program}\n\`\`\``));
  const strategy = createStrategy('pal', { pal: { timeoutMs: 4000 } });
  const task = { question: 'Divide 64422 by 10.1.', answer: { kind: 'number' } } as const;
  const { outcome, steps } = await collectRun(
    runStrategy(strategy, task, { model, code: createSandboxRunner(client) }),
  );
  expect(outcome).toEqual({ status: 'answered', text: '6378.41584158416', key: '6378.41584158416' });
  expect(steps.filter(({ kind }) => kind === 'program-result')).toMatchObject([
    { ended: 'timeout' },
    { ended: 'failed', stdout: 'Zürich\n', stderr: expect.stringContaining('ValueError: no such town') as string },
    { ended: 'finished', stdout: expect.stringMatching(/^working\n/) as string, stderr: '', value: '6378.41584158416' },
  ]);
});

it('is cancelled', { timeout }, async () => {
  const controller = new AbortController();
  const run = createSandboxRunner(client).run('while True: pass', { timeoutMs: 60_000, signal: controller.signal });
  setTimeout(() => controller.abort(), 300);
  await expect(run).rejects.toMatchObject({ code: 'cancelled' });
});
