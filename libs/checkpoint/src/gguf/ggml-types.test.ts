import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeBlocks, type GgmlType } from './ggml-types.ts';

/** See fixtures/ggml_blocks.py. */
const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/ggml_blocks.json'), 'utf8'),
) as Record<string, string> & { values: number[] };
const values = Float32Array.from(fixture.values);

it.each<GgmlType>(['f16', 'q8_0', 'q4_0'])('writes blocks of %s as the package of ggml does', (type) => {
  expect(Buffer.from(encodeBlocks(type, values)).toString('hex')).toBe(fixture[type]);
});

it('writes float32 as it is, a part of a larger buffer too', () => {
  expect([...encodeBlocks('f32', values.subarray(3, 5))]).toEqual([...new Uint8Array(values.slice(3, 5).buffer)]);
});
