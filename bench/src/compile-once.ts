/** `node compile-once.ts FOLDER`: compiles the program of `compile`, with its cache there, and prints what it took. */
import { decode, decoderParameters, languageLogits, type ParameterTree } from '@crucible/nn';
import { createOptimizer, type OptimizerState } from '@crucible/optim';
import {
  compile,
  gradient,
  logProbability,
  mean,
  neg,
  type Tensor,
  type TensorType,
  treeFromPaths,
  useCompileCache,
} from '@crucible/tensor';
import type { Compilation } from './compile.ts';
import { smolLm, time } from './smollm.ts';

const float = (...shape: readonly number[]): TensorType => ({ dtype: 'float32', shape });
const ids: TensorType = { dtype: 'int32', shape: [1, time] };
const specs = [...decoderParameters(smolLm, { kind: 'language' })];
const optimizer = createOptimizer();

useCompileCache(process.argv[2]);
const start = performance.now();
const program = await compile(
  {
    parameters: treeFromPaths(new Map(specs.map(({ path, shape }) => [path, float(...shape)]))),
    state: Object.fromEntries(
      specs.map(({ path, shape }) => [path, { first: float(...shape), second: float(...shape) }]),
    ),
    rate: float(),
    step: float(),
    ids,
    next: ids,
  },
  (inputs) => {
    const parameters = inputs.parameters as ParameterTree<Tensor>;
    const { hidden } = decode(parameters, smolLm, { ids: inputs.ids });
    const loss = neg(mean(logProbability(languageLogits(parameters, smolLm, hidden), inputs.next)));
    const state = inputs.state as OptimizerState<Tensor>;
    return { loss, ...optimizer.update(parameters, gradient(loss, parameters as object), state, inputs) };
  },
);
const seconds = (performance.now() - start) / 1000;
process.stdout.write(JSON.stringify({ ...program.statistics, seconds } satisfies Compilation));
await program.dispose();
