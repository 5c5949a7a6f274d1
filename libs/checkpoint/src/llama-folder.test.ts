import '@crucible/testing';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flatten, floats, isNdArray, type NdArray } from '@crucible/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel, loadSpecialTokenIds, readModelKind, saveModel } from './llama-folder.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { randomLanguageModel, randomScalarModel, smallTokens } from './testing/random-model.ts';
import { runModel } from './testing/run-model.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const models = {
  'a language model with a tied head': randomLanguageModel(),
  'a language model with a head of its own': randomLanguageModel({ tieEmbeddings: false }),
  'a reward model': randomScalarModel(-1.25),
};

const json = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;

describe('saveModel', () => {
  it.each(Object.entries(models))('writes what loadModel reads back exactly: %s', (_name, model) => {
    saveModel(folder, model, smallTokens);
    expect(loadModel(folder)).toEqual(model);
    expect(readModelKind(folder)).toBe(model.kind);
  });

  it('writes the parameters under their names in transformers, the tied head once', () => {
    const tensorsOf = (): string[] => [...readSafetensors(join(folder, 'model.safetensors')).tensors.keys()].sort();
    saveModel(folder, models['a language model with a tied head'], smallTokens);
    const tied = tensorsOf();
    expect(tied).toEqual(
      [
        'model.embed_tokens.weight',
        'model.norm.weight',
        ...[0, 1].flatMap((i) =>
          [
            'input_layernorm',
            'mlp.down_proj',
            'mlp.gate_proj',
            'mlp.up_proj',
            'post_attention_layernorm',
            'self_attn.k_proj',
            'self_attn.o_proj',
            'self_attn.q_proj',
            'self_attn.v_proj',
          ].map((part) => `model.layers.${i}.${part}.weight`),
        ),
      ].sort(),
    );
    saveModel(folder, models['a language model with a head of its own'], smallTokens);
    expect(tensorsOf()).toEqual(['lm_head.weight', ...tied]);
    saveModel(folder, models['a reward model'], smallTokens);
    expect(tensorsOf()).toEqual([...tied, 'score.weight']);
  });

  it('replaces what was there, and leaves nothing else', () => {
    saveModel(folder, models['a language model with a head of its own'], smallTokens);
    saveModel(folder, models['a language model with a tied head'], smallTokens);
    expect(loadModel(folder)).toEqual(models['a language model with a tied head']);
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
  });
});

describe('loadModel', () => {
  const fixtures = join(import.meta.dirname, '../../nn/fixtures/generated');

  it.each(['tied', 'untied'])('reads a language model that transformers wrote: %s', async (name) => {
    const model = loadModel(join(fixtures, name));
    const { ids, logits } = JSON.parse(readFileSync(join(fixtures, name, 'expected.json'), 'utf8')) as {
      ids: number[][];
      logits: number[][][];
    };
    expect(model).toMatchObject({ kind: 'language', config: { tieEmbeddings: name === 'tied' } });
    expect(await runModel(model, ids)).toBeAllClose(logits.flat(2), { atol: 2e-5, rtol: 1e-5 });
  });

  it('reads a reward model that transformers wrote, with bias 0', async () => {
    const model = loadModel(join(fixtures, 'scalar'));
    const { ids, each } = JSON.parse(readFileSync(join(fixtures, 'scalar/expected.json'), 'utf8')) as {
      ids: number[][];
      each: number[][];
    };
    expect(model).toMatchObject({ kind: 'scalar', bias: 0 });
    // Only the first row has no padding.
    expect(await runModel(model, [ids[0]!])).toBeAllClose(each[0]!, { atol: 1e-5, rtol: 1e-5 });
  });

  it('gives the same weights after saving and loading a half-precision checkpoint', () => {
    const model = loadModel(join(fixtures, 'untied'));
    saveModel(folder, model, smallTokens);
    expect(loadModel(folder)).toEqual(model);
  });

  it('takes the fields that transformers leaves out for their defaults', () => {
    const model = randomLanguageModel({
      tieEmbeddings: false,
      keyValueHeads: 3,
      rmsNormEpsilon: 1e-6,
      ropeTheta: 10_000,
    });
    saveModel(folder, model, smallTokens);
    const defaults = [
      'num_key_value_heads',
      'rms_norm_eps',
      'rope_theta',
      'head_dim',
      'tie_word_embeddings',
      'hidden_act',
    ];
    const left = Object.entries(json('config.json')).filter(([key]) => !defaults.includes(key));
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...Object.fromEntries(left), rope_scaling: null }));
    expect(loadModel(folder)).toEqual(model);
  });

  it('reads the base of the rotation where transformers 5 writes it', () => {
    saveModel(folder, models['a language model with a tied head'], smallTokens);
    const { rope_theta: _old, ...config } = json('config.json');
    expect(_old).toBe(500);
    const rope = { rope_type: 'default', rope_theta: 777 };
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, rope_parameters: rope }));
    expect(loadModel(folder).config.ropeTheta).toBe(777);
  });

  describe('refuses, naming the file and what is wrong,', () => {
    beforeEach(() => saveModel(folder, models['a language model with a head of its own'], smallTokens));

    const refusal = (file: string, what: string): Error =>
      expect.objectContaining({
        code: 'invalid-input',
        message: `${join(folder, file)}: ${what}`,
        at: join(folder, file),
      }) as Error;

    it.each<[string, Record<string, unknown>, string]>([
      [
        'another architecture',
        { architectures: ['GPT2LMHeadModel'] },
        'architectures is ["GPT2LMHeadModel"]; supported are LlamaForCausalLM and LlamaForSequenceClassification',
      ],
      [
        'no architecture',
        { architectures: undefined },
        'architectures is undefined; supported are LlamaForCausalLM and LlamaForSequenceClassification',
      ],
      [
        'scaled rotation, as Llama 3 has it',
        { rope_scaling: { rope_type: 'llama3', factor: 8 } },
        'rope type "llama3" is not supported; only default is',
      ],
      [
        'scaled rotation under its old name',
        { rope_scaling: { type: 'linear', factor: 2 } },
        'rope type "linear" is not supported; only default is',
      ],
      [
        'scaled rotation under its new name',
        { rope_parameters: { rope_type: 'yarn', rope_theta: 500 } },
        'rope type "yarn" is not supported; only default is',
      ],
      ['rope parameters that are text', { rope_scaling: 'linear' }, 'rope parameters are "linear", not an object'],
      ['another activation', { hidden_act: 'gelu' }, 'hidden_act is "gelu"; only silu is supported'],
      ['biases in attention', { attention_bias: true }, 'biases in attention or MLP are not supported'],
      ['biases in the MLP', { mlp_bias: true }, 'biases in attention or MLP are not supported'],
      ['heads of another size', { head_dim: 8 }, 'head_dim is 8; only hidden_size / num_attention_heads is supported'],
      ['a missing size', { hidden_size: undefined }, 'hidden_size is undefined, not a number'],
      ['a size that is text', { vocab_size: '11' }, 'vocab_size is "11", not a number'],
      ['a size of zero', { num_hidden_layers: 0 }, 'layers is 0; a whole number from 1 is needed'],
      ['heads that do not divide', { num_key_value_heads: 2 }, '3 heads do not divide over 2 key-value heads'],
    ])('%s', (_name, change, what) => {
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), ...change }));
      expect(() => loadModel(folder)).toThrow(refusal('config.json', what));
    });

    it('a bias that is no number', () => {
      saveModel(folder, models['a reward model'], smallTokens);
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), reward_bias: 'low' }));
      expect(() => loadModel(folder)).toThrow(refusal('config.json', 'reward_bias is "low", not a number'));
    });

    it.each([
      ['no JSON', '{"architectures": [', 'no valid JSON: '],
      ['a list', '[]', 'no JSON object'],
    ])('a config.json that is %s', (_name, text, what) => {
      writeFileSync(join(folder, 'config.json'), text);
      expect(() => loadModel(folder)).toThrow(`${join(folder, 'config.json')}: ${what}`);
    });

    it.each<[string, Record<string, unknown>, string]>([
      [
        'a checkpoint of another vocabulary',
        { vocab_size: 12 },
        'tensor model.embed_tokens.weight has shape [11, 12]; config.json asks for [12, 12]',
      ],
      [
        'a checkpoint of another inner width',
        { intermediate_size: 9 },
        'tensor model.layers.0.mlp.gate_proj.weight has shape [7, 12]; config.json asks for [9, 12]',
      ],
      [
        'a checkpoint with other heads',
        { num_key_value_heads: 3 },
        'tensor model.layers.0.self_attn.k_proj.weight has shape [4, 12]; config.json asks for [12, 12]',
      ],
      [
        'a checkpoint with fewer layers',
        { num_hidden_layers: 1_000_000_000 },
        'tensor model.layers.2.input_layernorm.weight is missing',
      ],
      [
        'a checkpoint with more layers',
        { num_hidden_layers: 1 },
        'tensor model.layers.1.input_layernorm.weight is not part of the model that config.json describes',
      ],
      [
        'a checkpoint without the head that config.json asks for',
        { architectures: ['LlamaForSequenceClassification'] },
        'tensor score.weight is missing',
      ],
    ])('%s', (_name, change, what) => {
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), ...change }));
      expect(() => loadModel(folder)).toThrow(refusal('model.safetensors', what));
    });

    it('a checkpoint with biases that config.json does not mention', () => {
      const { weights } = models['a language model with a tied head'];
      const leaves = flatten<NdArray>(weights, isNdArray).map(({ path, leaf }) => [path, leaf] as const);
      const extra = { 'model.layers.0.self_attn.q_proj.bias': floats([12], new Float32Array(12)) };
      writeSafetensors(join(folder, 'model.safetensors'), { ...Object.fromEntries(leaves), ...extra });
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), tie_word_embeddings: true }));
      expect(() => loadModel(folder)).toThrow(
        refusal(
          'model.safetensors',
          'tensor model.layers.0.self_attn.q_proj.bias is not part of the model that config.json describes',
        ),
      );
    });

    it('weights in several files', () => {
      cpSync(join(folder, 'config.json'), join(folder, 'model.safetensors.index.json'));
      rmSync(join(folder, 'model.safetensors'));
      expect(() => loadModel(folder)).toThrow(
        expect.objectContaining({
          code: 'invalid-input',
          message: `${folder}: the weights are in several files; only one, model.safetensors, is supported`,
        }) as Error,
      );
    });

    it.each(['config.json', 'model.safetensors'])('a folder without %s', (file) => {
      rmSync(join(folder, file));
      expect(() => loadModel(folder)).toThrow(
        expect.objectContaining({
          code: 'not-found',
          message: expect.stringContaining(join(folder, file)) as string,
        }) as Error,
      );
    });
  });

  it('takes a checkpoint that holds its tied head twice, and rotary frequencies', () => {
    const model = models['a language model with a tied head'];
    saveModel(folder, model, smallTokens);
    writeSafetensors(join(folder, 'model.safetensors'), {
      ...model.weights,
      lm_head: model.weights.model.embed_tokens,
      'model.layers.0.self_attn.rotary_emb.inv_freq': floats([2], [1, 0.1]),
    });
    expect(loadModel(folder)).toEqual(model);
  });
});

describe('loadSpecialTokenIds', () => {
  it('reads what saveModel wrote, all ends of an answer', () => {
    saveModel(folder, models['a language model with a tied head'], smallTokens);
    expect(loadSpecialTokenIds(folder)).toEqual(smallTokens);
  });

  it('reads config.json where there is no generation_config.json', () => {
    saveModel(folder, models['a reward model'], { bos: 3, eos: [4], pad: 5 });
    expect(loadSpecialTokenIds(folder)).toEqual({ bos: 3, eos: [4], pad: 5 });
  });

  it('leaves out what is not there', () => {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ bos_token_id: null, eos_token_id: [7, null, 'x'] }));
    expect(loadSpecialTokenIds(folder)).toEqual({ eos: [7] });
    writeFileSync(join(folder, 'config.json'), '{}');
    expect(loadSpecialTokenIds(folder)).toEqual({});
  });
});
