import '@crucible/testing';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecoderConfig } from '@crucible/nn';
import { floats, type NdArray } from '@crucible/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describe as describeFolder } from './architectures.ts';
import { loadModel, readModelKind, saveModel } from './model-folder.ts';
import { readSafetensors, tensorSources, writeSafetensors } from './safetensors.ts';
import { loadSpecialTokenIds } from './special-token-ids.ts';
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

  interface Given {
    readonly ids: number[][];
    readonly lengths?: number[];
    readonly types?: number[][];
  }

  it.each(readdirSync(fixtures))('reads a model that transformers wrote, and writes it: %s', async (name) => {
    const model = loadModel(join(fixtures, name));
    const given = JSON.parse(readFileSync(join(fixtures, name, 'expected.json'), 'utf8')) as Given;
    const expected = readSafetensors(join(fixtures, name, 'expected.safetensors')).tensors;
    // Only the first row has no padding.
    const rows = given.lengths ? given.ids.slice(0, 1) : given.ids;
    const answers = await runModel(model, rows, given.types?.slice(0, rows.length));
    const wanted = (expected.get('each') ?? expected.get('logits')!).data as Float32Array;
    expect(answers).toBeAllClose(wanted.subarray(0, answers.length), { atol: 3e-5, rtol: 1e-5 });
    saveModel(folder, model, {});
    expect(loadModel(folder)).toEqual(model);
    expect(readModelKind(folder)).toBe(model.kind);
    expect(readFileSync(join(folder, 'config.json'), 'utf8')).toContain(
      (JSON.parse(readFileSync(join(fixtures, name, 'config.json'), 'utf8')) as { architectures: string[] })
        .architectures[0]!,
    );
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
    expect((loadModel(folder).config as { ropeTheta?: number }).ropeTheta).toBe(777);
  });

  describe('refuses, naming the file and what is wrong,', () => {
    beforeEach(() => saveModel(folder, models['a language model with a head of its own'], smallTokens));

    const refusal = (file: string, what: string): Error =>
      expect.objectContaining({
        code: 'invalid-input',
        message: `${join(folder, file)}: ${what}`,
        at: join(folder, file),
      }) as Error;

    const supported =
      'LlamaForCausalLM, LlamaForSequenceClassification, Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen3ForCausalLM, Qwen3ForSequenceClassification, GPT2LMHeadModel, GPT2ForSequenceClassification, BertModel, BertForMaskedLM, BertForSequenceClassification, RobertaModel, RobertaForMaskedLM, RobertaForSequenceClassification';

    it.each<[string, Record<string, unknown>, string]>([
      [
        'another architecture',
        { architectures: ['GemmaForCausalLM'] },
        `architectures is ["GemmaForCausalLM"]; supported are ${supported}`,
      ],
      [
        'a name that every object has',
        { architectures: ['constructor'] },
        `architectures is ["constructor"]; supported are ${supported}`,
      ],
      [
        'no architecture and no type of model',
        { architectures: undefined, model_type: undefined },
        `architectures is undefined and model_type undefined; supported are ${supported}, or without architectures the model types llama, qwen2, qwen3, gpt2, bert, roberta`,
      ],
      [
        'an architecture and a type of model that contradict each other',
        { model_type: 'qwen2' },
        'model_type is "qwen2", which is not that of LlamaForCausalLM',
      ],
      [
        'rotation scaled in a way that is not known',
        { rope_scaling: { rope_type: 'longrope', factor: 8 } },
        'rope type "longrope" is not supported; supported are default, linear, dynamic, llama3, yarn',
      ],
      [
        'scaled rotation under its old name without its number',
        { rope_scaling: { type: 'linear' } },
        'rope parameters: factor is undefined, not a number',
      ],
      [
        'scaled rotation with a number that is not known for it',
        { rope_parameters: { rope_type: 'linear', rope_theta: 500, factor: 2, beta_fast: 3 } },
        'rope parameters: beta_fast is not known for rope type "linear"',
      ],
      [
        'scaled rotation that shrinks',
        { rope_scaling: { type: 'linear', factor: 0.5 } },
        'rope scaling: factor is 0.5; a number from 1 is needed',
      ],
      ['rope parameters that are text', { rope_scaling: 'linear' }, 'rope parameters are "linear", not an object'],
      ['half of a head rotated', { partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5; only 1 is supported'],
      [
        'an activation that is not known',
        { hidden_act: 'relu6' },
        'hidden_act is "relu6"; supported are silu, swish, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu',
      ],
      ['a flag that is none', { mlp_bias: 'yes' }, 'mlp_bias is "yes", not true or false'],
      ['heads of an odd size', { head_dim: 7 }, 'headSize is 7; an even number is needed'],
      [
        'quantised weights',
        { quantization_config: { bits: 4 } },
        'the weights are quantised (quantization_config), which can be served and nothing else; take the model that they were made from',
      ],
      ['an encoder with it', { is_encoder_decoder: true }, 'is_encoder_decoder is true; only false is supported'],
      [
        'a field of which nothing is known',
        { logit_softcap: 30 },
        'logit_softcap is a field that is not known here, and may change what the model computes; remove it if it does not',
      ],
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
      const bias = floats([12], new Float32Array(12));
      writeSafetensors(join(folder, 'model.safetensors'), [
        ...tensorSources(weights),
        ...tensorSources({ 'model.layers.0.self_attn.q_proj.bias': bias }),
      ]);
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), tie_word_embeddings: true }));
      expect(() => loadModel(folder)).toThrow(
        refusal(
          'model.safetensors',
          'tensor model.layers.0.self_attn.q_proj.bias is not part of the model that config.json describes',
        ),
      );
    });

    it('a checkpoint of whole numbers', () => {
      const tensors = tensorSources(models['a language model with a head of its own'].weights);
      const whole = {
        dtype: 'int32',
        read: (): NdArray => ({ dtype: 'int32', shape: [12], data: new Int32Array(12) }),
      } as const;
      writeSafetensors(
        join(folder, 'model.safetensors'),
        tensors.map((tensor) => (tensor.name === 'model.norm.weight' ? { ...tensor, ...whole } : tensor)),
      );
      expect(() => loadModel(folder)).toThrow(
        refusal('model.safetensors', 'tensor model.norm.weight has dtype I32; numbers with a fraction are needed'),
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
    writeSafetensors(join(folder, 'model.safetensors'), [
      ...tensorSources(model.weights),
      ...tensorSources({ 'lm_head.weight': floats([11, 12], new Float32Array(132)) }),
      ...tensorSources({ 'model.layers.0.self_attn.rotary_emb.inv_freq': floats([2], [1, 0.1]) }),
    ]);
    expect(loadModel(folder)).toEqual(model);
  });

  /** Writes the tensors of a fixture anew under other names. */
  function renamed(name: string, rename: (tensor: string) => string, more: object = {}): void {
    const { tensors } = readSafetensors(join(fixtures, name, 'model.safetensors'));
    writeSafetensors(
      join(folder, 'model.safetensors'),
      tensorSources({ ...Object.fromEntries([...tensors].map(([key, tensor]) => [rename(key), tensor])), ...more }),
    );
    cpSync(join(fixtures, name, 'config.json'), join(folder, 'config.json'));
  }

  it('takes the names of the first GPT-2, and the masks that it carries along', () => {
    const mask = floats([1, 1, 2, 2], [1, 0, 1, 1]);
    renamed('gpt2', (tensor) => tensor.replace('transformer.', ''), { 'h.0.attn.bias': mask, 'h.1.attn.bias': mask });
    expect(loadModel(folder)).toEqual(loadModel(join(fixtures, 'gpt2')));
  });

  it('takes the names of the first BERT, and the heads that it was trained with', () => {
    const old = (tensor: string): string =>
      tensor.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
    renamed('bert-masked', old, {
      'cls.predictions.decoder.weight': floats([1], [0]),
      'cls.seq_relationship.weight': floats([2, 12], new Float32Array(24)),
      'bert.pooler.dense.bias': floats([12], new Float32Array(12)),
      'bert.embeddings.position_ids': { dtype: 'int32', shape: [1, 20], data: new Int32Array(20) },
    });
    expect(loadModel(folder)).toEqual(loadModel(join(fixtures, 'bert-masked')));
  });

  it('makes an embedding of an encoder that was trained as another, when it is asked to', () => {
    const own = loadModel(join(fixtures, 'bert-masked'));
    const { kind, weights, ...rest } = loadModel(join(fixtures, 'bert-masked'), { kind: 'embedding' });
    expect(kind).toBe('embedding');
    expect(rest).toEqual({ config: own.config, pooling: { mode: 'mean', normalize: false } });
    expect(weights).toEqual({ bert: own.weights['bert'] });
  });

  it('refuses to make of a folder what it cannot be', () => {
    expect(() => loadModel(join(fixtures, 'gpt2'), { kind: 'embedding' })).toThrow(
      'it holds a model of the kind language; one of the kind embedding is needed',
    );
  });

  it('goes by the type of model where there is no architecture', () => {
    saveModel(folder, models['a language model with a tied head'], smallTokens);
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...json('config.json'), architectures: undefined }));
    expect(loadModel(folder)).toEqual(models['a language model with a tied head']);
  });

  it('takes the configurations that people publish, all of their fields', () => {
    // As on the pages of the models; weights are not looked at before the configuration is accepted.
    const published: Record<string, { json: object; config: Partial<DecoderConfig> }> = {
      smollm2: {
        json: {
          architectures: ['LlamaForCausalLM'],
          attention_bias: false,
          attention_dropout: 0,
          bos_token_id: 1,
          eos_token_id: 2,
          hidden_act: 'silu',
          hidden_size: 576,
          initializer_range: 0.041,
          intermediate_size: 1536,
          is_llama_config: true,
          max_position_embeddings: 8192,
          mlp_bias: false,
          model_type: 'llama',
          num_attention_heads: 9,
          num_hidden_layers: 30,
          num_key_value_heads: 3,
          pad_token_id: 2,
          pretraining_tp: 1,
          rms_norm_eps: 1e-5,
          rope_interleaved: false,
          rope_scaling: null,
          rope_theta: 100000,
          tie_word_embeddings: true,
          torch_dtype: 'bfloat16',
          'transformers.js_config': { kv_cache_dtype: {} },
          transformers_version: '4.42.3',
          use_cache: true,
          vocab_size: 49152,
        },
        config: { layers: 30, keyValueHeads: 3 },
      },
      llama32: {
        json: {
          architectures: ['LlamaForCausalLM'],
          attention_bias: false,
          attention_dropout: 0,
          bos_token_id: 128000,
          eos_token_id: [128001, 128008, 128009],
          head_dim: 64,
          hidden_act: 'silu',
          hidden_size: 2048,
          initializer_range: 0.02,
          intermediate_size: 8192,
          max_position_embeddings: 131072,
          mlp_bias: false,
          model_type: 'llama',
          num_attention_heads: 32,
          num_hidden_layers: 16,
          num_key_value_heads: 8,
          pretraining_tp: 1,
          rms_norm_eps: 1e-5,
          rope_theta: 500000,
          tie_word_embeddings: true,
          rope_scaling: {
            factor: 32,
            high_freq_factor: 4,
            low_freq_factor: 1,
            original_max_position_embeddings: 8192,
            rope_type: 'llama3',
          },
          torch_dtype: 'bfloat16',
          transformers_version: '4.45.0',
          use_cache: true,
          vocab_size: 128256,
        },
        config: { maxPositions: 131072 },
      },
      qwen25: {
        json: {
          architectures: ['Qwen2ForCausalLM'],
          attention_dropout: 0,
          bos_token_id: 151643,
          eos_token_id: 151645,
          hidden_act: 'silu',
          hidden_size: 896,
          initializer_range: 0.02,
          intermediate_size: 4864,
          max_position_embeddings: 32768,
          max_window_layers: 21,
          model_type: 'qwen2',
          num_attention_heads: 14,
          num_hidden_layers: 24,
          num_key_value_heads: 2,
          rms_norm_eps: 1e-6,
          rope_theta: 1000000,
          sliding_window: 32768,
          tie_word_embeddings: true,
          torch_dtype: 'bfloat16',
          transformers_version: '4.43.1',
          use_cache: true,
          use_sliding_window: false,
          vocab_size: 151936,
        },
        config: { hiddenSize: 896 },
      },
      qwen3: {
        json: {
          architectures: ['Qwen3ForCausalLM'],
          attention_bias: false,
          attention_dropout: 0,
          bos_token_id: 151643,
          eos_token_id: 151645,
          head_dim: 128,
          hidden_act: 'silu',
          hidden_size: 1024,
          initializer_range: 0.02,
          intermediate_size: 3072,
          max_position_embeddings: 40960,
          max_window_layers: 28,
          model_type: 'qwen3',
          num_attention_heads: 16,
          num_hidden_layers: 28,
          num_key_value_heads: 8,
          rms_norm_eps: 1e-6,
          rope_scaling: null,
          rope_theta: 1000000,
          sliding_window: null,
          tie_word_embeddings: true,
          torch_dtype: 'bfloat16',
          transformers_version: '4.51.0',
          use_cache: true,
          use_sliding_window: false,
          vocab_size: 151936,
        },
        config: { headSize: 128 },
      },
      gpt2: {
        json: {
          activation_function: 'gelu_new',
          architectures: ['GPT2LMHeadModel'],
          attn_pdrop: 0.1,
          bos_token_id: 50256,
          embd_pdrop: 0.1,
          eos_token_id: 50256,
          initializer_range: 0.02,
          layer_norm_epsilon: 1e-5,
          model_type: 'gpt2',
          n_ctx: 1024,
          n_embd: 768,
          n_head: 12,
          n_layer: 12,
          n_positions: 1024,
          resid_pdrop: 0.1,
          summary_activation: null,
          summary_first_dropout: 0.1,
          summary_proj_to_labels: true,
          summary_type: 'cls_index',
          summary_use_proj: true,
          task_specific_params: { 'text-generation': { do_sample: true, max_length: 50 } },
          vocab_size: 50257,
        },
        config: { heads: 12 },
      },
    };
    for (const [name, { json: fields, config }] of Object.entries(published)) {
      writeFileSync(join(folder, 'config.json'), JSON.stringify(fields));
      const described = describeFolder(fields as Record<string, unknown>, join(folder, 'config.json'));
      expect(described.config, name).toMatchObject(config);
      expect(() => loadModel(folder), name).toThrow(/there is no such file/);
    }
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
