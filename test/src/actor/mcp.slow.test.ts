/** `crucible mcp`: retrieve, run_python and ask, for other programs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { connectMcpServer } from '@crucible/tools';
import { startScripts } from './testing/actor.ts';

const timeout = 120_000;
const crucible = fileURLToPath(new URL('../../../apps/cli/bin/crucible.mjs', import.meta.url));

it('offers the services over standard streams', { timeout }, async () => {
  await using scripts = await startScripts();
  const home = temporaryFolder();
  const models = { scripted: { url: scripts.server.url } };
  writeFileSync(join(home, 'actor.json'), JSON.stringify({ models }));
  await using connection = await connectMcpServer(
    { name: 'us', command: process.execPath, args: [crucible, '--home', home, 'mcp'] },
    { connectTimeout: timeout, callTimeout: timeout },
  );
  const { signal } = new AbortController();
  const call = async (name: string, input: object): Promise<string> => {
    const tool = connection.tools.find((each) => each.name === `us_${name}`)!;
    return (await tool.run(input as Record<string, unknown>, { signal })).text;
  };
  expect(connection.tools.map(({ name }) => name)).toEqual(['us_retrieve', 'us_run_python', 'us_ask']);
  expect(connection.skipped).toEqual([]);
  expect(await call('run_python', { code: '6 * 7' })).toMatch(/\n42$/);
  scripts.on('What is 6 times 7?', ['Surely 42.']);
  expect(await call('ask', { question: 'What is 6 times 7?', model: 'scripted' })).toMatch(/\nSurely 42\.$/);
  scripts.on('Reckon 2**70.', () => 'Thought 1: x\nAction 1: Finish[much]');
  expect(await call('ask', { question: 'Reckon 2**70.', model: 'scripted', strategy: 'react' })).toMatch(/\nmuch$/);
  await expect(call('ask', { question: 'Hm?', model: 'nobody' })).rejects.toThrow(
    /no model is loaded yet|there is no "nobody"/,
  );
  await expect(call('retrieve', { query: 'tea' })).rejects.toThrow(/default/);
  await expect(call('ask', { question: 'Hm?', strategy: 'magic' })).rejects.toThrow(/strategy/);
});
