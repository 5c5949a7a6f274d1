import type { Tokenizer } from '../tokenizer.ts';
import { trainBpe } from '../training/train-bpe.ts';

const text = `
The smith heated the iron in the crucible until it glowed, and then she poured it into the mould. "It isn't ready," she
said; "we'll wait. They've waited before, and I'd rather be late than wrong." When the iron had cooled, it was as hard
as stone and as bright as silver, and there was not a crack in it.   1 + 1 = 2, 12 * 12 = 144, 9283 * 31231 = 289917373.

def forge(iron, heat=1200):
    if heat > 1500:
        return None
    return [iron + "!" for blow in range(3)]

Das Eisen glüht. Le fer est chaud. Железо горячее. 鉄は熱いうちに打て。 철은 뜨겁다. 😀👨‍👩‍👧‍👦
`;

/** A tokenizer of ours with some 350 tokens. */
export function trainExampleTokenizer(): Promise<Tokenizer> {
  return trainBpe([text], { vocabSize: 350 });
}
