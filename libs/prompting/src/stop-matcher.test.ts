import { describe, expect, test } from 'vitest';
import { Random } from '@crucible/foundation';
import { StopMatcher } from './stop-matcher.ts';

/** What is shown of a text that comes in these pieces. */
function shown(stops: readonly string[], pieces: readonly string[]): { text: string; stopped: boolean } {
  const matcher = new StopMatcher(stops);
  const text = pieces.map((piece) => matcher.push(piece)).join('') + matcher.flush();
  return { text, stopped: matcher.stopped };
}

describe('stop strings', () => {
  test.each<[string, string[], string[], string, boolean]>([
    ['in one piece', ['END'], ['one END two'], 'one ', true],
    ['over two pieces', ['END'], ['one E', 'ND two'], 'one ', true],
    ['over many pieces', ['END'], ['one ', 'E', 'N', 'D', ' two'], 'one ', true],
    ['that only begin', ['END'], ['one EN', 'E', 'N'], 'one ENEN', false],
    ['that begin again within themselves', ['aab'], ['a', 'a', 'a', 'b', 'c'], 'a', true],
    ['at the very beginning', ['\n'], ['\n', 'one'], '', true],
    ['with emojis', ['😀'], ['one 😁', '😀 two'], 'one 😁', true],
    ['of which there are none', [], ['one', ' two'], 'one two', false],
    ['of which the one that is complete first counts', ['abcd', 'b'], ['abcd'], 'a', true],
    ['of which the longest of those that end together counts', ['b', 'ab'], ['xab'], 'x', true],
  ])('%s', (_what, stops, pieces, text, stopped) => {
    expect(shown(stops, pieces)).toEqual({ text, stopped });
  });

  test('are never shown in part, and no more is held back than might begin one', () => {
    const matcher = new StopMatcher(['STOP', '\n\n']);
    expect(['one S', 'T', 'x', '\n', 'y'].map((piece) => matcher.push(piece))).toEqual(['one ', '', 'STx', '', '\ny']);
  });

  test('cut a text at the same place whatever pieces it comes in', () => {
    const random = Random.seeded(1);
    const letters = (length: number): string =>
      Array.from({ length }, () => 'ab'[Math.floor(random.uniform() * 2)]).join('');
    for (let round = 0; round < 500; round++) {
      const stops = Array.from({ length: 1 + (round % 3) }, (_, i) => letters(2 + ((round + i) % 4)));
      const text = letters(12);
      const whole = shown(stops, [text]);
      const cut = Math.floor(random.uniform() * 12);
      expect(shown(stops, [text.slice(0, cut), text.slice(cut)])).toEqual(whole);
      expect(shown(stops, text.split(''))).toEqual(whole);
      // Letter by letter: the text ends where a stop string is complete for the first time.
      const end = Array.from(text, (_, i) => text.slice(0, i + 1)).find((part) =>
        stops.some((stop) => part.endsWith(stop)),
      );
      const longest = Math.max(...stops.filter((stop) => end?.endsWith(stop)).map(({ length }) => length));
      expect(whole.text).toBe(end === undefined ? text : end.slice(0, -longest));
    }
  });
});
