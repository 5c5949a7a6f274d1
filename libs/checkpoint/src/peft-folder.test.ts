import '@crucible/testing';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { mergeLora } from '@crucible/nn';
import { flatten, isNdArray, type NdArray, reshape, sliceAxis, type Tensor } from '@crucible/tensor';
import { describe, expect, it } from 'vitest';
import { loadModel, parametersOf, type SavedModel } from './model-folder.ts';
import { loadAdapter, openAdapter, saveAdapter, type SavedAdapter } from './peft-folder.ts';
import { readSafetensors } from './safetensors.ts';
import { adapterFixture, adapterFixtures, modelFixture, peft, readWithPeft } from './testing/peft.ts';
import { runAdapted, runModel } from './testing/run-model.ts';

/** Those of the script. */
const rows = [
  [5, 9, 2, 17, 30, 1, 8],
  [3, 3, 36, 12, 0, 7, 21],
];

function open(name: string): { base: string; model: SavedModel; adapter: SavedAdapter } {
  const { base } = openAdapter(adapterFixture(name));
  const model = loadModel(modelFixture(base), base === 'minilm' ? { kind: 'embedding' } : {});
  return { base, model, adapter: loadAdapter(adapterFixture(name), model) };
}

/** What transformers' classes answer: the last token's scores of a model of scores, the mean of the states of an encoder. */
function readAs({ kind }: SavedModel): (logits: Tensor) => Tensor {
  if (kind !== 'scalar') return (logits) => logits;
  return (logits) => reshape(sliceAxis(logits, 1, rows[0]!.length - 1, rows[0]!.length), [rows.length, 1]);
}

/** PEFT's name of a parameter in training, by ours. */
function trainedName(path: string, model: SavedModel): string {
  if (path === 'prompt_embeddings') return 'prompt_encoder.default.embedding.weight';
  const given = model.kind === 'embedding' ? path.replace(/^bert\./, '') : path;
  const [first, ...rest] = given.split('.');
  return `base_model.model.${
    given.includes('.lora_')
      ? given.replace(/lora_([AB])\.weight$/, 'lora_$1.default.weight')
      : [first, 'modules_to_save.default', ...rest].join('.')
  }`;
}

it('has a fixture of PEFT for every kind of adapter and family', () => {
  expect(adapterFixtures).toHaveLength(16);
});

describe.each(adapterFixtures)('the adapter %s of PEFT', (name) => {
  const { model, adapter, base } = open(name);
  const expected = readSafetensors(join(adapterFixture(name), 'expected.safetensors')).tensors;

  it('gives the logits and gradients that PEFT computes', async () => {
    const plain =
      model.kind === 'embedding' ? { ...model, pooling: { mode: 'mean' as const, normalize: false } } : model;
    const { logits, gradients } = await runAdapted(plain, adapter, rows, readAs(model));
    expect(logits.data).toBeAllClose(expected.get('logits')!.data, { atol: 3e-5, rtol: 1e-5 });
    if (expected.size === 1) return;
    expect(gradients.size).toBe(expected.size - 1);
    for (const [path, array] of gradients) {
      const reference = expected.get(`gradient.${trainedName(path, model)}`)!;
      const largest = Math.max(...Array.from(reference.data, Math.abs));
      expect(array.data).toBeAllClose(reference.data, { atol: 1e-4 * largest + 1e-6, rtol: 1e-3 });
    }
  });

  it('is the same when it was saved and read again', () => {
    const folder = temporaryFolder();
    saveAdapter(folder, adapter, model, base);
    const again = loadAdapter(folder, model);
    expect(Object.fromEntries(arrays(again.parameters))).toEqual(Object.fromEntries(arrays(adapter.parameters)));
    expect({ ...again.config, targets: [] }).toEqual({ ...adapter.config, targets: [] });
    expect(openAdapter(folder).base).toBe(base);
  });

  it.runIf(adapter.config.kind === 'lora')('merged into the weights gives the same logits', async () => {
    if (adapter.config.kind !== 'lora') throw new Error('unreachable');
    const weights = mergeLora(model.weights, adapter.parameters, adapter.config, parametersOf(model));
    const { logits } = await runAdapted(model, adapter, rows);
    const merged = await runModel({ ...model, weights }, rows);
    expect(merged).toBeAllClose(logits.data, { atol: 3e-5, rtol: 1e-5 });
    if (/score|roberta/.test(name)) {
      const undo = (): unknown =>
        mergeLora(weights, adapter.parameters, adapter.config as never, parametersOf(model), -1);
      expect(undo).toThrow(/it has put a (score\.weight|classifier\..*) of its own in the place of the model's/);
      return;
    }
    const restored = mergeLora(weights, adapter.parameters, adapter.config, parametersOf(model), -1);
    for (const [path, array] of arrays(model.weights))
      expect(arrays(restored).get(path)!.data).toBeAllClose(array.data, { atol: 1e-6, rtol: 1e-6 });
  });
});

describe('what would change the mathematics is refused by name', () => {
  const refused = (name: string, change: Record<string, unknown>): (() => unknown) => {
    const folder = temporaryFolder();
    cpSync(adapterFixture(name), folder, { recursive: true });
    const path = join(folder, 'adapter_config.json');
    const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...json, ...change }));
    return () => openAdapter(folder);
  };
  it.each([
    ['lora', { use_dora: true }, 'use_dora is true; only false is supported'],
    ['lora', { bias: 'all' }, 'bias is "all"; only "none" is supported'],
    ['lora', { lora_bias: true }, 'lora_bias is true; only false is supported'],
    ['lora', { init_lora_weights: 'pissa' }, 'init_lora_weights is "pissa"; only true or false or'],
    ['lora', { layer_replication: [[0, 2]] }, 'layer_replication is a field that is not known here'],
    ['lora', { trainable_token_indices: [3] }, 'trainable_token_indices is a field that is not known here'],
    ['lora', { peft_type: 'IA3' }, 'peft_type is "IA3"; supported are LORA, PREFIX_TUNING, PROMPT_TUNING'],
    ['prefix', { num_transformer_submodules: 2 }, 'num_transformer_submodules is 2; only 1 is supported'],
    ['prompt', { num_virtual_tokens: 0 }, 'num_virtual_tokens is 0; a whole number from 1 is needed'],
  ])('%s with %o', (name, change, message) => {
    expect(refused(name, change)).toThrow(message);
  });

  it('an adapter of another model', () => {
    const other = loadModel(modelFixture('gpt2'));
    expect(() => loadAdapter(adapterFixture('lora'), other)).toThrow(
      'the model has no matrix transformer.model.layers.0.self_attn.q_proj',
    );
    const wider = loadModel(modelFixture('llama-biases'));
    expect(() => loadAdapter(adapterFixture('lora'), wider)).toThrow(
      'model.layers.0.self_attn.q_proj.lora_A has shape [4, 24]; the model asks for [4, 12]',
    );
    expect(() => loadAdapter(adapterFixture('prefix'), wider)).toThrow('prompt_embeddings has shape [5, 32]');
  });
});

const live = peft ? `PEFT ${peft.peft}` : 'PEFT (skipped: CRUCIBLE_PYTHON, or python3, does not have it)';

describe.skipIf(!peft)(live, () => {
  it('reads what we save, and gives our logits', { timeout: 120_000 }, () => {
    const home = temporaryFolder();
    const names = adapterFixtures.filter((name) => name !== 'lora-minilm');
    const requests = names.map((name) => {
      const { base, model, adapter } = open(name);
      const folder = join(home, name);
      mkdirSync(folder);
      saveAdapter(folder, adapter, model, modelFixture(base));
      return { base: modelFixture(base), adapter: folder, kind: model.kind, rows };
    });
    const answers = readWithPeft(requests);
    for (const [i, name] of names.entries()) {
      const wanted = readSafetensors(join(adapterFixture(name), 'expected.safetensors')).tensors.get('logits')!;
      expect(answers[i], name).toBeAllClose(wanted.data, { atol: 5e-5, rtol: 1e-5 });
    }
  });
});

function arrays(tree: object): Map<string, NdArray> {
  return new Map(flatten(tree, isNdArray).map(({ path, leaf }) => [path, leaf]));
}
