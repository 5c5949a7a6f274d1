import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gradient } from '../autodiff/gradient.ts';
import type { Tensor } from '../ir/tensor.ts';
import { gelu, mul } from '../library/elementwise.ts';
import { matmul } from '../library/linalg.ts';
import { softmax, sum } from '../library/reduction.ts';
import { type FloatArray, floats, itemOf } from '../nd-array.ts';
import { compile, type CompiledProgram, useCompileCache } from '../trace/compile.ts';
import { CompileCache } from './compile-cache.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'crucible-cache-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const x = floats(
  [3, 4],
  Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
);
const w = floats(
  [4, 4],
  Float32Array.from({ length: 16 }, (_, i) => Math.cos(i)),
);

interface Step {
  loss: Tensor;
  by: Tensor;
}

/** A program with a constant that its result depends on. */
function compiled(cache: CompileCache, factor = 2): Promise<CompiledProgram<{ x: typeof x; w: typeof w }, Step>> {
  return compile(
    { x, w },
    (inputs) => {
      const loss = sum(mul(softmax(gelu(matmul(inputs.x, inputs.w))), mul(inputs.x, factor)));
      return { loss, by: gradient(loss, inputs.w) };
    },
    { cache },
  );
}

/** Whether a program came from the cache, and what it computes. */
async function outcome(cache: CompileCache, factor?: number): Promise<{ isCached: boolean; values: number[] }> {
  const program = await compiled(cache, factor);
  const { loss, by } = await program.run({ x, w });
  await program.dispose();
  return { isCached: program.statistics.isCached, values: [itemOf(loss), ...by.data] };
}

const entries = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.program'));
const onlyEntry = (): string => join(folder, entries()[0]!);

describe('a cache of compiled programs', () => {
  it('gives the same numbers, bit by bit, without compiling again', async () => {
    const cache = new CompileCache(folder);
    const first = await outcome(cache);
    const second = await outcome(new CompileCache(folder));
    expect([first.isCached, second.isCached]).toEqual([false, true]);
    expect(second.values).toEqual(first.values);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('shows a program that it gave, and counts its nodes', async () => {
    const programs = [await compiled(new CompileCache(folder)), await compiled(new CompileCache(folder))];
    const [made, found] = programs as [(typeof programs)[0], (typeof programs)[0]];
    expect(found.print()).toBe(made.print());
    expect(found.statistics.nodes).toBe(made.statistics.nodes);
    expect(found.statistics).toMatchObject({ isCached: true, inputBytes: 112, outputBytes: 68 });
    for (const program of programs) await program.dispose();
  });

  it('tells apart programs that differ in a constant alone', async () => {
    const cache = new CompileCache(folder);
    const two = await outcome(cache, 2);
    const three = await outcome(cache, 3);
    expect(three.isCached).toBe(false);
    expect(three.values[0]! / two.values[0]!).toBeCloseTo(1.5, 5);
    expect(entries()).toHaveLength(2);
  });

  it('tells apart programs that differ in what their results are written over alone', async () => {
    const cache = new CompileCache(folder);
    const inputs = (): { state: { a: FloatArray; b: FloatArray } } => ({
      state: { a: floats([2], [1, 2]), b: floats([2], [3, 4]) },
    });
    const options = { cache, overwrite: ['state'] };
    for (const [isSwapped, expected] of [
      [
        false,
        [
          [2, 4],
          [6, 8],
        ],
      ],
      [
        true,
        [
          [6, 8],
          [2, 4],
        ],
      ],
    ] as const) {
      const program = await compile(
        inputs(),
        ({ state: { a, b } }) => {
          const [x, y] = [mul(a, 2), mul(b, 2)];
          return { state: isSwapped ? { b: x, a: y } : { a: x, b: y } };
        },
        options,
      );
      for (let run = 0; run < 2; run++) {
        const given = inputs();
        await program.run(given);
        expect([[...given.state.a.data], [...given.state.b.data]]).toEqual(expected);
      }
      expect(program.statistics.isCached).toBe(false);
      await program.dispose();
    }
    expect(entries()).toHaveLength(2);
  });

  it('is what all programs of a process use when it is told so', async () => {
    useCompileCache(folder);
    const build = ({ x }: { x: Tensor }) => ({ y: mul(x, 7) });
    for (const isCached of [false, true]) {
      const program = await compile({ x }, build);
      expect(program.statistics.isCached).toBe(isCached);
      await program.dispose();
    }
    useCompileCache(undefined);
    const program = await compile({ x }, build);
    expect(program.statistics.isCached).toBe(false);
    await program.dispose();
  });

  it.each<[string, (path: string) => void]>([
    ['cut off', (path) => truncateSync(path, readFileSync(path).length - 7)],
    ['empty', (path) => truncateSync(path, 0)],
    [
      'changed in one bit',
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 100]! ^= 1;
        writeFileSync(path, bytes);
      },
    ],
    [
      'of a right sum and no model',
      (path) => {
        const memory = { inputs: 0, constants: 0, between: 0, results: 0, held: 0 };
        const header = Buffer.from(
          JSON.stringify({ key: keyOf(path), outputs: ['a', 'b'], nodes: 1, memory, direct: [] }),
        );
        const length = Buffer.alloc(4);
        length.writeUInt32LE(header.length);
        const rest = Buffer.concat([length, header, Buffer.from('no model')]);
        writeFileSync(path, Buffer.concat([createHash('sha256').update(rest).digest(), rest]));
      },
    ],
    [
      'of a header that reaches beyond the file',
      (path) => {
        const rest = Buffer.concat([Buffer.from([255, 255, 255, 255]), Buffer.from('{}')]);
        writeFileSync(path, Buffer.concat([createHash('sha256').update(rest).digest(), rest]));
      },
    ],
  ])('makes a program anew whose file is %s', async (_what, damage) => {
    const { values } = await outcome(new CompileCache(folder));
    damage(onlyEntry());
    const again = await outcome(new CompileCache(folder));
    expect(again).toEqual({ isCached: false, values });
    expect((await outcome(new CompileCache(folder))).isCached).toBe(true);
  });

  it("takes no program under another one's name", async () => {
    const cache = new CompileCache(folder);
    const two = await outcome(cache, 2);
    const first = onlyEntry();
    const ofTwo = readFileSync(first);
    await outcome(cache, 3);
    const second = join(
      folder,
      entries().find((name) => join(folder, name) !== first)!,
    );
    writeFileSync(second, ofTwo);
    const three = await outcome(cache, 3);
    expect(three.isCached).toBe(false);
    expect(three.values[0]! / two.values[0]!).toBeCloseTo(1.5, 5);
  });

  it('lets the programs go that were not used for longest', async () => {
    const cache = new CompileCache(folder);
    await outcome(cache, 2);
    const size = readFileSync(onlyEntry()).length;
    const oldest = entries()[0]!;
    await outcome(cache, 3);
    const other = entries().find((name) => name !== oldest)!;
    utimesSync(join(folder, oldest), new Date(1000), new Date(1000));
    utimesSync(join(folder, other), new Date(2000), new Date(2000));
    await outcome(cache, 2);
    await outcome(new CompileCache(folder, { maxBytes: 2.5 * size }), 4);
    expect(entries()).toContain(oldest);
    expect(entries()).not.toContain(other);
    expect(entries()).toHaveLength(2);
  });

  it('keeps nothing in a folder that others may write to, and says so', async () => {
    chmodSync(folder, 0o777);
    const problems: string[] = [];
    const cache = new CompileCache(folder, { onProblem: (message) => problems.push(message) });
    for (let i = 0; i < 2; i++) expect((await outcome(cache)).isCached).toBe(false);
    expect(problems).toEqual([`${folder}: others may write to it, so compiled programs are not kept there`]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('compiles all the same where there can be no folder', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const problems: string[] = [];
    const cache = new CompileCache(join(file, 'below'), { onProblem: (message) => problems.push(message) });
    for (let i = 0; i < 2; i++) expect((await outcome(cache)).isCached).toBe(false);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^compiled programs are not kept: ENOTDIR/);
  });

  it('is shared by processes that write at once', async () => {
    const script = join(import.meta.dirname, '../testing/cached-compilations.ts');
    const run = promisify(execFile);
    const outputs = await Promise.all([1, 2, 3].map(() => run(process.execPath, [script, folder])));
    const all = outputs.map(({ stdout }) => JSON.parse(stdout) as { values: number[]; cached: number });
    for (const { values } of all) expect(values).toEqual([5, 10, 15, 20, 25, 30]);
    expect(entries()).toHaveLength(6);
    const { stdout } = await run(process.execPath, [script, folder]);
    expect(JSON.parse(stdout)).toEqual({ values: [5, 10, 15, 20, 25, 30], cached: 6 });
  });
});

function keyOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.program'.length);
}
