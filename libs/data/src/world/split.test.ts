import { describe, expect, it } from 'vitest';
import { drawOnSide, heldoutShare, isOnSide, isPairOnSide } from './split.ts';

const contents = Array.from({ length: 20_000 }, (_, i) => `content ${i}`);

describe('isOnSide', () => {
  it('gives an eighth of all content to heldout and unseen, and the rest to train', () => {
    const share = contents.filter((content) => isOnSide('heldout', content)).length / contents.length;
    expect(Math.abs(share - heldoutShare)).toBeLessThan(0.01);
    for (const content of contents.slice(0, 1000)) {
      expect(isOnSide('train', content)).toBe(!isOnSide('heldout', content));
      expect(isOnSide('unseen', content)).toBe(isOnSide('heldout', content));
    }
  });
});

describe('isPairOnSide', () => {
  it('does not depend on the order', () => {
    for (let i = 0; i < 500; i++) expect(isPairOnSide('train', i, 371)).toBe(isPairOnSide('train', 371, i));
  });

  it('keeps single digits for train', () => {
    expect(isPairOnSide('train', 7, 8)).toBe(true);
    expect(isPairOnSide('heldout', 7, 8)).toBe(false);
  });
});

describe('drawOnSide', () => {
  it('draws until something is on the side', () => {
    let i = 0;
    const drawn = drawOnSide('heldout', () => `content ${i++}`, String);
    expect(drawn).toBe(contents.find((content) => isOnSide('heldout', content)));
  });

  it('gives up when nothing ever is', () => {
    const other = contents.find((content) => isOnSide('train', content))!;
    expect(() => drawOnSide('heldout', () => other, String)).toThrow(
      'internal: nothing that was drawn is on the side of heldout',
    );
  });
});
