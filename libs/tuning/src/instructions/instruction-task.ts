/** Tasks as instructions: by templates over labelled texts, or as rows that are written out. */
import type { PromptedTaskRecord } from '@crucible/data';
import { isHeldOut } from '@crucible/data';
import { invalidInput, Random } from '@crucible/foundation';
import type { LabelledText, TaskData } from '../task.ts';
import { fillInstruction, type InstructionTemplate } from './instruction-template.ts';

export interface Instruction {
  readonly prompt: string;
  readonly answer: string;
  /** The answers to choose from, where they are few and known. */
  readonly options?: readonly string[];
}

export interface InstructionTask {
  readonly name: string;
  /** Tasks of one kind, which are held out together. */
  readonly cluster: string;
  /** Other clusters whose texts it has: where they are held out it is not learned either. */
  readonly related?: readonly string[];
  /** Examples to learn from: what its share of a mixture goes by. */
  readonly size: number;
  /** An instruction to learn from. */
  readonly draw: (random: Random) => Instruction;
  /** All prompts that may be drawn, where they are written out. */
  readonly prompts?: readonly string[];
  /** Instructions to be measured on, which are never drawn. */
  readonly test: readonly Instruction[];
}

export interface LabelledInstructions {
  readonly cluster: string;
  readonly related?: readonly string[];
  readonly data: Pick<TaskData, 'name' | 'labels' | 'train' | 'test'>;
  readonly templates: readonly InstructionTemplate[];
  /** What labels are called in prompts and answers, in their order. Default: their names. */
  readonly labelNames?: readonly string[];
}

/** Labelled texts by templates: any of them to learn from, those that ask for the label in turn to be measured on. */
export function labelledInstructions({
  cluster,
  related,
  data,
  templates,
  labelNames,
}: LabelledInstructions): InstructionTask {
  const { name, labels, train, test } = data;
  const names = labelNames ?? labels;
  const asking = templates.filter(({ isInverted }) => !isInverted);
  if (asking.length === 0) throw invalidInput(`task ${name}: no template asks for the label`, { at: 'templates' });
  if (names.length !== labels.length)
    throw invalidInput(`task ${name}: ${names.length} names for ${labels.length} labels`, { at: 'labelNames' });
  const instruction = (example: LabelledText, template: InstructionTemplate, random: Random): Instruction => {
    const { text, pair, label } = example;
    const filled = fillInstruction(template, { text, pair, label: names[label]!, options: random.shuffled(names) });
    return template.isInverted ? filled : { ...filled, options: names };
  };
  return {
    name,
    cluster,
    ...(related && { related }),
    size: train.length,
    draw: (random) => instruction(random.pick(train), random.pick(templates), random),
    test: test.map((example, i) =>
      instruction(example, asking[i % asking.length]!, Random.seeded(0).fork(`options ${name} ${i}`)),
    ),
  };
}

/** Share of the rows of a task that are measured on, decided by a hash of the prompt. */
const heldOutShare = 0.2;

/** As many different answers, at most, are options to choose from where rows do not name any. */
const mostOptions = 8;

/** Rows by task. Where they name no options and all answers of a task are among a few, these are. */
export function rowInstructions(rows: Iterable<PromptedTaskRecord>): InstructionTask[] {
  const byTask = Map.groupBy(rows, ({ cluster, task }) => JSON.stringify([cluster, task]));
  return Array.from(byTask.values(), (own): InstructionTask => {
    const [{ cluster, task: name }] = own as [PromptedTaskRecord];
    const different = [...new Set(own.map(({ answer }) => answer))].sort();
    const isChoice = different.length >= 2 && different.length <= Math.min(mostOptions, own.length / 3);
    const instructions = own.map(({ prompt, answer, options = isChoice ? different : undefined }): Instruction => ({
      prompt,
      answer,
      ...(options && { options }),
    }));
    const sideOf = ({ prompt }: Instruction): boolean =>
      isHeldOut({ messages: [{ role: 'user', content: prompt }] }, heldOutShare);
    const train = instructions.filter((each) => !sideOf(each));
    const test = instructions.filter(sideOf);
    return {
      name,
      cluster,
      size: train.length,
      draw: (random) => random.pick(train),
      prompts: train.map(({ prompt }) => prompt),
      test,
    };
  });
}
