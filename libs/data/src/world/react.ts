/**
 * Trajectories of ReAct (Yao et al., 2022): a question, then thoughts, actions and observations up to the answer. The
 * text is that of the authors; every step is one message of the assistant, every observation one of a tool.
 */
import { forgedWords } from '@crucible/prompting';
import type { ChatMessage } from '@crucible/tokenizer';
import type { ActionName } from './expectations/action.ts';
import type { Drawn } from './task.ts';

export interface Trajectory {
  readonly systemPrompt: string;
  readonly question: string;
  readonly phrasing: string;
  readonly answer: string;
  readonly steps: readonly TrajectoryStep[];
}

export interface TrajectoryStep {
  readonly thought: string;
  readonly action: ActionName;
  readonly argument: string;
  /** The number that the argument is worth. */
  readonly value?: string;
  /** Other arguments that a careless reader might take. */
  readonly others: readonly string[];
  /** The last step has none. */
  readonly observation?: string;
}

/** The whole conversation, up to and with the last step. */
export function trajectoryMessages(trajectory: Trajectory): ChatMessage[] {
  const { systemPrompt, question, steps } = trajectory;
  return [
    { role: 'system', content: systemPrompt },
    { role: 'user', content: question },
    ...steps.flatMap((step, i): ChatMessage[] => [
      { role: 'assistant', content: stepText(step, i + 1) },
      ...(step.observation === undefined
        ? []
        : [{ role: 'tool' as const, content: forgedWords.observation(i + 1, step.observation) }]),
    ]),
  ];
}

/** One step as an example: the steps before it are the question. `number` counts from 1. */
export function stepExample(trajectory: Trajectory, number: number): Drawn {
  const step = trajectory.steps[number - 1]!;
  const { action, argument, value, others } = step;
  return {
    // The system prompt, the question, and two messages for every step before.
    messages: trajectoryMessages(trajectory).slice(0, 2 * number),
    response: stepText(step, number),
    answer: `${action}[${argument}]`,
    phrasing: trajectory.phrasing,
    expected: { kind: 'action', step: number, action, argument, others, ...(value !== undefined && { value }) },
  };
}

function stepText({ thought, action, argument }: TrajectoryStep, number: number): string {
  return `Thought ${number}: ${thought}\nAction ${number}: ${action}[${argument}]`;
}
