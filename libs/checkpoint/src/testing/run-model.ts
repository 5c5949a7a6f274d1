import {
  type Adapted,
  adaptDecoder,
  classifierLogits,
  decode,
  type DecoderConfig,
  encode,
  type EncoderConfig,
  headScores,
  languageLogits,
  type LoraConfig,
  maskedLanguageLogits,
  type ParameterTree,
  pool,
  withLora,
} from '@crucible/nn';
import {
  compile,
  flatten,
  gradient,
  ints,
  isNdArray,
  mul,
  type NdArray,
  sizeOf,
  sum,
  type Tensor,
} from '@crucible/tensor';
import { isDecoderConfig, type SavedModel } from '../model-folder.ts';
import type { SavedAdapter } from '../peft-folder.ts';

/**
 * Of rows without padding: the logits, or the scores without bias, of every token, row-major; of an encoder that classifies
 * or pools, those of each row. `types` are token types, 0 by default.
 */
export async function runModel(
  model: SavedModel,
  rows: readonly (readonly number[])[],
  types?: readonly (readonly number[])[],
): Promise<Float32Array> {
  const { weights } = model;
  const inputs = inputsOf(rows, types);
  const program = await compile({ weights, inputs }, (given) => ({
    result: logitsOf(model, given.weights as ParameterTree<Tensor>, given.inputs),
  }));
  const { result } = await program.run({ weights, inputs });
  await program.dispose();
  return result.data as Float32Array;
}

/** The same with an adapter, and the gradient of Σ logits[i] · sin(i) by each of its parameters. */
export async function runAdapted(
  model: SavedModel,
  { config, parameters }: SavedAdapter,
  rows: readonly (readonly number[])[],
  read: (logits: Tensor) => Tensor = (logits) => logits,
): Promise<{ readonly logits: NdArray; readonly gradients: ReadonlyMap<string, NdArray> }> {
  const { weights } = model;
  const inputs = inputsOf(rows);
  const program = await compile({ weights, parameters, inputs }, (given) => {
    const tree = given.weights as ParameterTree<Tensor>;
    const learned = given.parameters as ParameterTree<Tensor>;
    const logits = read(
      isDecoderConfig(model.config)
        ? adaptedLogits(model, adaptDecoder(tree, model.config, learned, config), given.inputs)
        : logitsOf(model, withLora(tree, learned, config as LoraConfig), given.inputs),
    );
    const shares = Float32Array.from({ length: sizeOf(logits.shape) }, (_, i) => Math.sin(i));
    const loss = sum(mul(logits, logits.graph.constant('float32', logits.shape, shares)));
    return { logits, gradients: gradient(loss, learned) };
  });
  const { logits, gradients } = await program.run({ weights, parameters, inputs });
  await program.dispose();
  return { logits, gradients: new Map(flatten(gradients, isNdArray).map(({ path, leaf }) => [path, leaf])) };
}

interface Inputs {
  readonly ids: Tensor;
  readonly mask: Tensor;
  readonly types: Tensor;
}

function inputsOf(rows: readonly (readonly number[])[], types?: readonly (readonly number[])[]) {
  const grid = (values: readonly (readonly number[])[]) => ints([values.length, values[0]!.length], values.flat());
  return {
    ids: grid(rows),
    mask: grid(rows.map((row) => row.map(() => 1))),
    types: grid(types ?? rows.map((row) => row.map(() => 0))),
  };
}

function logitsOf(model: SavedModel, weights: ParameterTree<Tensor>, inputs: Inputs): Tensor {
  const { config } = model;
  if (isDecoderConfig(config)) return adaptedLogits(model, { weights, prefix: undefined }, inputs);
  return answer(model, weights, config, encode(weights, config, inputs), inputs.mask);
}

function adaptedLogits(model: SavedModel, { weights, prefix }: Adapted, { ids }: Inputs): Tensor {
  const config = model.config as DecoderConfig;
  const { hidden } = decode(weights, config, { ids, prefix });
  return model.kind === 'language' ? languageLogits(weights, config, hidden) : headScores(weights, hidden);
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
