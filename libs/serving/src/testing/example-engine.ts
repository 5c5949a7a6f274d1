/** An engine process whose models are numbers in files: everything about an engine but the arithmetic. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError } from '@crucible/foundation';
import { serveWorker } from '@crucible/service';
import type { LoadMethod } from '../model-engine.ts';

export interface ExampleEngineMethods {
  load: LoadMethod;
  /** Says which version of a model it has, after a while; with `hang`, it never says anything again. */
  answer: {
    args: { readonly name: string; readonly ms?: number; readonly hang?: boolean };
    result: { readonly version: number; readonly number: number };
    item: 'begun';
  };
}

/** While this variable is set, engines die as they start. */
export const brokenEngineVariable = 'CRUCIBLE_TEST_BROKEN_ENGINE';

if (process.env[brokenEngineVariable] !== undefined) process.exit(9);

const loaded = new Map<string, { readonly version: number; readonly number: number }>();

serveWorker<ExampleEngineMethods>({
  load: async ({ name, version, folder }) => {
    const text = readFileSync(join(folder, 'model.safetensors'), 'utf8');
    if (text === 'deadly') process.kill(process.pid, 'SIGKILL');
    if (text.startsWith('slow')) await delay(300);
    if (text === 'endless') hang();
    const number = Number(text.replace('slow', ''));
    if (Number.isNaN(number)) throw new CrucibleError('data-loss', `${folder} is damaged`);
    loaded.set(name, { version, number });
    return {
      contextLength: 8,
      vocabularySize: 16,
      parameterCount: 1,
      endTokenIds: [3],
      device: 'cpu',
    };
  },
  answer: async ({ name, ms = 0, hang: hangs = false }, { emit }) => {
    const found = loaded.get(name);
    if (!found) throw new CrucibleError('not-found', `the engine has no model ${name}`);
    await emit('begun');
    await delay(ms);
    if (hangs) hang();
    return found;
  },
});

/** Keeps the thread for itself, as native code does that waits for what never comes. */
function hang(): void {
  for (;;);
}
