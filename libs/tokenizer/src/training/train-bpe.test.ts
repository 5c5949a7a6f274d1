import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { trainBpe } from './train-bpe.ts';
import type { TrainingProgress } from './piece-counts.ts';
import type { Tokenizer } from '../tokenizer.ts';

function mergesOf({ definition: { model } }: Tokenizer): string[] {
  if (model.type !== 'BPE') throw new Error(model.type);
  const tokens = [...model.vocab.keys()];
  return model.merges.map(({ left, right }) => `${tokens[left]!} ${tokens[right]!}`);
}

describe('trainBpe', () => {
  it('learns what can be worked out by hand', async () => {
    // Pieces: low 1, Ġlow 2, Ġlower 1, Ġlowest 1. The pairs l o and o w come 5 times, lo w 5, Ġ low 4, Ġlow e 2; the
    // rest once each: s t has the smallest ids, then Ġlowe r (r comes before st), then Ġlowe st.
    const tokenizer = await trainBpe(['low low low lower lowest'], { vocabSize: 300, specialTokens: ['<|end|>'] });
    expect(mergesOf(tokenizer)).toEqual(['l o', 'lo w', 'Ġ low', 'Ġlow e', 's t', 'Ġlowe r', 'Ġlowe st']);
    expect(tokenizer.vocabSize).toBe(1 + 256 + 7);
    const tokens = tokenizer.encode('low lowest lows').map((id) => tokenizer.idToToken(id));
    expect(tokens).toEqual(['low', 'Ġlowest', 'Ġlow', 's']);
  });

  it('gives special tokens the first ids, then bytes in the order of their alphabet', async () => {
    const tokenizer = await trainBpe(['x'], { vocabSize: 258, specialTokens: ['<|end|>', '<|pad|>'] });
    expect([0, 1, 2, 3, 95, 96, 190, 257].map((id) => tokenizer.idToToken(id)).join(' ')).toBe(
      '<|end|> <|pad|> ! " ~ ¡ Ā Ń',
    );
    expect(tokenizer.specialTokens).toEqual(
      new Map([
        ['<|end|>', 0],
        ['<|pad|>', 1],
      ]),
    );
  });

  it('makes a tokenizer for chats unless told otherwise', async () => {
    const tokenizer = await trainBpe(['x'], { vocabSize: 263 });
    expect([...tokenizer.specialTokens.keys()].join(' ')).toBe(
      '<|endoftext|> <|pad|> <|system|> <|user|> <|assistant|> <|tool|> <|end|>',
    );
    expect([tokenizer.bosId, tokenizer.padId, tokenizer.eosId]).toEqual([0, 1, 6]);
    const plain = await trainBpe(['x'], { vocabSize: 256, specialTokens: [] });
    expect(plain.settings).toEqual({});
  });

  it('does not depend on the order of the texts', async () => {
    const texts = ['the iron is hot', 'the smith is here', 'strike it while hot: the iron'];
    const [first, second] = await Promise.all(
      [texts, texts.toReversed()].map((each) => trainBpe(each, { vocabSize: 300 })),
    );
    expect(mergesOf(first!).length).toBeGreaterThan(20);
    expect(mergesOf(second!)).toEqual(mergesOf(first!));
  });

  it('does not make a special token out of plain text', async () => {
    const specialTokens = ['END'];
    const tokenizer = await trainBpe(['END END ENDS'], { vocabSize: 300, specialTokens });
    expect(mergesOf(tokenizer)).toContain('E N');
    expect(tokenizer.encode('END').map((id) => tokenizer.idToToken(id))).toEqual(['EN', 'D']);
    expect(tokenizer.encodeWithSpecialTokens('END')).toEqual([0]);
  });

  it('reads lone surrogates as U+FFFD', async () => {
    const tokenizer = await trainBpe(['a\ud800 a\ud800'], { vocabSize: 300 });
    expect(tokenizer.decode(tokenizer.encode('\ud800'))).toBe('\ufffd');
    expect(tokenizer.encode('\ud800')).toHaveLength(1);
  });

  it('reports reading and merging, and lets the event loop turn', async () => {
    const progress: TrainingProgress[] = [];
    let turns = 0;
    const ticking = setInterval(() => turns++, 1);
    const random = Random.seeded(12);
    function* texts(): Generator<string> {
      for (let i = 0; i < 40; i++) {
        yield Array.from({ length: 3000 }, () => random.uint32().toString(36)).join(' ');
        for (const until = performance.now() + 5; performance.now() < until;);
      }
    }
    const tokenizer = await trainBpe(texts(), { vocabSize: 3000, onProgress: (each) => progress.push(each) });
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(2);
    const reading = progress.filter((each) => each.phase === 'reading');
    const merging = progress.filter((each) => each.phase === 'merging');
    expect(progress).toEqual([...reading, ...merging]);
    expect(reading.length * merging.length).toBeGreaterThan(0);
    expect(reading.map(({ characters }) => characters)).toEqual(
      reading.map(({ characters }) => characters).sort((a, b) => a - b),
    );
    expect(merging.every(({ tokens, vocabSize }) => tokens > 263 && tokens <= 3000 && vocabSize === 3000)).toBe(true);
    expect(tokenizer.vocabSize).toBe(3000);
  });

  it('can be cancelled', async () => {
    const controller = new AbortController();
    function* endless(): Generator<string> {
      for (let i = 0; ; i++) yield `${i} `.repeat(100);
    }
    const training = trainBpe(endless(), { vocabSize: 300, signal: controller.signal });
    controller.abort();
    await expect(training).rejects.toMatchObject({
      code: 'cancelled',
      message: 'training the tokenizer was cancelled',
    });
  });

  it.each([
    [{ vocabSize: 262 }, 'vocabSize: 262 is not a whole number from 263 (256 bytes and 7 special tokens) to 1048576'],
    [
      { vocabSize: 300.5 },
      'vocabSize: 300.5 is not a whole number from 263 (256 bytes and 7 special tokens) to 1048576',
    ],
    [
      { vocabSize: 2 ** 20 + 1 },
      'vocabSize: 1048577 is not a whole number from 263 (256 bytes and 7 special tokens) to 1048576',
    ],
    [{ vocabSize: 300, specialTokens: ['<a>', '<b>', '<a>'] }, 'specialTokens[2]: "<a>" is already specialTokens[0]'],
    [{ vocabSize: 300, specialTokens: [''] }, 'specialTokens[0]: a special token cannot be empty'],
    [
      { vocabSize: 300, specialTokens: ['<a>', 'Ġ'] },
      'specialTokens[1]: "Ġ" is a character of the byte alphabet; take a longer one',
    ],
    [{ vocabSize: 300, specialTokens: ['<\ud800>'] }, 'specialTokens[0]: "<\\ud800>" has a lone surrogate'],
    [{ vocabSize: 300, settings: { eosToken: '<eos>' } }, 'eosToken: "<eos>" is not a token of this tokenizer'],
  ])('refuses %j before it reads a text', async (options, message) => {
    const unreadable: Iterable<string> = { [Symbol.iterator]: () => expect.fail('has been read') };
    await expect(trainBpe(unreadable, options)).rejects.toMatchObject({ code: 'invalid-input', message });
  });

  it.each([[[]], [['', '']]])('refuses the texts %j', async (texts) => {
    await expect(trainBpe(texts, { vocabSize: 300 })).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'texts: there is no text to train on',
    });
  });
});
