import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Random } from '@crucible/foundation';
import { describe, expect, it } from 'vitest';
import { gradient, valueAndGradient } from '../autodiff/gradient.ts';
import { type Program, programsWithin, topologicalOrder } from '../ir/graph.ts';
import { printProgram } from '../ir/print.ts';
import { isPrimitive, type Tensor } from '../ir/tensor.ts';
import { type FloatArray, floats, ints, itemOf, scalar } from '../nd-array.ts';
import { optimize } from '../rewrite/passes.ts';
import { type Shape, sizeOf } from '../shape.ts';
import { agreed } from '../testing/agreement.ts';
import { compile, trace } from '../trace/compile.ts';
import { checkpoint, cond, customGradient, loop, scan, whileLoop } from './control.ts';
import {
  add,
  cast,
  div,
  equal,
  exp,
  less,
  mul,
  neg,
  rem,
  round,
  sin,
  square,
  sub,
  tanh,
  where,
} from './elementwise.ts';
import { gather } from './indexing.ts';
import { matmul } from './linalg.ts';
import { reshape, stack, unstack } from './movement.ts';
import { sum } from './reduction.ts';

function normal(shape: Shape, seed: number): FloatArray {
  const random = Random.seeded(seed);
  return floats(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

/** How often a primitive is in a program and the programs within it. */
function count(program: Program, primitive: string): number {
  return topologicalOrder(program.outputs).reduce((total, tensor) => {
    const within = programsWithin(tensor).reduce((sum, one) => sum + count(one, primitive), 0);
    return total + within + Number(tensor.primitive === primitive);
  }, 0);
}

function scansOf(program: Program): Tensor<'scan'>[] {
  return topologicalOrder(program.outputs).filter((tensor) => isPrimitive(tensor, 'scan'));
}

function expectSame(values: readonly { readonly data: ArrayLike<number> }[]): void {
  const half = values.length / 2;
  for (let i = 0; i < half; i++) {
    Array.from(values[i]!.data).forEach((value, j) => expect(value).toBeCloseTo(values[half + i]!.data[j]!, 9));
  }
}

describe('scan', () => {
  const given = { h: normal([2, 3], 1), x: normal([5, 2, 3], 2), w: normal([3, 3], 3), b: normal([3], 4) };
  type Given = Record<keyof typeof given, Tensor>;

  /** A step of a recurrent network; its weights come from around the scan. */
  const cell =
    ({ w, b }: Pick<Given, 'w' | 'b'>) =>
    (h: Tensor, x: Tensor) => {
      const next = tanh(add(add(matmul(h, w), x), b));
      return { carry: next, output: { next, mixed: mul(next, sin(h)) } };
    };

  it.each([
    { reverse: false, recompute: false },
    { reverse: true, recompute: false },
    { reverse: false, recompute: true },
  ])('has the results and gradients of the same steps written out: %j', async (options) => {
    const loss = (carry: Tensor, next: readonly Tensor[], mixed: readonly Tensor[]): Tensor =>
      [...next.map((one, i) => mul(sum(one), i + 1)), ...mixed.map((one) => sum(square(one)))].reduce(add, sum(carry));
    const { values } = await agreed(given, (inputs) => {
      const { carry, outputs } = scan(cell(inputs), inputs.h, inputs.x, options);
      const scanned = loss(carry, unstack(outputs.next), unstack(outputs.mixed));
      let h = inputs.h;
      const [next, mixed]: [Tensor[], Tensor[]] = [[], []];
      const steps = unstack(inputs.x);
      for (const i of options.reverse ? [4, 3, 2, 1, 0] : [0, 1, 2, 3, 4]) {
        const step = cell(inputs)(h, steps[i]!);
        h = step.carry;
        [next[i], mixed[i]] = [step.output.next, step.output.mixed];
      }
      const written = loss(h, next, mixed);
      return [scanned, gradient(scanned, inputs), written, gradient(written, inputs)];
    });
    expectSame(values);
  });

  it('goes through its steps once forwards and once backwards, with what is read alone', () => {
    const types = { h: floats([2], [0, 0]), x: floats([4, 2], new Float32Array(8)), w: scalar(1), unused: scalar(1) };
    const { program } = trace(types, ({ h, x, w, unused }) => {
      const step = (state: { h: Tensor; n: Tensor }, one: Tensor) => {
        const next = tanh(add(mul(state.h, w), one));
        return { carry: { h: next, n: add(state.n, 1) }, output: [next, mul(next, unused)] as const };
      };
      const { carry, outputs } = scan(step, { h, n: w.graph.scalar(0, 'int32') }, x);
      return gradient(sum(add(carry.h, outputs[0])), { h, w });
    });
    expect(printProgram(optimize(program))).toMatchInlineSnapshot(`
      "(h: float32[2], x: float32[4,2], w: float32[], unused: float32[]) {
        %0: float32[2] = broadcast(4) {shape: [2]}
        %1: (float32[2], float32[4,2], float32[4,2]) = scan(h, x, w) {carries: 1, sequences: 1, length: 4}
          (p0: float32[2], p2: float32[2], c0: float32[]) {
            %0: float32[2] = mul(p0, c0)
            %1: float32[2] = add(%0, p2)
            %2: float32[2] = tanh(%1)
            %3: float32[2] = mul(%2, %2)
            %4: float32[2] = sub(1, %3)
            return %2, p0, %4
          }
        %2: float32[4,2] = broadcast(1) {shape: [4,2]}
        %3: (float32[2], float32[]) = scan(%0, 0, %1.1, %1.2, %2, w) {carries: 2, sequences: 3, length: 4, reverse}
          (p0: float32[2], p1: float32[], p2: float32[2], p3: float32[2], p4: float32[2], p5: float32[]) {
            %0: float32[2] = add(p0, p4)
            %1: float32[2] = mul(%0, p3)
            %2: float32[2] = mul(%1, p5)
            %3: float32[2] = mul(%1, p2)
            %4: float32[] = sum(%3) {axes: [0]}
            %5: float32[] = add(p1, %4)
            return %2, %5
          }
        return %3.0, %3.1
      }"
    `);
  });

  it('keeps the carries alone where the gradient is to work out the rest again', () => {
    const keptBy = (recompute: boolean): number => {
      const { program } = trace(given, (inputs) => {
        const { carry } = scan(cell(inputs), inputs.h, inputs.x, { recompute });
        return gradient(sum(carry), inputs.w);
      });
      const [forwards, backwards, ...more] = scansOf(optimize(program));
      expect([more.length, backwards!.params.reverse]).toEqual([0, true]);
      return forwards!.parts!.length;
    };
    // The last carry and those before each step; what tanh gave besides
    expect([keptBy(true), keptBy(false)]).toEqual([2, 3]);
  });

  it('works out what is the same in all steps before them', () => {
    const { program } = trace(given, ({ h, x, w }) => {
      const { carry } = scan((state: Tensor, one: Tensor) => ({ carry: add(matmul(state, exp(w)), one) }), h, x);
      return { carry, by: gradient(sum(carry), w) };
    });
    const within = scansOf(optimize(program)).map(({ params }) => count(params.body, 'exp'));
    expect([within, count(optimize(program), 'exp')]).toEqual([[0, 0], 1]);
  });

  it('goes through several sequences, of any type, within another scan', async () => {
    const inputs = {
      ids: ints([4], [2, 0, 1, 2]),
      x: normal([4, 3, 2], 5),
      table: normal([3, 2], 6),
      start: normal([2], 7),
    };
    const step =
      (table: Tensor, start: Tensor) => (carry: { n: Tensor; total: Tensor }, at: { id: Tensor; rows: Tensor }) => {
        const row = gather(table, at.id);
        const inner = (state: Tensor, one: Tensor) => ({
          carry: tanh(mul(add(state, one), row)),
          output: mul(state, one),
        });
        const { carry: last, outputs } = scan(inner, start, at.rows);
        const total = add(carry.total, sum(mul(last, cast(carry.n, 'float32'))));
        return { carry: { n: add(carry.n, at.id), total }, output: sum(outputs, { axes: 0 }) };
      };
    const { values } = await agreed(inputs, ({ ids, x, table, start }) => {
      const zero = { n: ids.graph.scalar(1, 'int32'), total: ids.graph.scalar(0) };
      const scanned = scan(step(table, start), zero, { id: ids, rows: x });
      const written = unstack(x).reduce(
        ({ carry, list }, rows, i) => {
          // The inner scan stays a scan: the outer one is written out.
          const done = step(table, start)(carry, { id: gather(ids, ids.graph.scalar(i, 'int32')), rows });
          return { carry: done.carry, list: [...list, done.output] };
        },
        { carry: zero, list: [] as Tensor[] },
      );
      const loss = (total: Tensor, outputs: Tensor): Tensor => add(total, sum(sin(outputs)));
      const [a, b] = [loss(scanned.carry.total, scanned.outputs), loss(written.carry.total, stack(written.list))];
      return [
        a,
        scanned.carry.n,
        gradient(a, { x, table, start }),
        b,
        written.carry.n,
        gradient(b, { x, table, start }),
      ];
    });
    expectSame(values);
    expect(values[1]!.data[0]).toBe(6);
  });

  it('differentiates twice', async () => {
    const { values } = await agreed({ h: normal([2], 1), x: normal([3, 2], 2) }, ({ h, x }) => {
      const twice = (last: Tensor): Tensor => gradient(sum(square(gradient(sum(square(last)), x))), h);
      const step = (state: Tensor, one: Tensor): Tensor => mul(sin(state), one);
      const scanned = scan((state: Tensor, one: Tensor) => ({ carry: step(state, one) }), h, x).carry;
      return [twice(scanned), twice(unstack(x).reduce(step, h))];
    });
    expectSame(values);
    expect(Math.abs(values[0]!.data[0]!)).toBeGreaterThan(1e-3);
  });

  it('may have nothing to do', async () => {
    const program = await compile({ h: scalar(3), x: floats([0, 2], []) }, ({ h, x }) => {
      const { carry, outputs } = scan((c: Tensor, one: Tensor) => ({ carry: add(c, sum(one)), output: one }), h, x);
      return { carry, outputs };
    });
    const { carry, outputs } = await program.run({ h: scalar(3), x: floats([0, 2], []) });
    expect([itemOf(carry), outputs.shape]).toEqual([3, [0, 2]]);
    await program.dispose();
  });

  it('says what does not fit', () => {
    const failing = (build: (x: Tensor) => unknown) => () =>
      trace({ x: floats([3, 2], new Float32Array(6)) }, ({ x }) => build(x));
    const zero = (x: Tensor): Tensor => x.graph.scalar(0);
    expect(failing((x) => scan((_, one: Tensor) => ({ carry: { h: one } }), { h: zero(x) }, x))).toThrow(
      'scan: the next carry h is float32[2], not float32[]',
    );
    expect(failing((x) => scan(() => ({ carry: {} as { h: Tensor } }), { h: zero(x) }, x))).toThrow(
      'scan: the next carry h is missing',
    );
    expect(failing((x) => scan((c: Tensor) => ({ carry: c }), zero(x), [x, reshape(x, [6])]))).toThrow(
      'scan: the sequence 1 is float32[6], not 3 elements',
    );
    expect(failing((x) => scan((c: Tensor) => ({ carry: c }), zero(x), []))).toThrow('scan: there is no sequence');
    let kept: Tensor | undefined;
    const leak = (x: Tensor): Tensor => {
      scan((c: Tensor, one: Tensor) => ({ carry: add(c, sum((kept = one))) }), zero(x), x);
      return kept!;
    };
    expect(failing(leak)).toThrow('program: a tensor from inside a scan, loop or block is used outside of it');
  });
});

describe('loop', () => {
  it('applies a function a number of times, which it may know', async () => {
    const { values } = await agreed({ h: normal([2, 2], 1), w: normal([2, 2], 2) }, ({ h, w }) => {
      const step = (state: Tensor, i: Tensor): Tensor => tanh(mul(matmul(state, w), add(cast(i, 'float32'), 1)));
      const looped = sum(loop(3, step, h));
      const written = sum([0, 1, 2].reduce((state, i) => step(state, h.graph.scalar(i, 'int32')), h));
      return [looped, gradient(looped, { h, w }), written, gradient(written, { h, w })];
    });
    expectSame(values);
  });

  it('zero times, or none that is a number', async () => {
    const { values } = await agreed({ h: scalar(3) }, ({ h }) => loop(0, (x) => add(x, 1), h));
    expect(values[0]!.data[0]).toBe(3);
    expect(() => trace({ h: scalar(3) }, ({ h }) => loop(1.5, (x) => x, h))).toThrow('loop: 1.5 is no number of steps');
  });
});

describe('whileLoop', () => {
  /** Steps of Collatz's sequence to 1. */
  const collatz = (start: Tensor): { n: Tensor; steps: Tensor } => {
    const two = start.graph.scalar(2, 'int32');
    return whileLoop(
      ({ n }) => less(1, n),
      ({ n, steps }) => ({ n: where(equal(rem(n, two), 0), div(n, two), add(mul(n, 3), 1)), steps: add(steps, 1) }),
      { n: start, steps: start.graph.scalar(0, 'int32') },
    );
  };

  it.each([
    [1, 0],
    [6, 8],
    [27, 111],
  ])('goes on for as long as its condition holds: from %i in %i steps', async (start, steps) => {
    const { values } = await agreed({ start: ints([], [start]) }, (inputs) => collatz(inputs.start));
    expect(values.map(({ data }) => data[0])).toEqual([1, steps]);
  });

  it('has no gradient, and says so', () => {
    const build = ({ x }: { x: Tensor }): unknown =>
      gradient(
        whileLoop(
          (h) => less(h, 10),
          (h) => mul(h, x),
          x,
        ),
        x,
      );
    expect(() => trace({ x: scalar(2) }, build)).toThrow('gradient: a whileLoop has none');
    const wrong = ({ x }: { x: Tensor }): unknown =>
      whileLoop(
        (h) => h,
        (h) => h,
        x,
      );
    expect(() => trace({ x: scalar(2) }, wrong)).toThrow('whileLoop: the condition is float32[], not one bool');
  });
});

describe('cond', () => {
  const given = { x: normal([3], 1), w: normal([3], 2) };

  it.each([0, 1])('takes one of two ways, gradients too: %i', async (way) => {
    const { values } = await agreed({ ...given, way: ints([], [way]) }, ({ x, w, way: chosen }) => {
      const ways = [() => ({ y: mul(exp(x), w), z: x }), () => ({ y: square(x), z: sin(x) })] as const;
      const taken = cond(equal(chosen, 1), ways[1], ways[0]);
      const expected = ways[way as 0 | 1]();
      const loss = ({ y, z }: { y: Tensor; z: Tensor }): Tensor => sum(mul(y, sin(z)));
      return [taken, gradient(loss(taken), { x, w }), expected, gradient(loss(expected), { x, w })];
    });
    expectSame(values);
  });

  it('does the work of the one that is taken alone', async () => {
    const program = await compile({ n: ints([], [0]) }, ({ n }) => {
      const ten = n.graph.scalar(10, 'int32');
      return {
        y: cond(
          equal(n, 0),
          () => n,
          () => div(ten, n),
        ),
      };
    });
    // An integer divided by 0 fails when it is divided.
    expect(itemOf((await program.run({ n: ints([], [0]) })).y)).toBe(0);
    expect(itemOf((await program.run({ n: ints([], [5]) })).y)).toBe(2);
    await program.dispose();
  });

  it('is a step of a scan, with its gradient', async () => {
    const { values } = await agreed({ h: scalar(0.5), x: normal([6], 3) }, ({ h, x }) => {
      const step = (state: Tensor, one: Tensor): Tensor =>
        cond(
          less(one, 0),
          () => sin(mul(state, one)),
          () => add(state, square(one)),
        );
      const chosen = (state: Tensor, one: Tensor): Tensor =>
        where(less(one, 0), sin(mul(state, one)), add(state, square(one)));
      const scanned = scan((state: Tensor, one: Tensor) => ({ carry: step(state, one) }), h, x).carry;
      const written = unstack(x).reduce(chosen, h);
      return [scanned, gradient(scanned, { h, x }), written, gradient(written, { h, x })];
    });
    expectSame(values);
  });

  it('says what does not fit', () => {
    const one = ({ x }: { x: Tensor }): unknown =>
      cond(
        x,
        () => x,
        () => x,
      );
    expect(() => trace({ x: scalar(1) }, one)).toThrow('cond: the predicate is float32[], not one bool');
    const two = ({ x }: { x: Tensor }): unknown =>
      cond(
        less(x, 0),
        () => x,
        () => reshape(x, [1]),
      );
    expect(() => trace({ x: scalar(1) }, two)).toThrow('cond: the other result is float32[1], not float32[]');
  });
});

describe('checkpoint', () => {
  const given = {
    x: normal([3, 2], 1),
    layers: [1, 2, 3].map((i) => ({ up: normal([2, 4], i), down: normal([4, 2], -i + 9) })),
  };
  type Layer = Record<'up' | 'down', Tensor>;
  const block = (x: Tensor, { up, down }: Layer): Tensor => add(x, matmul(tanh(matmul(sin(x), up)), down));

  it('has the same gradients, once and twice', async () => {
    const { values } = await agreed(given, ({ x, layers }) => {
      const run = (f: typeof block): unknown => {
        // `reduce` hands on the whole list: tensors that come several times, of which the block uses one
        const loss = sum(square(layers.reduce(f, x)));
        const by = gradient(loss, { x, layers });
        return [loss, by, gradient(sum(square(by.x)), { x, layers })];
      };
      return [run(checkpoint(block)), run(block)];
    });
    expectSame(values);
  });

  it('works out the block again behind the gradient of what follows it', () => {
    const tanhs = (f: typeof block): number => {
      const { program } = trace(given, ({ x, layers }) => gradient(sum(square(layers.reduce(f, x))), layers));
      return count(optimize(program), 'tanh');
    };
    expect([tanhs(block), tanhs(checkpoint(block))]).toEqual([3, 6]);
    const { program } = trace(given, ({ x, layers }) => {
      const last = checkpoint(block)(mul(x, 2), layers[0]!);
      return gradient(sum(square(last)), layers[0]!.up);
    });
    // Its argument is read anew; the weights, which stay in memory anyway, are not.
    const barriers = topologicalOrder(optimize(program).outputs).filter((tensor) => tensor.primitive === 'barrier');
    expect(barriers.map((tensor) => tensor.shape)).toEqual([[3, 2]]);
    // Without a gradient nothing is left of it
    const { program: forwards } = trace(given, ({ x, layers }) => layers.reduce(checkpoint(block), x));
    expect(count(optimize(forwards), 'barrier')).toBe(0);
  });

  it('takes less memory', () => {
    const script = fileURLToPath(new URL('../testing/training-memory.ts', import.meta.url));
    const run = (kind: string) =>
      JSON.parse(execFileSync(process.execPath, [script, kind], { encoding: 'utf8' })) as Record<string, number>;
    const [plain, marked] = [run('plain'), run('checkpoint')];
    expect(marked['loss']).toBe(plain['loss']);
    expect(marked['checksum']! / plain['checksum']!).toBeCloseTo(1, 5);
    expect(marked['peakMiB']!).toBeLessThan(0.6 * plain['peakMiB']!);
  });

  it('is a part of a scan, of another checkpoint, and takes what it closes over', async () => {
    const { values } = await agreed(given, ({ x, layers }) => {
      const inner = (f: typeof block) => (h: Tensor) => block(f(h, layers[0]!), layers[1]!);
      const run = (one: typeof block, outer: (f: (h: Tensor) => Tensor) => (h: Tensor) => Tensor): unknown => {
        const loss = sum(square(loop(2, outer(inner(one)), sin(x))));
        return [loss, gradient(loss, { x, layers })];
      };
      return [run(checkpoint(block), checkpoint), run(block, (f) => f)];
    });
    expectSame(values);
  });

  it('needs tensors', () => {
    expect(() => checkpoint(() => 1)()).toThrow('checkpoint: the arguments have no tensor');
  });
});

describe('customGradient', () => {
  it('passes on what it is told', async () => {
    /** Rounds, with the gradient of no rounding (Bengio et al. 2013). */
    const straightThrough = customGradient(round, (dy) => dy);
    const { values } = await agreed({ x: floats([3], [0.2, 1.7, -2.4]) }, ({ x }) => {
      const y = straightThrough(x);
      return [y, gradient(sum(mul(y, y)), x)];
    });
    expect(values.map(({ data }) => [...data])).toEqual([
      [0, 2, -2],
      [0, 4, -4],
    ]);
  });

  it('differentiates what it is told again, within scans and checkpoints', async () => {
    const own = customGradient(exp, (dy, { results }) => mul(dy, results));
    const { values } = await agreed({ x: normal([3], 1) }, ({ x }) => {
      const run = (f: (x: Tensor) => Tensor): unknown => {
        const block = checkpoint((h: Tensor) => sin(f(h)));
        const loss = sum(scan((h: Tensor, one: Tensor) => ({ carry: mul(block(h), one) }), x, stack([x, x])).carry);
        const by = gradient(loss, x);
        return [loss, by, gradient(sum(square(by)), x)];
      };
      return [run(own), run(exp)];
    });
    expectSame(values);
  });

  it('takes and gives trees; what is left out has no gradient', async () => {
    const given = { a: normal([2], 1), b: normal([2], 2), i: ints([2], [1, 0]) };
    const { values } = await agreed(given, (inputs) => {
      const f = customGradient(
        ({ a, b, i }: typeof inputs) => ({ product: mul(a, b), picked: gather(a, i), i }),
        (dy, { operands }) => ({ a: add(mul(dy.product, operands.b), neg(dy.picked)), b: undefined, i: undefined }),
      );
      const { product, picked } = f(inputs);
      return gradient(sum(add(product, mul(picked, 3))), { a: inputs.a, b: inputs.b });
    });
    expect([...values[0]!.data].map((x, i) => x - given.b.data[i]!)).toEqual([-3, -3]);
    expect([...values[1]!.data]).toEqual([0, 0]);
  });

  it('says what does not fit', () => {
    const failing = (backward: (dy: Tensor) => Tensor) => () =>
      trace({ x: floats([2], [0, 0]) }, ({ x }) => customGradient((one: Tensor) => sum(one), backward)(x));
    expect(failing((dy) => dy)).toThrow('customGradient: the gradient by the operand is float32[], not float32[2]');
    const toInteger = ({ i }: { i: Tensor }): unknown =>
      customGradient(
        (one: Tensor) => cast(one, 'float32'),
        (dy) => dy,
      )(i);
    expect(() => trace({ i: ints([1], [0]) }, toInteger)).toThrow(
      'customGradient: the gradient by the operand is float32[1], but it is no float32 operand',
    );
  });
});

describe('valueAndGradient', () => {
  it('gives both', async () => {
    const { values } = await agreed({ w: scalar(3) }, ({ w }) => {
      const { value, gradient: by } = valueAndGradient(({ w: one }) => square(sub(one, 1)), { w });
      return { value, by };
    });
    expect(values.map(({ data }) => data[0])).toEqual([4, 4]);
  });
});
