import '@crucible/testing';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { floats, ints, ndArray } from '@crucible/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSafetensors, SafetensorsReader, tensorSources, writeSafetensors } from './safetensors.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crucible-'));
  path = join(folder, 'x.safetensors');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file of this header and these values, with the header's length in front, or another one. */
function writeFile(header: object | string, data: Uint8Array = new Uint8Array(), claimed?: bigint): void {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.byteLength));
  writeFileSync(path, Buffer.concat([length, json, data]));
}

const f32 = (start: number, end: number, shape = [(end - start) / 4]): object => ({
  dtype: 'F32',
  shape,
  data_offsets: [start, end],
});

describe('writeSafetensors', () => {
  const tree = {
    model: {
      layers: [{ weight: floats([2, 3], [1, -2.5, 3e-40, Infinity, -0, 6]) }, { weight: floats([1], [7]) }],
      'größe "1"': ints([2], [-1, 2 ** 31 - 1]),
    },
    mask: ndArray('bool', [3], Uint8Array.of(1, 0, 1)),
    scalar: floats([], [0.1]),
    nothing: floats([0, 4], []),
  };

  it('writes what readSafetensors reads back exactly, names, shapes, types and metadata', () => {
    writeSafetensors(path, tensorSources(tree), { metadata: { step: '12', 'größe "1"': 'ja' } });
    const { tensors, metadata } = readSafetensors(path);
    expect(Object.fromEntries(tensors)).toEqual({
      'model.layers.0.weight': tree.model.layers[0]!.weight,
      'model.layers.1.weight': tree.model.layers[1]!.weight,
      'model.größe "1"': tree.model['größe "1"'],
      mask: tree.mask,
      scalar: tree.scalar,
      nothing: tree.nothing,
    });
    expect(metadata).toEqual({ format: 'pt', step: '12', 'größe "1"': 'ja' });
    expect(readdirSync(folder)).toEqual(['x.safetensors']);
  });

  it('writes the layout of the format: length, header, values in order and little-endian', () => {
    writeSafetensors(path, tensorSources({ a: floats([2], [1, -2]), b: ints([1], [258]) }));
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.toString('utf8', 8, 8 + length))).toEqual({
      __metadata__: { format: 'pt' },
      a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      b: { dtype: 'I32', shape: [1], data_offsets: [8, 12] },
    });
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 2, 1, 0, 0]);
  });

  it('writes the part of a larger buffer that an array shows, and nothing beside it', () => {
    const part = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    writeSafetensors(path, tensorSources({ part: floats([2], part) }));
    expect(readSafetensors(path).tensors.get('part')).toEqual(floats([2], [2, 3]));
  });
});

describe('halves', () => {
  it('of float16 are written rounded to the nearest, ties to even, as the hardware has them', () => {
    const values = [1, -2, 2 ** -24, 65504, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 1e-9, Infinity];
    writeSafetensors(path, tensorSources({ a: floats([8], values) }), { floats: 'F16' });
    expect([...readSafetensors(path).tensors.get('a')!.data]).toEqual([
      1,
      -2,
      2 ** -24,
      65504,
      1,
      1 + 2 ** -9,
      0,
      Infinity,
    ]);
  });

  it('of bfloat16 are written rounded to the nearest, ties to even, and what is no number stays none', () => {
    const values = [1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 3.3895e38, NaN, -Infinity];
    writeSafetensors(path, tensorSources({ a: floats([7], values), n: ints([1], [7]) }), { floats: 'BF16' });
    const { tensors } = readSafetensors(path);
    expect([...tensors.get('a')!.data]).toEqual([
      1,
      1,
      1 + 2 ** -6,
      1 + 2 ** -7,
      expect.closeTo(3.3895e38, -36),
      NaN,
      -Infinity,
    ]);
    expect(tensors.get('n')).toEqual(ints([1], [7]));
    // A NaN all of whose upper fraction bits are clear, or set.
    const odd = new Float32Array(Uint32Array.of(0x7f800001, 0x7fffffff).buffer);
    writeSafetensors(path, tensorSources({ odd: floats([2], odd) }), { floats: 'BF16' });
    expect([...readSafetensors(path).tensors.get('odd')!.data]).toEqual([NaN, NaN]);
  });

  it('of float16 are refused where a number would become infinite, and nothing is written', () => {
    const write = (): void =>
      writeSafetensors(path, tensorSources({ a: { b: floats([1], [7e4]) } }), { floats: 'F16' });
    expect(write).toThrow('tensor a.b holds 70000, which is beyond the range of float16; bfloat16 has room for it');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('readSafetensors', () => {
  it('widens half precisions exactly', () => {
    // Bits and values from IEEE 754 binary16 and from bfloat16's definition.
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000);
    const brain = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f7f, 0xff80, 0x3dcd);
    const header = {
      half: { dtype: 'F16', shape: [2, 3], data_offsets: [0, 12] },
      brain: { dtype: 'BF16', shape: [6], data_offsets: [12, 24] },
    };
    writeFile(header, Buffer.concat([Buffer.from(halves.buffer), Buffer.from(brain.buffer)]));
    const { tensors } = readSafetensors(path);
    expect(tensors.get('half')).toEqual(floats([2, 3], [1, -2, 2 ** -24, 65504, Infinity, -0]));
    const largest = (2 - 2 ** -7) * 2 ** 127;
    expect(tensors.get('brain')).toEqual(floats([6], [1, -2, 2 ** -133, largest, -Infinity, 0.10009765625]));
  });

  it('reads every type of the format that has a place here', () => {
    const parts: [name: string, dtype: string, bytes: ArrayBufferView, expected: number[]][] = [
      ['double', 'F64', Float64Array.of(0.1, -1e300), [Math.fround(0.1), -Infinity]],
      ['long', 'I64', BigInt64Array.of(-5n, 2n ** 31n - 1n), [-5, 2 ** 31 - 1]],
      ['short', 'I16', Int16Array.of(-32768, 7), [-32768, 7]],
      ['byte', 'I8', Int8Array.of(-128, 127), [-128, 127]],
      ['unsigned long', 'U64', BigUint64Array.of(0n, 9n), [0, 9]],
      ['unsigned', 'U32', Uint32Array.of(1, 2 ** 32 - 1), [1, 2 ** 32 - 1]],
      ['unsigned short', 'U16', Uint16Array.of(65535, 1), [65535, 1]],
      ['unsigned byte', 'U8', Uint8Array.of(255, 1), [255, 1]],
    ];
    let end = 0;
    const header = parts.map(([name, dtype, { byteLength }]) => [
      name,
      { dtype, shape: [2], data_offsets: [end, (end += byteLength)] },
    ]);
    const bytes = parts.map(([, , { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength));
    writeFile(Object.fromEntries(header) as object, Buffer.concat(bytes));
    const { tensors } = readSafetensors(path);
    for (const [name, dtype, , expected] of parts) {
      expect([...tensors.get(name)!.data], name).toEqual(expected);
      expect(tensors.get(name)!.dtype).toBe(dtype === 'F64' ? 'float32' : dtype === 'U32' ? 'uint32' : 'int32');
    }
  });

  it.each<[string, string, ArrayBufferView, string]>([
    ['a long number', 'I64', BigInt64Array.of(2n ** 31n), 'holds 2147483648, which is beyond the range of int32'],
    ['an unsigned long', 'U64', BigUint64Array.of(2n ** 31n), 'holds 2147483648, which is beyond the range of int32'],
    ['a truth', 'BOOL', Uint8Array.of(2), 'holds 2, which is neither 0 nor 1'],
  ])('refuses %s that has no place', (_name, dtype, { buffer, byteLength }, what) => {
    writeFile({ a: { dtype, shape: [1], data_offsets: [0, byteLength] } }, Buffer.from(buffer, 0, byteLength));
    expect(() => readSafetensors(path)).toThrow(bad(`tensor a ${what}`));
  });

  it('reads one tensor without the others', () => {
    const other = { dtype: 'BOOL', shape: [1], data_offsets: [0, 1] };
    writeFile({ other, wanted: f32(1, 5) }, Buffer.concat([Uint8Array.of(9), Buffer.from(Float32Array.of(2).buffer)]));
    using reader = new SafetensorsReader(path);
    expect(reader.read('wanted')).toEqual(floats([1], [2]));
    expect(() => reader.read('other')).toThrow('tensor other holds 9');
  });

  it('reads tensors that the header names in another order than they lie in, and at odd offsets', () => {
    const header = { b: f32(3, 7), a: { dtype: 'BOOL', shape: [3], data_offsets: [0, 3] } };
    writeFile(header, Buffer.concat([Uint8Array.of(1, 0, 1), Buffer.from(Float32Array.of(2.5).buffer)]));
    expect(Object.fromEntries(readSafetensors(path).tensors)).toEqual({
      a: ndArray('bool', [3], Uint8Array.of(1, 0, 1)),
      b: floats([1], [2.5]),
    });
  });

  it('reads a file without tensors, and one whose header is padded', () => {
    writeFile('{}    ');
    expect(readSafetensors(path)).toEqual({ tensors: new Map(), metadata: {} });
  });

  it('takes names that JavaScript gives a meaning of its own', () => {
    writeFile(
      `{"__proto__": ${JSON.stringify(f32(0, 4))}, "constructor": ${JSON.stringify(f32(4, 8))}}`,
      new Uint8Array(8),
    );
    expect([...readSafetensors(path).tensors.keys()]).toEqual(['__proto__', 'constructor']);
  });

  it('says that there is no file', () => {
    expect(() => readSafetensors(path)).toThrow(
      expect.objectContaining({ code: 'not-found', message: expect.stringContaining(path) as string }),
    );
  });

  it('refuses a folder with an error of ours', () => {
    mkdirSync(path);
    expect(() => readSafetensors(path)).toThrow(expect.objectContaining({ name: 'CrucibleError' }));
  });

  const bad = (what: string): unknown =>
    expect.objectContaining({ code: 'invalid-input', message: `${path}: ${what}`, at: path });

  it.each<[string, () => void, string]>([
    ['an empty file', () => writeFileSync(path, ''), '0 bytes are no safetensors file'],
    ['seven bytes', () => writeFileSync(path, 'seven b'), '7 bytes are no safetensors file'],
    [
      'a header that goes on after the end of the file',
      () => writeFile('{}', new Uint8Array(3), 6n),
      'the header claims 6 bytes, the file has 5 after its first eight',
    ],
    [
      'a header longer than the format allows',
      () => writeFile('{}', new Uint8Array(), 100_000_001n),
      'the header claims 100000001 bytes; at most 100000000 are allowed',
    ],
    [
      'a header of 2^64 - 1 bytes',
      () => writeFile('{}', new Uint8Array(), 2n ** 64n - 1n),
      'the header claims 18446744073709552000 bytes; at most 100000000 are allowed',
    ],
    ['a header of nothing', () => writeFile(''), 'the header is no JSON object'],
    ['a header that is not JSON', () => writeFile('{"a": '), 'the header is no JSON object'],
    ['a header that is a list', () => writeFile('[]'), 'the header is no JSON object'],
    ['a header that is null', () => writeFile('null'), 'the header is no JSON object'],
    ['a header with a byte order mark', () => writeFile('\ufeff{}'), 'the header is no JSON object'],
    [
      'a header that is not UTF-8',
      () => writeFileSync(path, Buffer.from([5, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x22, 0x7d])),
      'the header is no JSON object',
    ],
    [
      'a name that comes twice',
      () => writeFile(`{"a":${JSON.stringify(f32(0, 4))},"\\u0061":${JSON.stringify(f32(0, 4))}}`, new Uint8Array(4)),
      'the header has "a" twice',
    ],
    [
      'a field that comes twice',
      () => writeFile('{"\\\\\\"":{"dtype":"F32","shape":[1],"dtype":"I32","data_offsets":[0,4]}}', new Uint8Array(4)),
      'the header has "dtype" twice',
    ],
    [
      'an entry that is null',
      () => writeFile({ a: null }),
      'tensor a has dtype undefined; supported are F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL',
    ],
    [
      'an unknown dtype',
      () => writeFile({ a: { dtype: 'F8_E4M3', shape: [1], data_offsets: [0, 1] } }, new Uint8Array(1)),
      'tensor a has dtype F8_E4M3; supported are F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL',
    ],
    [
      'a dtype that every object has',
      () => writeFile({ a: { dtype: 'toString', shape: [1], data_offsets: [0, 1] } }, new Uint8Array(1)),
      'tensor a has dtype toString; supported are F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL',
    ],
    [
      'no shape',
      () => writeFile({ a: { dtype: 'F32', data_offsets: [0, 4] } }, new Uint8Array(4)),
      'tensor a has no valid shape',
    ],
    [
      'more axes than anything has',
      () => writeFile({ a: f32(0, 4, new Array<number>(33).fill(1)) }, new Uint8Array(4)),
      'tensor a has no valid shape',
    ],
    ['a negative size', () => writeFile({ a: f32(0, 4, [-1]) }, new Uint8Array(4)), 'tensor a has no valid shape'],
    ['a broken size', () => writeFile({ a: f32(0, 4, [0.5]) }, new Uint8Array(4)), 'tensor a has no valid shape'],
    [
      'one offset',
      () => writeFile({ a: { dtype: 'F32', shape: [1], data_offsets: [4] } }, new Uint8Array(4)),
      'tensor a has no valid data_offsets',
    ],
    [
      'a negative offset',
      () => writeFile({ a: f32(-4, 0, [1]) }, new Uint8Array(4)),
      'tensor a has no valid data_offsets',
    ],
    [
      'an end before the start',
      () => writeFile({ a: f32(4, 0, [1]) }, new Uint8Array(4)),
      'tensor a, F32 [1], needs 4 bytes and has -4',
    ],
    [
      'a shape that does not fill the bytes',
      () => writeFile({ a: f32(0, 8, [3]) }, new Uint8Array(8)),
      'tensor a, F32 [3], needs 12 bytes and has 8',
    ],
    [
      'a shape whose product overflows',
      () => writeFile({ a: f32(0, 0, [2 ** 32, 2 ** 32]) }),
      'tensor a, F32 [4294967296, 4294967296], needs 73786976294838210000 bytes and has 0',
    ],
    [
      'tensors that overlap',
      () => writeFile({ a: f32(0, 8), b: f32(4, 12) }, new Uint8Array(12)),
      'tensor b starts at 4; the one before ends at 8',
    ],
    [
      'tensors at the same place',
      () => writeFile({ a: f32(0, 4), b: f32(0, 4) }, new Uint8Array(4)),
      'tensor b starts at 0; the one before ends at 4',
    ],
    [
      'a gap between tensors',
      () => writeFile({ a: f32(0, 4), b: f32(8, 12) }, new Uint8Array(12)),
      'tensor b starts at 8; the one before ends at 4',
    ],
    [
      'a gap before the first tensor',
      () => writeFile({ a: f32(4, 8) }, new Uint8Array(8)),
      'tensor a starts at 4; the one before ends at 0',
    ],
    [
      'offsets beyond the file',
      () => writeFile({ a: f32(0, 4), b: f32(4, 4000) }, new Uint8Array(8)),
      'the tensors take 4000 bytes, the file has 8',
    ],
    [
      'bytes after the last tensor',
      () => writeFile({ a: f32(0, 4) }, new Uint8Array(5)),
      'the tensors take 4 bytes, the file has 5',
    ],
    ['metadata that is no object', () => writeFile({ __metadata__: ['a'] }), '__metadata__ is no object'],
    [
      'metadata that is no text',
      () => writeFile({ __metadata__: { a: 1 } }),
      '__metadata__ holds something other than text',
    ],
  ])('refuses %s', (_name, write, message) => {
    write();
    expect(() => readSafetensors(path)).toThrow(bad(message));
  });

  it('does not take memory for sizes that are only claimed', () => {
    // A header of the largest length in a file that has it, as a hole, and of zeros, which are no JSON.
    writeFile('', new Uint8Array(), 100_000_000n);
    const descriptor = openSync(path, 'r+');
    ftruncateSync(descriptor, 2 ** 33);
    closeSync(descriptor);
    const before = process.memoryUsage().rss;
    expect(() => readSafetensors(path)).toThrow(bad('the header is no JSON object'));
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
  });
});
