/** The actor is killed (SIGKILL) while a run waits for approval, and at other moments; what was done is done once. */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openRun, type RunEvent } from '@crucible/actor';
import { createBus } from '@crucible/bus';
import { ActorService } from '@crucible/protos/actor/v1';
import { createClient } from '@crucible/rpc';
import { freePort, type Program, startProgram, temporaryFolder } from '@crucible/testing';
import { acting, startScripts, testRun } from './testing/actor.ts';
import { startPurse } from './testing/purse.ts';

const timeout = 600_000;
const crucible = fileURLToPath(new URL('../../../apps/cli/bin/crucible.mjs', import.meta.url));
const payments = 4;

it('pays everybody once, however often it is killed', { timeout }, async () => {
  await using scripts = await startScripts();
  const home = temporaryFolder();
  const purse = await startPurse();
  const question = 'Pay all of them.';
  const names = Array.from({ length: payments }, (_, i) => `Person ${i}`);
  scripts.on(question, acting(...names.map((to) => `purse_pay[${JSON.stringify({ to })}]`), 'Finish[paid]'));
  const config = {
    models: { scripted: { url: scripts.server.url } },
    mcpServers: { purse: purse.spec },
    approval: ['purse_pay'],
  };
  writeFileSync(join(home, 'actor.json'), JSON.stringify(config));
  const port = await freePort();
  const start = async (): Promise<Program> => {
    const program = startProgram(process.execPath, [crucible, 'serve', 'actor', '--port', String(port)], {
      env: { CRUCIBLE_HOME: home, CRUCIBLE_LOG_LEVEL: 'info', CRUCIBLE_BUS: `embedded:${join(home, 'bus')}` },
    });
    await program.says(/ serves"/, 60_000);
    return program;
  };
  const target = `127.0.0.1:${port}`;
  const asked = new Set<string>();
  const events: RunEvent[] = [];
  let seen = 0;
  let kills = 0;
  let isOver = false;
  for (let attempt = 0; !isOver && attempt < 40; attempt++) {
    const program = await start();
    using client = createClient(ActorService, target, { waitForReady: true });
    const run = openRun(
      client,
      attempt === 0
        ? { runId: 'pay', strategy: 'react', model: 'scripted', question, tools: ['purse_pay'] }
        : { resume: 'pay', afterStep: seen },
    );
    try {
      for await (const event of run) {
        events.push(event);
        if (event.kind === 'step') seen = event.step.number;
        if (event.kind === 'step' && event.step.kind === 'end') isOver = true;
        if (event.kind !== 'approval') continue;
        // Killed once before each answer, and after every other one, a little later each time.
        if (!asked.has(event.callId)) {
          asked.add(event.callId);
          kills++;
          await program.end('SIGKILL').catch(() => undefined);
        } else {
          run.decide(event.callId, { approved: true });
          if (asked.size % 2 === 1) {
            await delay(asked.size * 7);
            kills++;
            await program.end('SIGKILL').catch(() => undefined);
          }
        }
      }
    } catch (reason) {
      expect(reason).toMatchObject({ code: 'unavailable' });
    }
    if (isOver) await delay(500);
    await program.end('SIGKILL').catch(() => undefined);
  }
  expect(isOver).toBe(true);
  expect(kills).toBeGreaterThanOrEqual(payments);
  const paid = purse.deeds.map((deed) => JSON.stringify(deed));
  // None twice. One whose answer was lost in the kill is not tried again, and the model is told so.
  expect(new Set(paid).size).toBe(paid.length);
  const observations = testRun(events).of('observation');
  expect(observations).toHaveLength(payments);
  const unknown = observations.filter(({ text }) => text.includes('nobody knows whether it was done')).length;
  expect(observations.filter(({ text }) => text.includes('paid Person'))).toHaveLength(payments - unknown);
  expect(paid.length).toBeGreaterThanOrEqual(payments - unknown);
  expect(testRun(events).of('answer')).toMatchObject([{ text: 'paid' }]);
  const numbers = testRun(events).steps.map(({ number }) => number);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));

  // Every step became an event, also those that were taken right before a kill.
  await using bus = await createBus(`embedded:${join(home, 'bus')}`);
  const published = new Set<number>();
  await bus.subscribe('crucible.agent.step', { from: 'all' }, ({ event }) => void published.add(event.data.step));
  const kept = testRun(events).steps.filter(({ kind }) => kind !== 'text');
  await expect.poll(() => kept.filter(({ number }) => !published.has(number)), { timeout: 10_000 }).toEqual([]);
});
