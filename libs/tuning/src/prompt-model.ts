/** Prompts over an encoder's own head for masked words: template, label words, virtual tokens. */
import { invalidInput, type Random } from '@crucible/foundation';
import {
  encode,
  type EncoderConfig,
  encoderFamily,
  hiddenRows,
  maskedLanguageLogits,
  type ModelWeights,
  type ParameterTree,
} from '@crucible/nn';
import { concat, floats, gather, matmul, type NdArray, type Tensor } from '@crucible/tensor';
import type { Tokenizer } from '@crucible/tokenizer';
import type { Reparametrization } from '@crucible/training';
import type { EncoderInputs, EncoderPrompt, EncoderTask } from './encoder-classifier.ts';
import type { EncodedPrompt } from './template.ts';
import { type Verbalizer, verbalizerWeights } from './verbalizer.ts';

/** A masked language model with what reads and writes its tokens. */
export interface MaskedModel {
  readonly weights: ModelWeights;
  readonly config: EncoderConfig;
  readonly tokenizer: Tokenizer;
}

/** The name of the virtual tokens among parameters: [count, hiddenSize]. */
export const softName = 'soft_prompt';

/** What of a prompted model is learned: all of it, its virtual tokens alone, or nothing (zero-shot). */
export type PromptScope = 'all' | 'soft' | 'none';

/** Embeddings that virtual tokens begin as: those of given tokens, or for -1 of random ones. */
export function initSoftPrompt(
  { weights, config }: Pick<MaskedModel, 'weights' | 'config'>,
  begin: readonly number[],
  random: Random,
): NdArray {
  const { hiddenSize, vocabularySize } = config;
  const table = wordTable<NdArray>(weights, config).data as Float32Array;
  const data = new Float32Array(begin.length * hiddenSize);
  begin.forEach((given, i) => {
    const id = given === -1 ? random.integer(0, vocabularySize - 1) : given;
    data.set(table.subarray(id * hiddenSize, (id + 1) * hiddenSize), i * hiddenSize);
  });
  return floats([begin.length, hiddenSize], data);
}

/** A prompt as the model with virtual tokens reads it: theirs are the ids beyond the vocabulary. */
export function promptOf({ ids, maskAt, softAt }: EncodedPrompt, { vocabularySize }: EncoderConfig): EncoderPrompt {
  const own = [...ids];
  softAt.forEach((place, i) => (own[place] = vocabularySize + i));
  return { ids: own, at: maskAt };
}

/** Scores of labels by their words at the place of the answer. */
export function promptTask(
  { weights, config }: Pick<MaskedModel, 'weights' | 'config'>,
  verbalizer: Verbalizer,
  soft: NdArray | undefined,
  scope: PromptScope,
  reparametrization?: Reparametrization,
): EncoderTask {
  if (scope === 'soft' && !soft) {
    throw invalidInput('template: it has no {soft} tokens, and nothing else is to be learned', { at: 'template' });
  }
  const { ids, weights: shares } = verbalizerWeights(verbalizer);
  const softPart = soft ? { [softName]: reparametrization?.parameters ?? soft } : {};
  const read = (tree: ParameterTree<Tensor>): ParameterTree<Tensor> =>
    reparametrization ? { ...tree, [softName]: reparametrization.apply(branchOf(tree)) } : tree;
  const parts: Readonly<Record<PromptScope, [ModelWeights, ModelWeights]>> = {
    all: [{ ...weights, ...softPart }, {}],
    soft: [softPart, weights],
    none: [{}, { ...weights, ...softPart }],
  };
  const [learned, frozen] = parts[scope];
  return {
    config,
    learned,
    frozen,
    scores: (own, others, inputs) => {
      const logits = logitsOf(read({ ...others, ...own }), config, inputs);
      const { graph } = logits;
      const counted = gather(logits, graph.constant('int32', [ids.length], Int32Array.from(ids)), { axis: 1 });
      const matrix = graph.constant('float32', [shares.length, ids.length], Float32Array.from(shares.flat()));
      return matmul(counted, matrix, { transposeB: true });
    },
  };
}

function branchOf(tree: ParameterTree<Tensor>): ParameterTree<Tensor> {
  return tree[softName] as ParameterTree<Tensor>;
}

/** Logits [rows, vocabulary] of the tokens that are read. */
export function logitsOf(
  weights: ParameterTree<Tensor>,
  config: EncoderConfig,
  { ids, mask, types, at }: EncoderInputs<Tensor>,
): Tensor {
  const hidden = encode(withSoftTokens(weights, config), config, { ids, mask, types });
  return maskedLanguageLogits(weights, config, hiddenRows(hidden, at));
}

/** The model with its virtual tokens behind its vocabulary; as it is, where it has none. */
function withSoftTokens(weights: ParameterTree<Tensor>, config: EncoderConfig): ParameterTree<Tensor> {
  const soft = weights[softName] as Tensor | undefined;
  if (!soft) return weights;
  const { body } = encoderFamily(config);
  const branch = weights[body] as ParameterTree<Tensor>;
  const embeddings = branch['embeddings'] as ParameterTree<Tensor>;
  const weight = concat([wordTable(weights, config), soft], 0);
  return {
    ...weights,
    [body]: { ...branch, embeddings: { ...embeddings, word_embeddings: { weight } } },
  };
}

export function wordTable<Leaf>(weights: ParameterTree<Leaf>, config: EncoderConfig): Leaf {
  const { embeddings } = weights[encoderFamily(config).body] as unknown as {
    readonly embeddings: { readonly word_embeddings: { readonly weight: Leaf } };
  };
  return embeddings.word_embeddings.weight;
}
