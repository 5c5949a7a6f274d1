/** For tests: a small encoder with random weights over a WordPiece vocabulary of whole words. */
import { Random } from '@crucible/foundation';
import { initEncoder, type ModelWeights } from '@crucible/nn';
import { floats, isNdArray, mapTree } from '@crucible/tensor';
import { type Tokenizer, trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import type { MaskedModel } from '../prompt-model.ts';

const words =
  'a the film was it great good bad terrible plot actor scene and but so very all in red blue green one two three';

export function tinyTokenizer(): Promise<Tokenizer> {
  // Often enough that every word becomes one token.
  return trainWordPiece([`${words} `.repeat(30), 'unwatchable . ! ? ,'], { vocabSize: 400 });
}

export async function tinyEncoder(seed = 1): Promise<MaskedModel> {
  const tokenizer = await tinyTokenizer();
  const sizes = { ...mlmDefaults, hiddenSize: 32, layers: 2, heads: 2, maxPositions: 32 };
  const config = encoderConfigOf(sizes, tokenizer.vocabSize);
  const random = Random.seeded(seed);
  const initial = initEncoder(config, { kind: 'masked-language' }, random);
  // A fresh one begins with projections of zero, and no token knows of another.
  const weights = mapTree(initial, isNdArray, (leaf) =>
    leaf.shape.length === 2 && leaf.data.every((value) => value === 0)
      ? floats(
          leaf.shape,
          Float32Array.from(leaf.data, () => 0.3 * random.normal()),
        )
      : leaf,
  ) as ModelWeights;
  return { weights, config, tokenizer };
}
