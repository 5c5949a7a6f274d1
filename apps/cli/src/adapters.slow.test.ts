/** An adapter from training to serving and into the weights, by the command. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel, type ModelCard, ModelRegistry, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { initLanguageModel } from '@crucible/nn';
import { flatten, isNdArray } from '@crucible/tensor';
import '@crucible/testing';
import { temporaryFolder } from '@crucible/testing';
import { endOfTextToken, saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { expect, it } from 'vitest';
import { crucible, freePorts, startCrucible } from './testing/crucible.ts';

const tokenizer = await trainBpe(['User: Is 1 odd?\nAssistant: Yes.\n'.repeat(20)], { vocabSize: 280 });

const config = {
  family: 'qwen3',
  vocabularySize: tokenizer.vocabSize,
  hiddenSize: 16,
  intermediateSize: 24,
  layers: 2,
  heads: 2,
  keyValueHeads: 1,
  headSize: 12,
  maxPositions: 256,
  rmsNormEpsilon: 1e-6,
  ropeTheta: 1e6,
  tieEmbeddings: true,
} as const;

function baseFolder(): string {
  const folder = join(temporaryFolder(), 'base');
  mkdirSync(folder);
  const end = tokenizer.tokenToId(endOfTextToken)!;
  saveModel(
    folder,
    { kind: 'language', config, weights: initLanguageModel(config, Random.seeded(1)) },
    { bos: end, eos: [end] },
  );
  saveTokenizer(tokenizer, folder);
  return folder;
}

it('LoRA is trained while `crucible up` serves, answers at once, and is merged and unmerged', async () => {
  const home = temporaryFolder();
  const run = (...args: string[]) => crucible(['--home', home, ...args]);
  const json = async (...args: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run(...args, '--json');
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const instructions = join(temporaryFolder(), 'rows.jsonl');
  const rows = Array.from({ length: 30 }, (_, i) => ({
    question: `Is ${i} odd?`,
    answer: i % 2 === 0 ? 'No.' : 'Yes.',
  }));
  writeFileSync(instructions, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));

  const up = startCrucible(['--home', home, 'up', '--no-forge'], { env: freePorts });
  const [, url] = (await up.says(/serves at (http:\/\/\S+)\/v1/, 60_000)) as unknown as [string, string];
  await json('models', 'import', baseFolder(), '--name', 'base');
  const train = [
    'train',
    'sft',
    '--base',
    'base',
    '--instructions',
    instructions,
    '--name',
    'odd',
    '--adapter',
    'lora',
  ];
  const made = await json(
    ...train,
    '--set',
    'adapter.rank=4',
    '--set',
    'steps=3',
    '--set',
    'rows=2',
    '--set',
    'time=64',
  );
  expect(made).toMatchObject({ models: [expect.stringMatching(/^odd@/) as string] });
  const listed = async (): Promise<string[]> => {
    const answer = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(30_000) });
    return ((await answer.json()) as { data: { id: string }[] }).data
      .map(({ id }) => id)
      .filter((id) => !id.includes('/'));
  };
  await expect.poll(listed, { timeout: 20_000 }).toEqual(['crucible', 'base', 'base:odd']);
  expect(await json('chat', 'Is 1 odd?', '--model', 'base:odd', '--max-tokens', '3')).toMatchObject({
    model: 'base:odd',
    answer: expect.any(String) as string,
  });
  expect(await json('adapters', 'unload', 'base:odd')).toEqual({ model: 'base:odd' });
  expect(await listed()).toEqual(['crucible', 'base']);
  expect(await json('adapters', 'load', 'odd', '--as', 'again')).toMatchObject({ model: 'base:again' });
  expect(await listed()).toEqual(['crucible', 'base', 'base:again']);
  expect(await up.end('SIGINT', 60_000)).toMatchObject({ code: 0 });

  const registry = new ModelRegistry(join(home, 'models'));
  const odd = registry.resolve('odd');
  expect(odd).toMatchObject({ kind: 'adapter', parent: 'base@1', stage: 'sft', finished: true });
  const peft = JSON.parse(readFileSync(join(odd.folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
  expect(peft).toMatchObject({ peft_type: 'LORA', r: 4, lora_alpha: 16, task_type: 'CAUSAL_LM' });
  // What PEFT wrote comes in the same way.
  expect(await json('adapters', 'import', odd.folder, '--base', 'base', '--name', 'copy')).toMatchObject({
    model: 'copy@1',
    kind: 'adapter',
    parent: 'base@1',
  });
  expect(await json('adapters', 'merge', 'copy', '--name', 'whole')).toMatchObject({
    model: 'whole@1',
    kind: 'language',
  });
  expect(await json('adapters', 'unmerge', 'whole', '--name', 'plain')).toMatchObject({ model: 'plain@1' });
  const { models } = (await json('models')) as { models: ModelCard[] };
  expect(models.find(({ name }) => name === 'whole')?.merged).toEqual({ adapter: 'copy@1', sha256: odd.sha256 });
  const valuesOf = (name: string) =>
    flatten(loadModel(registry.resolve(name).folder).weights, isNdArray).map(({ leaf }) => leaf.data);
  const [before, merged, after] = ['base', 'whole', 'plain'].map(valuesOf);
  expect(merged).not.toEqual(before);
  for (const [i, values] of after!.entries()) expect(values).toBeAllClose(before![i]!, { atol: 1e-6, rtol: 1e-6 });

  const text = join(temporaryFolder(), 'text.txt');
  writeFileSync(text, rows.map(({ question, answer }) => `User: ${question}\nAssistant: ${answer}\n`).join(''));
  expect(await json('quantize', 'plain', '--bits', '8', '--calibration', text)).toEqual({
    model: 'plain-q8@1',
    method: 'gptq',
    bits: 8,
    headBits: 8,
    perplexity_before: expect.any(Number) as number,
    perplexity: expect.any(Number) as number,
  });
  expect(await json('quantize', 'plain', '--method', 'rtn', '--name', 'small')).toMatchObject({
    model: 'small@1',
    bits: 4,
  });
  expect(await json('chat', 'Is 1 odd?', '--model', 'small', '--max-tokens', '3')).toMatchObject({ model: 'small' });
  expect(await run('quantize', 'small')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('quantised (quantization_config), which can be served and nothing else') as string,
  });
  expect(await run('quantize', 'plain')).toMatchObject({
    code: 2,
    stderr: 'crucible: gptq needs a calibration text; rtn does without\n',
  });

  expect(await run('train', 'sft', '--base', 'odd', '--instructions', instructions, '--name', 'x')).toMatchObject({
    stderr: expect.stringContaining('holds an adapter and no model: merge it into its base first') as string,
  });
  expect(await run('adapters', 'merge', 'base', '--name', 'x', '--base', 'base')).toMatchObject({
    code: 2,
    stderr: 'crucible: base@1 is no adapter\n',
  });
  expect(await run('adapters', 'unmerge', 'base', '--name', 'x')).toMatchObject({
    code: 2,
    stderr: 'crucible: base@1 has no record of a merged adapter\n',
  });
}, 180_000);
