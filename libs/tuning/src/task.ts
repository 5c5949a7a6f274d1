/** Tasks of classification: labelled texts in three parts, drawn and split by seeds. */
import { createWorld, type LabelledRecord, type LabelledTask, labelledTasks, readLabelled } from '@crucible/data';
import { invalidInput, Random } from '@crucible/foundation';

export interface LabelledText {
  readonly text: string;
  readonly pair?: string | undefined;
  /** Index among the task's labels. */
  readonly label: number;
}

export interface TaskData {
  readonly name: string;
  readonly labels: readonly string[];
  readonly train: readonly LabelledText[];
  /** For choosing among settings. */
  readonly dev: readonly LabelledText[];
  /** For figures alone. */
  readonly test: readonly LabelledText[];
}

/** Shares of a file that become dev and test where there are no files for them. */
const heldOutShare = 0.1;

export interface TaskFiles {
  readonly train: string;
  readonly dev?: string;
  readonly test?: string;
}

/** Reads a task from labelled files; what is not given is split off the training file, the same for the same seed. */
export async function readTask(name: string, files: TaskFiles, seed: number): Promise<TaskData> {
  const read = async (path: string | undefined): Promise<LabelledRecord[] | undefined> => {
    if (path === undefined) return undefined;
    const records: LabelledRecord[] = [];
    for await (const record of readLabelled(path)) records.push(record);
    return records;
  };
  const [all, givenDev, givenTest] = [await read(files.train), await read(files.dev), await read(files.test)];
  const labels = [...new Set(all!.map(({ label }) => label))].sort(byNumberOrName);
  if (labels.length < 2) {
    throw invalidInput(`${files.train}: all ${all!.length} rows have the label ${labels[0]}; two labels are needed`, {
      at: files.train,
    });
  }
  const convert = (records: readonly LabelledRecord[]): LabelledText[] =>
    records.map(({ text, pair, label, at }) => {
      const index = labels.indexOf(label);
      if (index === -1)
        throw invalidInput(`${at}: label ${label} is not in ${files.train}; there are ${labels.join(', ')}`, { at });
      return { text, pair, label: index };
    });
  let rest = Random.seeded(seed).fork('split').shuffled(convert(all!));
  const splitOff = (): LabelledText[] => {
    const count = Math.max(1, Math.round(heldOutShare * all!.length));
    const part = rest.slice(0, count);
    rest = rest.slice(count);
    return part;
  };
  const test = givenTest ? convert(givenTest) : splitOff();
  const dev = givenDev ? convert(givenDev) : splitOff();
  return { name, labels, train: rest, dev, test };
}

function byNumberOrName(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)];
  return Number.isNaN(left) || Number.isNaN(right) ? (a < b ? -1 : 1) : left - right;
}

export interface WorldTaskSizes {
  readonly train: number;
  readonly dev: number;
  readonly test: number;
}

/** A task of the built-in world; dev and test are from its held-out side. */
export function worldTask(
  name: LabelledTask,
  seed: number,
  { train, dev, test }: WorldTaskSizes = { train: 2000, dev: 200, test: 500 },
): TaskData {
  const world = createWorld({ seed });
  const labels: readonly string[] = labelledTasks[name];
  const seen = new Set<string>();
  const draw = (split: 'train' | 'heldout', count: number, part: string): LabelledText[] => {
    const random = Random.seeded(seed).fork(`tuning ${part}`);
    const texts: LabelledText[] = [];
    // The world is finite: an example that came before is drawn again, but not for ever.
    for (let attempt = 0; texts.length < count && attempt < 50 * count; attempt++) {
      const { text, label } = world.labelled({ task: name, split, random });
      if (seen.has(text)) continue;
      seen.add(text);
      texts.push({ text, label: labels.indexOf(label) });
    }
    return texts;
  };
  return {
    name,
    labels,
    train: draw('train', train, 'train'),
    dev: draw('heldout', dev, 'dev'),
    test: draw('heldout', test, 'test'),
  };
}

/** `k` examples of every label, drawn by the seed, in random order. */
export function kShot(
  examples: readonly LabelledText[],
  labels: readonly string[],
  k: number,
  seed: number,
): LabelledText[] {
  const random = Random.seeded(seed).fork(`shots ${k}`);
  const drawn = labels.flatMap((label, index) => {
    const own = examples.filter((example) => example.label === index);
    if (own.length < k) {
      throw invalidInput(`shots: ${k} of each label are asked for, and label ${label} has ${own.length}`, {
        at: 'shots',
      });
    }
    return random.sample(own, k);
  });
  return random.shuffled(drawn);
}
