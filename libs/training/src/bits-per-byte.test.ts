import { referenceAnswerLogProbabilities, tinyLlama, tinyLlamaConfig } from '@crucible/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BitsPerByte, type ValidationText } from './bits-per-byte.ts';

/** What each token stands for: one to eight bytes of UTF-8; the first is the mark of a beginning. */
const pieces = '|a|e|i|o|u|ß|ü|ét|鉄は|熱い|うち|に打|て|😀|ж|ел|езо|!|…|Ä|ñ|\n'.split('|');
const weights = tinyLlama(1);

function textOf(length: number): ValidationText & { readonly ids: number[] } {
  const ids = [0, ...Array.from({ length: length - 1 }, (_, i) => 1 + ((i * i + 3 * i) % (pieces.length - 1)))];
  const text = ids.map((id) => pieces[id]!).join('');
  return { ids, tokens: Int32Array.from(ids), bytes: new TextEncoder().encode(text).length };
}

/** Bits of each token but the first, over the bytes of the whole text; every window begins anew. */
function direct({ ids, bytes }: ReturnType<typeof textOf>, time: number): number {
  let nats = 0;
  for (let start = 0; start + 1 < ids.length; start += time) {
    const window = ids.slice(start, start + time + 1);
    for (const value of referenceAnswerLogProbabilities(weights, window.slice(0, 1), window.slice(1))) nats -= value;
  }
  return nats / Math.LN2 / bytes;
}

function measure(text: ValidationText, options: { rows: number; time: number; batches?: number }): Promise<number> {
  const meter = new BitsPerByte(tinyLlamaConfig, text, options);
  onTestFinished(() => meter.dispose());
  return meter.measure(weights);
}

describe('bits per byte', () => {
  it('are the bits of all tokens over the bytes of UTF-8', async () => {
    const text = textOf(1 + 4 * 12);
    expect(text.bytes).toBeGreaterThan(2 * text.tokens.length);
    expect(await measure(text, { rows: 2, time: 12 })).toBeAllClose(direct(text, 12), { rtol: 1e-4 });
  });

  it('of a text shorter than a window are those of one short window', async () => {
    const text = textOf(9);
    expect(await measure(text, { rows: 4, time: 64 })).toBeAllClose(direct(text, 64), { rtol: 1e-4 });
  });

  it('of a text shorter than a batch are those of a smaller batch', async () => {
    const text = textOf(1 + 3 * 10);
    expect(await measure(text, { rows: 8, time: 10 })).toBeAllClose(direct(text, 10), { rtol: 1e-4 });
  });

  it('of a long text are estimated from its first batches', async () => {
    const text = textOf(200);
    const first = { ids: text.ids.slice(0, 1 + 2 * 10), bytes: (text.bytes * 20) / 199, tokens: text.tokens };
    expect(await measure(text, { rows: 1, time: 10, batches: 2 })).toBeAllClose(direct(first, 10), { rtol: 1e-4 });
  });
});
