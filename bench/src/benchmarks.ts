import type { Benchmark } from './benchmark.ts';
import { gptStep } from './gpt-step.ts';

/** Every benchmark by the name it is asked for. */
export const benchmarks: Readonly<Record<string, Benchmark>> = {
  'gpt-step': gptStep,
};
