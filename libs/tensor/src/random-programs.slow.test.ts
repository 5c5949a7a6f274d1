import { describe, it } from 'vitest';
import { expectAgreement, expectSlopes } from './testing/random-programs.ts';

const seeds = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('thousands of random programs', () => {
  it('compute the same as they are traced, optimized, by ONNX Runtime and by the reference', async () => {
    await expectAgreement(seeds(100_000, 3000), { gradients: false });
  }, 900_000);

  it('have the same gradients, too', async () => {
    await expectAgreement(seeds(200_000, 2000), { gradients: true });
  }, 900_000);

  it('have gradients that are their slopes', () => {
    expectSlopes(seeds(300_000, 2000));
  }, 900_000);

  it('have gradients of gradients that are slopes of these', () => {
    expectSlopes(seeds(400_000, 1000), { twice: true });
  }, 900_000);
});
