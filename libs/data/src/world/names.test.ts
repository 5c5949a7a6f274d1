import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { drawFirstName, drawName, drawNames, nameKinds } from './names.ts';
import type { Split } from './split.ts';

const common = new Set(['Mount', 'Lake', 'Bridge', 'Tower', 'Mill', 'Hall', 'Gate', 'Castle']);

/** Every word of a thousand names of every kind. */
function words(split: Split): Set<string> {
  const random = Random.seeded(11);
  const names = nameKinds.flatMap((kind) => Array.from({ length: 4000 }, () => drawName(kind, split, random)));
  return new Set(names.flatMap((name) => name.split(' ')).filter((word) => !common.has(word)));
}

describe('names', () => {
  it('has other words in unseen than in train and heldout, which share theirs', () => {
    const [train, heldout, unseen] = [words('train'), words('heldout'), words('unseen')];
    expect(train.intersection(unseen)).toEqual(new Set());
    expect(heldout).toEqual(train);
    expect(train.size).toBeGreaterThan(2000);
    expect(unseen.size).toBeGreaterThan(600);
  });

  it('tells the kind of a name by its form', () => {
    const random = Random.seeded(1);
    expect(nameKinds.map((kind) => drawName(kind, 'train', random))).toEqual([
      'Jenista',
      'Goress',
      'Mount Lomupe',
      'Lake Balibo',
      'Ralim Fenander',
      'Marurge Tower',
    ]);
    expect(drawFirstName('train', random)).toBe('Voria');
  });

  it('gives no word to two kinds', () => {
    const random = Random.seeded(2);
    const kindOf = new Map<string, string>();
    for (const kind of nameKinds) {
      for (let i = 0; i < 3000; i++) {
        const name = drawName(kind, 'train', random).split(' ');
        for (const [at, word] of name.entries()) {
          if (common.has(word)) continue;
          const own = kind === 'person' ? `${kind} ${at}` : kind;
          expect(kindOf.get(word) ?? own, word).toBe(own);
          kindOf.set(word, own);
        }
      }
    }
  });

  it('draws as many different ones as are asked for', () => {
    expect(new Set(drawNames('town', 100, 'unseen', Random.seeded(3))).size).toBe(100);
  });
});
