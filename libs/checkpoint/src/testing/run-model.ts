import { decode, languageLogits, scalarScores } from '@crucible/nn';
import { compile, ints, type NdArray } from '@crucible/tensor';
import type { SavedModel } from '../llama-folder.ts';

/** The logits, or the scores without bias, of every token, row-major. */
export async function runModel(model: SavedModel, rows: readonly (readonly number[])[]): Promise<Float32Array> {
  const ids = ints([rows.length, rows[0]!.length], rows.flat());
  const { config } = model;
  if (model.kind === 'language') {
    const { weights } = model;
    const program = await compile({ weights, ids }, (given) => ({
      result: languageLogits(given.weights, decode(given.weights.model, config, given).hidden),
    }));
    return resultOf(program, { weights, ids });
  }
  const { weights } = model;
  const program = await compile({ weights, ids }, (given) => ({
    result: scalarScores(given.weights, decode(given.weights.model, config, given).hidden),
  }));
  return resultOf(program, { weights, ids });
}

async function resultOf<I>(
  program: { run: (inputs: I) => Promise<{ result: NdArray }>; dispose: () => Promise<void> },
  inputs: I,
): Promise<Float32Array> {
  const { result } = await program.run(inputs);
  await program.dispose();
  return result.data as Float32Array;
}
