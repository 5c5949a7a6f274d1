import { describe, expect, it } from 'vitest';
import { AnswerReader, type Frame, FrameReader } from './channel.ts';
import { resolveLimits } from './program.ts';

const nonce = Buffer.from('0123456789abcdef');

function frame(kind: string, content: Buffer | string, by = nonce, length = content.length): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(length);
  return Buffer.concat([by, Buffer.from(kind), size, Buffer.from(content)]);
}

function read(parts: readonly Buffer[], most = 1000): { frames: string[]; wrong: string | undefined } {
  const frames: string[] = [];
  const reader = new FrameReader(({ kind, content }) => frames.push(`${kind}:${content.toString()}`));
  reader.expect(nonce, most);
  let wrong: string | undefined;
  for (const part of parts) wrong ??= reader.read(part);
  return { frames, wrong };
}

function answer(frames: readonly Frame[], limits = {}): { wrong: (string | undefined)[]; reader: AnswerReader } {
  const reader = new AnswerReader(resolveLimits(limits));
  return { wrong: frames.map((given) => reader.read(given)), reader };
}

function fileFrame(path: string, content: string): Frame {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(Buffer.byteLength(path));
  return { kind: 'F', content: Buffer.concat([size, Buffer.from(path), Buffer.from(content)]) };
}

describe('frames', () => {
  it('are read however their bytes are cut', () => {
    const bytes = Buffer.concat([frame('O', 'one'), frame('E', ''), frame('D', 'three')]);
    const expected = { frames: ['O:one', 'E:', 'D:three'], wrong: undefined };
    expect(read([bytes])).toEqual(expected);
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(expected);
    expect(read([bytes.subarray(0, 30), bytes.subarray(30)])).toEqual(expected);
  });

  it('without the nonce are a breach, also right after honest ones', () => {
    expect(read([frame('D', '{}', Buffer.alloc(16))])).toEqual({ frames: [], wrong: 'it spoke without the nonce' });
    const { frames, wrong } = read([
      Buffer.concat([frame('O', 'x'), Buffer.from('print of a program, which is long')]),
    ]);
    expect({ frames, wrong }).toEqual({ frames: ['O:x'], wrong: 'it spoke without the nonce' });
  });

  it('that announce more than is allowed are a breach before anything is kept', () => {
    expect(read([frame('O', '', nonce, 4_000_000_000)])).toEqual({
      frames: [],
      wrong: 'it announced 4000000000 bytes; at most 1000 are allowed',
    });
  });
});

describe('an answer', () => {
  const done = { kind: 'D', content: Buffer.from('{"exitCode": 3, "report": "r", "signal": null, "exceeded": null}') };

  it('is files and one end, after which nothing may come', () => {
    const { wrong, reader } = answer([fileFrame('a/b', 'x'), done, done]);
    expect(wrong).toEqual([undefined, undefined, 'it spoke after its end']);
    expect(reader.answer).toEqual({ exitCode: 3, signal: null, report: 'r', exceeded: null });
    expect(reader.files.map(({ path, content }) => [path, Buffer.from(content).toString()])).toEqual([['a/b', 'x']]);
  });

  it('leaves out files whose names could lead somebody astray', () => {
    const { reader } = answer(['../a', '/a', 'a\nb', ''].map((path) => fileFrame(path, 'x')));
    expect(reader.files).toEqual([]);
  });

  it.each<[string, Frame[], object, string]>([
    ['more files', [fileFrame('a', ''), fileFrame('b', '')], { files: 1 }, 'it sent more files than the limits allow'],
    [
      'larger files',
      [fileFrame('a', ''), fileFrame('b', 'x'.repeat(1_048_577))],
      { diskBytes: 1_048_576 },
      'it sent more files than the limits allow',
    ],
    ['half a file', [{ kind: 'F', content: Buffer.from('x') }], {}, 'it sent half of a file'],
    ['a kind of its own', [{ kind: 'Z', content: Buffer.alloc(0) }], {}, 'it sent a frame of the kind "Z"'],
    ['an end that is no JSON', [{ kind: 'D', content: Buffer.from('{') }], {}, 'its last word cannot be read'],
  ])('of %s is a breach', (_what, frames, limits, message) => {
    expect(answer(frames, limits).wrong.at(-1)).toBe(message);
  });

  it('takes nothing for what it is not', () => {
    const content = Buffer.from(
      '{"exitCode": "0", "signal": {}, "report": 1, "exceeded": "all", "__proto__": {"x": 1}}',
    );
    const { reader } = answer([{ kind: 'D', content }]);
    expect(reader.answer).toEqual({ exitCode: null, signal: null, report: '', exceeded: null });
  });
});
