import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { type UnigramDefinition, UnigramModel } from './unigram.ts';

const pieces: [string, number][] = [
  ['<unk>', 0],
  ['a', -1],
  ['b', -1],
  ['ab', -1.5],
  ['abc', -9],
  ['c', -2],
  ['bc', -1.9],
  ['\u{1f600}', -3],
  ['</s>', 0],
];

function model(definition: Partial<UnigramDefinition> = {}, reserved: number[] = []): UnigramModel {
  return new UnigramModel({ type: 'Unigram', pieces, unkId: 0, byteFallback: false, ...definition }, new Set(reserved));
}

function shown(piece: string, unigram = model(), tokens = pieces): string {
  const { ids, starts, ends } = unigram.tokenize(piece);
  return ids.map((id, i) => `${tokens[id]![0]}=${piece.slice(starts[i], ends[i])}`).join(' ');
}

describe('UnigramModel', () => {
  it.each([
    ['the best way, not the longest token', 'abc', 'a=a bc=bc'],
    ['a longer token where it is better', 'ab', 'ab=ab'],
    ['neighbouring unknown characters as one', 'axyb', 'a=a <unk>=xy b=b'],
    ['characters of two code units', '\u{1f600}\u{1f601}', '\u{1f600}=\u{1f600} <unk>=\u{1f601}'],
    ['text that is what the vocabulary has for a special token', 'a</s>', 'a=a </s>=</s>'],
  ])('takes %s', (_what, piece, wanted) => {
    expect(shown(piece)).toBe(wanted);
  });

  // Of ways that are equally good, the last bits of the scores decide. The ids are those of tokenizers 0.23.3.
  it.each([
    [28, [3, 3, 3, 2]],
    [36, [3, 3, 3, 2, 3]],
  ])('reads scores as tokenizers does: %d points', (count, ids) => {
    const points: [string, number][] = [
      ['<unk>', 0],
      ['.', -13.467644569384502],
      ['....', -10.730615588650487],
      ['........', -13.644517843956846],
    ];
    expect(model({ pieces: points }).tokenize('.'.repeat(count)).ids).toEqual(ids);
  });

  it('finds the best of all ways', () => {
    const random = Random.seeded(9);
    for (let round = 0; round < 200; round++) {
      const own = Array.from({ length: 12 }, (): [string, number] => [
        Array.from({ length: random.integer(1, 4) }, () => random.pick(['a', 'b', 'c'])).join(''),
        -random.integer(1, 1000) / 64,
      ]);
      const scores = new Map([['a', -20], ['b', -20], ['c', -20], ...own]);
      const tokens: [string, number][] = [['<unk>', 0], ...scores];
      const piece = Array.from({ length: random.integer(1, 9) }, () => random.pick(['a', 'b', 'c'])).join('');
      const { ids } = model({ pieces: tokens }).tokenize(piece);
      expect(ids.map((id) => tokens[id]![0]).join('')).toBe(piece);
      expect(ids.reduce((sum, id) => sum + tokens[id]![1], 0)).toBe(bestScore(piece, scores));
    }
  });

  it('writes what is unknown byte by byte, if all of these tokens are there', () => {
    const bytes = [0xe9, 0x89, 0x84].map((byte): [string, number] => [`<0x${byte.toString(16).toUpperCase()}>`, -99]);
    const tokens = [...pieces, ...bytes];
    const unigram = model({ pieces: tokens, byteFallback: true });
    expect(shown('a\u9244', unigram, tokens)).toBe('a=a <0xE9>=\u9244 <0x89>=\u9244 <0x84>=\u9244');
    expect(shown('\u9244x', unigram, tokens)).toBe('<unk>=\u9244x');
  });

  it('never yields a reserved token, except for what is unknown', () => {
    expect(shown('a</s>', model({}, [0, 8]))).toBe('a=a <unk>=</s>');
    expect(shown('<unk>a', model({}, [0, 8]))).toBe('<unk>=<unk> a=a');
  });

  it('says so where nothing stands for what is unknown', () => {
    expect(() => model({ unkId: null }).tokenize('x')).toThrow(
      'unk_id: the text has an unknown character, and there is no unk_id',
    );
    expect(shown('ab', model({ unkId: null }))).toBe('ab=ab');
  });
});

/** By trying all ways. */
function bestScore(text: string, scores: ReadonlyMap<string, number>): number {
  if (text === '') return 0;
  let best = -Infinity;
  for (let end = 1; end <= text.length; end++) {
    const score = scores.get(text.slice(0, end));
    if (score !== undefined) best = Math.max(best, score + bestScore(text.slice(end), scores));
  }
  return best;
}
