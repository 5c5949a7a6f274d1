/** For tests: a small encoder with random weights over a WordPiece vocabulary of whole words. */
import { Random } from '@crucible/foundation';
import { initEncoder } from '@crucible/nn';
import { type Tokenizer, trainWordPiece } from '@crucible/tokenizer';
import { encoderConfigOf, mlmDefaults } from '@crucible/training';
import type { MaskedModel } from '../prompt-model.ts';
import { withoutZeros } from './without-zeros.ts';

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
  const weights = withoutZeros(initEncoder(config, { kind: 'masked-language' }, random), random);
  return { weights, config, tokenizer };
}
