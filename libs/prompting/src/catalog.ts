/** The strategies by name, as commands and services ask for them. */
import { invalidInput } from '@crucible/foundation';
import type { Example, ExampleChoice } from './examples.ts';
import type { Strategy } from './strategy.ts';
import { createDirect } from './strategies/direct.ts';
import { createReactThenSelfConsistency, createSelfConsistencyThenReact } from './strategies/fall-back.ts';
import { createChainOfThought, createFewShot } from './strategies/few-shot.ts';
import { createPal, type PalOptions } from './strategies/pal.ts';
import { createRag, type RagOptions } from './strategies/rag.ts';
import { createReact, type ReactOptions } from './strategies/react.ts';
import { createSelfConsistency } from './strategies/self-consistency.ts';
import { createStepByStep } from './strategies/step-by-step.ts';

export const strategyNames = [
  'direct',
  'few-shot',
  'cot',
  'step-by-step',
  'self-consistency',
  'rag',
  'pal',
  'react',
  'react-then-self-consistency',
  'self-consistency-then-react',
] as const;

export type StrategyName = (typeof strategyNames)[number];

/** Every strategy takes what concerns it. */
export interface StrategyOptions {
  /** few-shot and cot need them; self-consistency draws chains of thought from them, and without them step-by-step; pal shows their programs. */
  readonly examples?: readonly Example[];
  readonly choice?: ExampleChoice;
  /** Of self-consistency, also where pal is asked to vote. Default 5; for pal 1. */
  readonly samples?: number;
  readonly rag?: RagOptions;
  readonly pal?: PalOptions;
  readonly react?: ReactOptions;
}

export function createStrategy(name: string, options: StrategyOptions = {}): Strategy {
  const { examples = [], choice = {}, samples, rag, pal, react } = options;
  const selfConsistency = (of: Strategy): Strategy =>
    createSelfConsistency({ of, ...(samples !== undefined && { samples }) });
  const reasoned = (): Strategy =>
    examples.length > 0 ? createChainOfThought({ examples, ...choice }) : createStepByStep();
  switch (name as StrategyName) {
    case 'direct':
      return createDirect();
    case 'few-shot':
      return createFewShot({ examples, ...choice });
    case 'cot':
      return createChainOfThought({ examples, ...choice });
    case 'step-by-step':
      return createStepByStep();
    case 'self-consistency':
      return selfConsistency(reasoned());
    case 'rag':
      return createRag(rag);
    case 'pal': {
      const written = createPal({ ...choice, examples, ...pal });
      return samples === undefined || samples === 1 ? written : selfConsistency(written);
    }
    case 'react':
      return createReact(react);
    case 'react-then-self-consistency':
      return createReactThenSelfConsistency(createReact({ ...react, forceAnswer: false }), selfConsistency(reasoned()));
    case 'self-consistency-then-react':
      return createSelfConsistencyThenReact(selfConsistency(reasoned()), createReact(react));
    default:
      throw invalidInput(`strategy: ${JSON.stringify(name)} is none; there are ${strategyNames.join(', ')}`, {
        at: 'strategy',
      });
  }
}
