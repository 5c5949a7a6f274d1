/**
 * Instruction tuning as a way of adapting a model to a task that it never sees: it learns to follow the instructions of other
 * tasks, and the task itself is then asked for without an example.
 */
import { instruct, instructDefaults, withInstructionFormat } from '../instructions/instruct.ts';
import type { InstructionTask } from '../instructions/instruction-task.ts';
import type { Method } from '../method.ts';
import { parseTemplate, type Template } from '../template.ts';
import type { LabelWords } from '../verbalizer.ts';
import { type CausalModel, type CausalPrompt, CausalReader } from './causal-reader.ts';

export interface InstructionOptions extends CausalPrompt {
  /** What is learned: tasks of other clusters. */
  readonly tasks: readonly InstructionTask[];
  /** Examples of a task that count at most for its share of the mixture. Default: 3000. */
  readonly cap?: number;
}

/** Learns nothing of the task's own examples. */
export function instructionMethod(model: CausalModel, options: InstructionOptions): Method {
  const { tasks, cap = instructDefaults.cap } = options;
  return {
    name: 'instruction',
    train: async ({ labels }, settings, context) => {
      const { seed, steps, rows, learningRate, weightDecay, warmupShare } = settings;
      const warmupSteps = Math.max(1, Math.round(warmupShare * steps));
      const reader = new CausalReader(
        { ...model, tokenizer: withInstructionFormat(model.tokenizer) },
        options,
        labels,
        0,
      );
      const learned =
        steps === 0
          ? model.weights
          : await instruct(model, tasks, { seed, steps, rows, learningRate, weightDecay, warmupSteps, cap }, context);
      return { ...reader.tuned(learned, undefined), changed: () => ({ weights: learned }) };
    },
  };
}

/** A template that asks as the instructions do, with the first word of each label as the options. */
export function instructionTemplate(labels: readonly string[], words: LabelWords, hasPairs: boolean): Template {
  const options = labels.map((label) => `- ${(words[label]?.[0] ?? label).replace(/[{}]/g, (brace) => brace + brace)}`);
  const texts = hasPairs ? '{text}\n{pair}' : '{text}';
  return parseTemplate(`${texts}\nWhich of these fits?\nOptions:\n${options.join('\n')}\nAnswer: {mask}`);
}
