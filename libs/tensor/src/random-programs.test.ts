import { describe, expect, it } from 'vitest';
import { type Program, topologicalOrder } from './ir/graph.ts';
import { sin } from './library/elementwise.ts';
import { optimize } from './rewrite/passes.ts';
import { rewriteToFixpoint } from './rewrite/rewrite.ts';
import { primitiveCases } from './testing/primitive-cases.ts';
import { randomProgram } from './testing/random-program.ts';
import { disagreement, expectAgreement, expectSlopes } from './testing/random-programs.ts';
import { printFailing, shrink } from './testing/shrink.ts';

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('random programs', () => {
  it('compute the same as they are traced, optimized, by ONNX Runtime and by the reference', async () => {
    await expectAgreement(seeds(0, 150), { gradients: false });
  });

  it('have the same gradients, too', async () => {
    await expectAgreement(seeds(10_000, 100), { gradients: true });
  });

  it('have gradients that are their slopes', () => {
    expectSlopes(seeds(20_000, 60));
  });

  it('have gradients of gradients that are slopes of these', () => {
    expectSlopes(seeds(30_000, 30), { twice: true });
  });

  it('have every primitive among them', () => {
    const used = new Set<string>();
    for (const seed of seeds(0, 400)) {
      for (const tensor of topologicalOrder(randomProgram(seed).program.outputs)) used.add(tensor.primitive);
    }
    expect(Object.keys(primitiveCases).filter((primitive) => !used.has(primitive))).toEqual([]);
  });

  it('are shrunk to what is wrong with them', async () => {
    const broken = (program: Program): Program =>
      rewriteToFixpoint(optimize(program), (tensor) =>
        tensor.primitive === 'tanh' ? sin(tensor.inputs[0]!) : undefined,
      );
    const fails = async (program: Parameters<typeof disagreement>[0]): Promise<boolean> =>
      (await disagreement(program, broken)) !== undefined;
    for (const seed of seeds(0, 400)) {
      const program = randomProgram(seed);
      if (!topologicalOrder(program.program.outputs).some(({ primitive }) => primitive === 'tanh')) continue;
      if (!(await fails(program))) continue;
      const smallest = await shrink(program, fails);
      expect(printFailing(smallest)).toMatch(
        /^\([^\n]*\) \{\n {2}%0: float32\[[\d,]*\] = tanh\([^\n]*\)\n {2}return %0\n\}\n/,
      );
      return;
    }
    throw new Error('no program has a tanh');
  });
});
