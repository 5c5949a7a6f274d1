/** Words of a vocabulary that may stand in a prompt, and the likelihoods of all. */
import { maskedVocabulary } from '@crucible/training';
import type { MaskedModel } from './prompt-model.ts';

/** Which tokens may stand in a prompt: whole words of letters alone, that the tokenizer gives back as one token. */
export function wholeWords({ tokenizer }: Pick<MaskedModel, 'tokenizer'>): (id: number) => boolean {
  const { continues, special } = maskedVocabulary(tokenizer);
  const known = new Map<number, boolean>();
  return (id) => {
    let is = known.get(id);
    if (is === undefined) {
      is = !special[id] && !continues[id];
      if (is) {
        const word = tokenizer.decode([id]).trim();
        const again = tokenizer.encode(` ${word}`);
        is = /^\p{L}{2,}$/u.test(word) && again.length === 1 && again[0] === id;
      }
      known.set(id, is);
    }
    return is;
  };
}

export function logSoftmax(logits: readonly number[]): Float32Array {
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const total = logits.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return Float32Array.from(logits, (value) => value - largest - Math.log(total));
}
