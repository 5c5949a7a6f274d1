import { actor } from './actor.ts';
import type { Benchmark } from './benchmark.ts';
import { compileBenchmark } from './compile.ts';
import { forge } from './forge.ts';
import { gptStep } from './gpt-step.ts';
import { gpu } from './gpu.ts';
import { ppo } from './ppo.ts';
import { rmReal } from './rm-real.ts';
import { retrieval } from './retrieval.ts';
import { sandbox } from './sandbox.ts';
import { shakespeare } from './shakespeare.ts';
import { smollmStep } from './smollm-step.ts';
import { strategies } from './strategies.ts';
import { tokenizer } from './tokenizer.ts';
import { tuning } from './tuning.ts';

/** Every benchmark by the name it is asked for. */
export const benchmarks: Readonly<Record<string, Benchmark>> = {
  'gpt-step': gptStep,
  'smollm-step': smollmStep,
  compile: compileBenchmark,
  gpu,
  shakespeare,
  forge,
  'rm-real': rmReal,
  ppo,
  retrieval,
  tokenizer,
  sandbox,
  actor,
  strategies,
  tuning,
};
