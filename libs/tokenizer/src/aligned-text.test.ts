import { describe, expect, it } from 'vitest';
import { AlignedText } from './aligned-text.ts';

/** Each character with the part of the original that it comes from. */
function shown(text: AlignedText, original: string): string {
  let at = 0;
  return Array.from(text.text, (character) => {
    const [start, end] = text.originOf(at, (at += character.length));
    return `${character}=${original.slice(start, end)}`;
  }).join(' ');
}

describe('AlignedText', () => {
  const original = 'a\u{1f600}bc';
  const text = AlignedText.original(original);

  it('is aligned to itself at first', () => {
    expect(shown(text, original)).toBe('a=a \u{1f600}=\u{1f600} b=b c=c');
    expect(text.originOf(0, 3)).toEqual([0, 3]);
  });

  it('keeps track of parts, and of what is put in front', () => {
    const part = text.slice(1, 4);
    expect(shown(part, original)).toBe('\u{1f600}=\u{1f600} b=b');
    expect(shown(part.prepend('__'), original)).toBe('_=\u{1f600} _=\u{1f600} \u{1f600}=\u{1f600} b=b');
    expect(AlignedText.original('bc', 3).originOf(1, 2)).toEqual([4, 5]);
  });

  it('keeps track of what is rewritten', () => {
    const changed = text.rewritten('xyzB', (rewriting) => {
      rewriting.add('x', 0);
      rewriting.replace('yz');
      rewriting.add('B', -1);
    });
    expect(shown(changed, original)).toBe('x=a y=\u{1f600} z=\u{1f600} B=b');
    const dropped = text.rewritten('!c', (rewriting) => {
      rewriting.drop(2);
      rewriting.add('!', 1);
      rewriting.drop(1);
      rewriting.add('c', 0);
    });
    expect(shown(dropped, original)).toBe('!=\u{1f600} c=c');
  });

  it('does not ask how, where nothing changes or no alignment is wanted', () => {
    const never = (): never => {
      throw new Error('asked');
    };
    expect(text.rewritten(original, never)).toBe(text);
    expect(new AlignedText('ab').rewritten('c', never).text).toBe('c');
  });

  it('knows what begins the original, and what begins a part', () => {
    for (const whole of [text, new AlignedText(original)]) {
      expect(whole.beginsOriginal(0)).toBe(true);
      expect(whole.slice(0, 1).beginsOriginal(0)).toBe(true);
      expect(whole.slice(1, 3).beginsOriginal(0)).toBe(false);
      expect(whole.slice(1, 3).beginsPart(0)).toBe(true);
      expect(whole.slice(1, 3, 'nothing').beginsPart(0)).toBe(false);
      expect(whole.slice(1, 4, 'nothing').beginsPart(2)).toBe(true);
      expect(whole.rewritten('xyz', (rewriting) => rewriting.replace('xyz')).beginsOriginal(0)).toBe(true);
    }
  });
});
