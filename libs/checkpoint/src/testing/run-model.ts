import {
  classifierLogits,
  decode,
  encode,
  type EncoderConfig,
  headScores,
  languageLogits,
  maskedLanguageLogits,
  type ParameterTree,
  pool,
} from '@crucible/nn';
import { compile, ints, type Tensor } from '@crucible/tensor';
import { isDecoderConfig, type SavedModel } from '../model-folder.ts';

/**
 * Of rows without padding: the logits, or the scores without bias, of every token, row-major; of an encoder that classifies
 * or pools, those of each row. `types` are token types, 0 by default.
 */
export async function runModel(
  model: SavedModel,
  rows: readonly (readonly number[])[],
  types?: readonly (readonly number[])[],
): Promise<Float32Array> {
  const grid = (values: readonly (readonly number[])[]) => ints([values.length, values[0]!.length], values.flat());
  const { weights, config } = model;
  const inputs = {
    ids: grid(rows),
    mask: grid(rows.map((row) => row.map(() => 1))),
    types: grid(types ?? rows.map((row) => row.map(() => 0))),
  };
  const program = await compile({ weights, inputs }, (given) => {
    const tree = given.weights as ParameterTree<Tensor>;
    const { ids, mask } = given.inputs;
    if (isDecoderConfig(config)) {
      const { hidden } = decode(tree, config, { ids });
      return { result: model.kind === 'language' ? languageLogits(tree, config, hidden) : headScores(tree, hidden) };
    }
    return { result: answer(model, tree, config, encode(tree, config, given.inputs), mask) };
  });
  const { result } = await program.run({ weights, inputs });
  await program.dispose();
  return result.data as Float32Array;
}

function answer(
  model: SavedModel,
  weights: ParameterTree<Tensor>,
  config: EncoderConfig,
  hidden: Tensor,
  mask: Tensor,
): Tensor {
  switch (model.kind) {
    case 'masked-language':
      return maskedLanguageLogits(weights, config, hidden);
    case 'classifier':
      return classifierLogits(weights, config, hidden);
    case 'embedding':
      return pool(hidden, mask, model.pooling);
    case 'language':
    case 'scalar':
      throw new Error('internal: an encoder has no such head');
  }
}
