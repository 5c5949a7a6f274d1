/** A model of somebody else's, from its folder or a hub through every stage, and back out. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelCard, type SavedModel, saveModel } from '@crucible/checkpoint';
import { Random } from '@crucible/foundation';
import { startHub } from '@crucible/hub/testing';
import { type DecoderConfig, initLanguageModel } from '@crucible/nn';
import { temporaryFolder } from '@crucible/testing';
import { endOfTextToken, saveTokenizer, trainBpe } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';
import { crucible, freePorts, startCrucible } from './testing/crucible.ts';

const text = 'User: Is 1 odd?\nAssistant: Yes.\n';
const tokenizer = await trainBpe([text.repeat(20)], { vocabSize: 280 });
const common = { vocabularySize: tokenizer.vocabSize, hiddenSize: 16, intermediateSize: 24, layers: 2, heads: 2 };
const configs: Record<string, DecoderConfig> = {
  gpt2: {
    ...common,
    family: 'gpt2',
    keyValueHeads: 2,
    maxPositions: 128,
    layerNormEpsilon: 1e-5,
    activation: 'gelu_new',
    tieEmbeddings: true,
  },
  qwen3: {
    ...common,
    family: 'qwen3',
    keyValueHeads: 1,
    headSize: 12,
    maxPositions: 4096,
    rmsNormEpsilon: 1e-6,
    ropeTheta: 1e6,
    tieEmbeddings: true,
  },
};

/** A folder as people have them: with no format for conversations, if it is of a model of texts. */
function folderOf(family: string): string {
  const folder = join(temporaryFolder(), family);
  mkdirSync(folder);
  const config = configs[family]!;
  const model: SavedModel = { kind: 'language', config, weights: initLanguageModel(config, Random.seeded(1)) };
  const end = tokenizer.tokenToId(endOfTextToken)!;
  saveModel(folder, model, { bos: end, eos: [end] });
  saveTokenizer(tokenizer, folder);
  if (family === 'gpt2') {
    const path = join(folder, 'tokenizer_config.json');
    const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...json, chat_template: null, eos_token: endOfTextToken }));
  }
  return folder;
}

/** Thirty rows that differ in a number. */
function rows(row: (i: number) => object): string {
  const path = join(temporaryFolder(), 'rows.jsonl');
  writeFileSync(path, Array.from({ length: 30 }, (_, i) => `${JSON.stringify(row(i))}\n`).join(''));
  return path;
}

/** Runs the command with a home of its own; what it prints as JSON. */
function atHome() {
  const home = temporaryFolder();
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    crucible(['--home', home, ...args], { env });
  const json = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run([...args, '--json']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const options = (given: Record<string, number>): string[] =>
    Object.entries(given).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return { home, run, json, options };
}

const instructions = (): string => rows((i) => ({ question: `Is ${i} odd?`, answer: i % 2 === 0 ? 'No.' : 'Yes.' }));

/** What the newest version of a model has in one of its files. */
function fileOf(home: string, name: string, file: string): Record<string, unknown> {
  const folder = join(home, 'models', name);
  const version = readFileSync(join(folder, 'latest'), 'utf8').padStart(6, '0');
  return JSON.parse(readFileSync(join(folder, version, file), 'utf8')) as Record<string, unknown>;
}

it('a GPT-2 goes from its folder through every stage, and back out', async () => {
  const { home, json, options } = atHome();
  const folder = folderOf('gpt2');
  const imported = await json('models', 'import', folder, '--name', 'base');
  expect(imported).toEqual({ model: 'base@1', kind: 'language', origin: folder });
  const questions = instructions();
  const chat = ['train', 'sft', '--name', 'chat', '--base', 'base', '--instructions', questions];
  expect(await json(...chat, ...options({ steps: 2, rows: 2, time: 64 }))).toMatchObject({ models: ['chat@2'] });
  const preferences = rows((i) => ({ prompt: `Is ${i} odd?`, chosen: 'Yes.', rejected: 'Why not?' }));
  const judge = ['train', 'reward', '--name', 'judge', '--base', 'chat', '--preferences', preferences];
  expect(await json(...judge, ...options({ steps: 2, groups: 2, time: 64 }))).toMatchObject({
    models: [expect.stringMatching(/^judge@/) as string],
  });
  const better = ['train', 'ppo', '--name', 'better', '--base', 'chat', '--reward-model', 'judge'];
  const small = { iterations: 1, samples: 4, maxTokens: 6, time: 64 };
  expect(await json(...better, '--prompts', questions, ...options(small))).toMatchObject({
    models: [expect.stringMatching(/^better@/) as string],
  });

  const { models } = (await json('models')) as { models: ModelCard[] };
  expect(models.map(({ name, origin }) => [name, origin])).toEqual(
    ['base', 'better', 'chat', 'judge'].map((name) => [name, folder]),
  );
  expect(fileOf(home, 'better', 'config.json')['model_type']).toBe('gpt2');
  // It had no format for conversations, and has a plain one now.
  expect(fileOf(home, 'better', 'tokenizer_config.json')['chat_template']).toContain('Assistant: ');
  const end = tokenizer.tokenToId(endOfTextToken)!;
  expect(fileOf(home, 'better', 'generation_config.json')['eos_token_id']).toEqual([end]);

  const out = temporaryFolder();
  await json('export', 'better', '--format', 'huggingface', '--to', join(out, 'hf'), '--type', 'bf16');
  await json('export', 'better', '--format', 'gguf', '--to', join(out, 'm.gguf'), '--type', 'f32');
  await json('export', 'judge', '--format', 'onnx', '--to', join(out, 'm.onnx'));
  expect(readdirSync(out).sort()).toEqual(['hf', 'm.gguf', 'm.onnx']);
  expect(readdirSync(join(out, 'hf'))).toContain('tokenizer.json');
}, 120_000);

it('a Qwen3 that has learned conversations keeps their format, and every token that ended an answer', async () => {
  const { home, json, options } = atHome();
  await json('models', 'import', folderOf('qwen3'), '--name', 'base');
  const chat = ['train', 'sft', '--name', 'chat', '--base', 'base', '--instructions', instructions()];
  await json(...chat, ...options({ steps: 1, rows: 2, time: 64 }));
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    expect(fileOf(home, 'chat', file)).toEqual(fileOf(home, 'base', file));
  const end = tokenizer.tokenToId(endOfTextToken)!;
  expect(fileOf(home, 'base', 'generation_config.json')['eos_token_id']).toEqual([end]);
  expect(fileOf(home, 'chat', 'generation_config.json')['eos_token_id']).toEqual([tokenizer.eosId, end]);
}, 60_000);

it('a model that is taken in while `crucible up` runs is served at once', { timeout: 120_000 }, async () => {
  const { home, json } = atHome();
  const up = startCrucible(['--home', home, 'up', '--no-forge'], { env: freePorts });
  const [, url] = (await up.says(/serves at (http:\/\/\S+)\/v1/, 60_000)) as unknown as [string, string];
  await json('models', 'import', folderOf('qwen3'), '--name', 'mine');
  const listed = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(30_000) });
  const { data } = (await listed.json()) as { readonly data: readonly { readonly id: string }[] };
  const models = data.filter(({ id }) => !id.startsWith('crucible/'));
  expect(models).toMatchObject([{ id: 'crucible' }, { id: 'mine', context_length: 4096 }]);
  const answer = await json('chat', 'Is 1 odd?', '--model', 'mine', '--max-tokens', '3');
  expect(answer).toEqual({ model: 'mine', answer: expect.any(String) as string });
  expect(await up.end('SIGINT', 60_000)).toMatchObject({ code: 0 });
});

describe('a model of a hub', () => {
  const repo = 'Somebody/Tiny-Model';
  const hubOf = (folder: string) =>
    startHub(
      repo,
      Object.fromEntries(
        readdirSync(folder).map((path) => [
          path,
          { content: readFileSync(join(folder, path)), lfs: path.endsWith('.safetensors') },
        ]),
      ),
    );

  it('comes into the registry, with a token', async () => {
    const hub = await hubOf(folderOf('qwen3'));
    hub.behaviour.token = 'hf_secret';
    hub.behaviour.cuts.push(1000);
    const { home, run, json } = atHome();
    const env = { HF_ENDPOINT: `${hub.endpoint}/`, HF_TOKEN: 'hf_secret' };
    expect(await run(['pull', repo], env)).toEqual({
      code: 0,
      signal: null,
      stdout: `Made tiny-model@1 of ${repo}.\n`,
      stderr: '',
    });
    const { models } = (await json('models')) as { models: ModelCard[] };
    expect(models).toMatchObject([{ name: 'tiny-model', origin: `${repo}@${'a'.repeat(40)}`, kind: 'language' }]);
    expect(readdirSync(join(home, 'downloads'))).toEqual([]);
  });

  it('comes into a folder', async () => {
    const source = folderOf('gpt2');
    const hub = await hubOf(source);
    const to = join(temporaryFolder(), 'there');
    const { run } = atHome();
    const { code, stdout } = await run(['pull', repo, '--to', to, '--json'], {
      HF_ENDPOINT: hub.endpoint,
      HF_TOKEN: '',
    });
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, folder: to, commit: 'a'.repeat(40) });
    expect(readdirSync(to).sort()).toEqual(readdirSync(source).sort());
    expect(readFileSync(join(to, 'model.safetensors'))).toEqual(readFileSync(join(source, 'model.safetensors')));
  });

  it('is not there', async () => {
    const hub = await hubOf(folderOf('gpt2'));
    const { home, run } = atHome();
    expect(await run(['pull', 'nobody/nothing'], { HF_ENDPOINT: hub.endpoint, HF_TOKEN: '' })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `crucible: ${hub.endpoint} has no nobody/nothing at revision main\n`,
    });
    expect(existsSync(join(home, 'downloads/nobody--nothing'))).toBe(false);
  });
});

describe('what is wrong is named:', () => {
  it.each<[string[], string]>([
    [['models', 'import', '/no/such', '--name', 'x'], '/no/such is no folder of a model: it has no config.json'],
    [
      ['pull', 'x/y', '--name', 'a', '--to', 'b'],
      '--name and --to exclude each other: the one is for the registry, the other for a folder',
    ],
    [['pull', '../x'], '"../x" is no name of a repository; it must be OWNER/NAME'],
    [['export', 'nope', '--format', 'gguf', '--to', 'x'], 'model nope does not exist; known are none yet'],
    [['export', 'm', '--format', 'onnx', '--to', 'x', '--type', 'q8_0'], '--type q8_0: onnx is written as f32'],
    [
      ['export', 'm', '--format', 'gguf', '--to', 'x', '--type', 'bf16'],
      '--type bf16: gguf is written as f32, f16, q8_0, q4_0',
    ],
    [
      ['export', 'm', '--format', 'gguf', '--to', 'x', '--max-shard-size', '1GB'],
      '--max-shard-size: it is for huggingface, not for gguf',
    ],
    [
      ['export', 'm', '--format', 'gguf', '--to', 'x', '--external-data'],
      '--external-data: it is for onnx, not for gguf',
    ],
  ])('crucible %j', async (args, message) => {
    const { run } = atHome();
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: `crucible: ${message}\n` });
  });

  it('crucible export over something that is there', async () => {
    const { home, run, json } = atHome();
    await json('models', 'import', folderOf('gpt2'), '--name', 'm');
    const file = join(home, 'taken.gguf');
    writeFileSync(file, 'mine');
    expect(await run(['export', 'm', '--format', 'gguf', '--to', file])).toMatchObject({
      code: 1,
      stderr: `crucible: --to ${file}: there is something already\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});
