/** Hugging Face's PEFT, where Python has it, as a reader of what the lab keeps. */
import '@crucible/testing';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { temporaryFolder, tinyLlamaConfig } from '@crucible/testing';
import { trainBpe } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import { parseTemplate } from '../template.ts';
import { withoutZeros } from '../testing/without-zeros.ts';
import type { CausalModel } from './causal-reader.ts';
import { decoderMethod } from './decoder.ts';

const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';

/** See the script; undefined where Python has no PEFT. */
function askPeft(request: object): unknown {
  const script = join(import.meta.dirname, '../../../checkpoint/fixtures/peft_adapters.py');
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' },
  });
  if (status === 0) return JSON.parse(stdout);
  if ('read' in request) throw new Error(`internal: PEFT failed: ${stderr}`);
  return undefined;
}

const versions = askPeft({}) as { readonly peft: string } | undefined;
const live = versions ? `PEFT ${versions.peft}` : 'PEFT (skipped: CRUCIBLE_PYTHON, or python3, does not have it)';

const ways = [
  ['lora', { rank: 2 }],
  ['prefix', { tokens: 3 }],
  ['prefix', { tokens: 3, reparametrization: 'mlp', width: 8 }],
  ['soft-prompt', { tokens: 3 }],
  ['soft-prompt', { tokens: 3, reparametrization: 'lstm', width: 8 }],
] as const;

describe.skipIf(!versions)(live, () => {
  it('says the same of the labels with adapters that were learned here', { timeout: 180_000 }, async () => {
    const tokenizer = await trainBpe(['the red one was good. the blue two was bad. '.repeat(40)], { vocabSize: 330 });
    const config = { ...tinyLlamaConfig, vocabularySize: tokenizer.vocabSize };
    const weights = withoutZeros(initLanguageModel(config, Random.seeded(1)), Random.seeded(2));
    const home = temporaryFolder();
    const base = join(home, 'base');
    mkdirSync(base);
    saveModel(base, { kind: 'language', config, weights }, { pad: 0 });
    const model: CausalModel = { weights, config, tokenizer, base };
    const template = parseTemplate('{text} was {mask}.');
    const words = { no: ['bad'], yes: ['good'] };
    const train = ['red one', 'blue two', 'red two', 'blue one'].map((text, i) => ({ text, label: 1 - (i % 2) }));
    const settings = { ...{ seed: 1, steps: 10, rows: 2, learningRate: 3e-2, warmupShare: 0.1 }, weightDecay: 0 };
    const ids = tokenizer.encode('the red one was');
    const [no, yes] = [' bad', ' good'].map((word) => tokenizer.encode(word)) as [number[], number[]];
    expect([no.length, yes.length]).toEqual([1, 1]);
    const said: number[] = [];
    const requests: object[] = [];
    for (const [i, [kind, adapter]] of ways.entries()) {
      const tuned = await decoderMethod(model, kind, { template, words, adapter }).train(
        { labels: ['no', 'yes'], train, dev: [] },
        { ...settings, evaluations: 0, threads: 1 },
      );
      const folder = join(home, String(i));
      mkdirSync(folder);
      tuned.save(folder);
      said.push((await tuned.predict([{ text: 'the red one' }]))[0]![1]!);
      requests.push({ base, adapter: folder, kind: 'language', rows: [ids] });
      await tuned.dispose();
    }
    const answers = askPeft({ read: requests }) as number[][];
    const theirs = answers.map((logits) => {
      const last = logits.slice(-config.vocabularySize);
      return 1 / (1 + Math.exp(last[no[0]!]! - last[yes[0]!]!));
    });
    expect(said).toBeAllClose(theirs, { atol: 1e-4 });
    expect(new Set(said.map((share) => share.toFixed(3))).size).toBe(ways.length);
  });
});
