/**
 * Reads the fields of a config.json, which may come from anywhere. What a family does not know by name is refused: it may
 * change what the model computes. `finish` sees to that.
 */
import { invalidInput } from '@crucible/foundation';

type Json = Readonly<Record<string, unknown>>;

/**
 * Fields of every family that change nothing about what a model computes: names, tokens, how to generate, how to train
 * (dropout too: we train without), how transformers stores and runs it.
 */
const immaterial = new Set(
  `architectures model_type torch_dtype dtype transformers_version _name_or_path name_or_path use_cache initializer_range
  bos_token_id eos_token_id sep_token_id cls_token_id unk_token_id decoder_start_token_id tokenizer_class prefix
  task_specific_params finetuning_task output_attentions output_hidden_states return_dict torchscript use_bfloat16
  gradient_checkpointing chunk_size_feed_forward id2label label2id num_labels problem_type tf_legacy_loss
  tie_encoder_decoder attn_implementation _attn_implementation _attn_implementation_autoset auto_map _commit_hash
  transformers.js_config unsloth_fixed unsloth_version
  max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p
  typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
  num_return_sequences output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id
  remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
  reward_bias`.split(/\s+/),
);

/** Fields of every family that we compute for one value only. */
const fixed: Readonly<Record<string, readonly unknown[]>> = {
  is_encoder_decoder: [false],
  is_decoder: [false, true],
  add_cross_attention: [false],
  cross_attention_hidden_size: [],
};

export class ConfigFields {
  readonly json: Json;
  readonly #path: string;
  readonly #known = new Set<string>();

  /** `path` is named in errors. */
  constructor(json: Json, path: string) {
    this.json = json;
    this.#path = path;
  }

  fail(what: string): never {
    throw invalidInput(`${this.#path}: ${what}`, { at: this.#path });
  }

  /** The value of a field; null counts as absent. */
  take(key: string): unknown {
    this.#known.add(key);
    return this.json[key] ?? undefined;
  }

  number(key: string, fallback?: number): number {
    return this.#number(key, this.take(key) ?? fallback);
  }

  optionalNumber(key: string): number | undefined {
    const value = this.take(key);
    return value === undefined ? undefined : this.#number(key, value);
  }

  #number(key: string, value: unknown): number {
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : this.fail(`${key} is ${JSON.stringify(value)}, not a number`);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.take(key) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(`${key} is ${JSON.stringify(value)}, not true or false`);
  }

  oneOf<Value extends string>(key: string, allowed: readonly Value[], fallback: Value): Value {
    const value = this.take(key) ?? fallback;
    const found = allowed.find((each) => each === value);
    return found ?? this.fail(`${key} is ${JSON.stringify(value)}; supported are ${allowed.join(', ')}`);
  }

  /** A field of which one value alone is supported. */
  only(key: string, ...allowed: readonly unknown[]): void {
    const value = this.take(key);
    if (value === undefined || allowed.includes(value)) return;
    const named = allowed.map((each) => JSON.stringify(each)).join(' or ');
    this.fail(`${key} is ${JSON.stringify(value)}; only ${named === '' ? 'null' : named} is supported`);
  }

  /** Fields of the family that change nothing about what it computes. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  /** Throws when a field is left of which nothing is known. */
  finish(): void {
    if (this.take('quantization_config') !== undefined)
      this.fail(
        'the weights are quantised (quantization_config), which can be served and nothing else; take the model that they were made from',
      );
    const pruned = this.take('pruned_heads');
    if (pruned !== undefined && Object.keys(pruned as object).length > 0) this.fail('pruned_heads is not supported');
    for (const [key, allowed] of Object.entries(fixed)) if (!this.#known.has(key)) this.only(key, ...allowed);
    for (const [key, value] of Object.entries(this.json)) {
      if (value === null || immaterial.has(key) || this.#known.has(key)) continue;
      this.fail(
        `${key} is a field that is not known here, and may change what the model computes; remove it if it does not`,
      );
    }
  }
}
