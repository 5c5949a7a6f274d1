/** The built-in world as clusters of instructions: classification by ten templates a task, and tasks that are written out. */
import { createWorld, labelledTasks, type TaskName } from '@crucible/data';
import { Random } from '@crucible/foundation';
import { type LabelledText, type TaskData, worldTask } from '../task.ts';
import { labelledInstructions, type Instruction, type InstructionTask } from './instruction-task.ts';
import { parseInstructionTemplate } from './instruction-template.ts';

type Wording = string | readonly [prompt: string, answer: string];

/** By task; a pair is an inverted template: the label is given, and the text asked for. */
const wordings = {
  review: [
    'Review: {text}\nIs this review negative or positive?\n{options}',
    '{text}\nDid the writer find it good or bad? Choose.\n{options}',
    'Is the following review positive or negative?\n{text}',
    'Read what a guest wrote: {text}\nWhat is the mood of it?\n{options}',
    '{text}\nThe mood of this review, negative or positive:',
    'Classify the sentiment.\nText: {text}\n{options}',
    'How does the writer of this feel about it, positive or negative? {text}',
    'What would you call this opinion?\n{text}\n{options}',
    ['Write a {label} review.', '{text}'],
    ['What does somebody write whose opinion is {label}?', '{text}'],
  ],
  recommend: [
    '{text}\nWould the writer recommend it?\n{options}',
    'Review: {text}\nDid the writer like it, yes or no?',
    'Does this review praise something? {text}\n{options}',
    'Somebody wrote: {text}\nWere they happy with it?\n{options}',
    'Should I trust that it is good after reading this? Answer yes or no. {text}',
    '{text}\nIs that a good word for it?\n{options}',
    'Was the writer of this pleased, yes or no?\n{text}',
    'Read this and say whether it is praise.\n{text}\n{options}',
    ['Would you recommend it? The answer is {label}. Say it in a review.', '{text}'],
    ['Write a review of somebody who answers {label} when asked whether it was good.', '{text}'],
  ],
  topic: [
    '{text}\nWhat is this sentence about?\n{options}',
    'Sentence: {text}\nWhich topic does it belong to?\n{options}',
    'Choose the topic of the text.\n{options}\nText: {text}',
    'What is the subject of the following? {text}\n{options}',
    '{text}\nThis is mainly about\n{options}',
    'Under which heading would you print this? {text}\n{options}',
    'Name the topic: {text}\n{options}',
    'Which of these is the text about?\n{options}\n{text}',
    ['Write a sentence about {label}.', '{text}'],
    ['Topic: {label}. Give a sentence.', '{text}'],
  ],
  about: [
    '{text}\nIs this about {pair}?\n{options}',
    'Does the following sentence speak mainly of {pair}? {text}\n{options}',
    'Topic: {pair}. Does this sentence fit, yes or no? {text}',
    'Sentence: {text}\nQuestion: is {pair} what it is about?\n{options}',
    'Would you print this under {pair}, yes or no?\n{text}',
    '{text}\nIs {pair} the topic?\n{options}',
    'Yes or no: this is about {pair}. {text}',
    'Somebody looks for texts about {pair}. Show them this?\n{text}\n{options}',
    'Is {pair} the subject of this text?\n{text}\n{options}',
    ['Is your sentence about {pair}? The answer is to be {label}. Give the sentence.', '{text}'],
  ],
  'question-type': [
    '{text}\nWhat kind of thing does this question ask for?\n{options}',
    'Question: {text}\nWhat will the answer be?\n{options}',
    'Choose what is asked for.\n{options}\n{text}',
    'What does the answer to this name? {text}\n{options}',
    'Which sort of answer is wanted here?\n{text}\n{options}',
    'Somebody asks: {text}\nThey want to know a\n{options}',
    'Classify the question.\n{text}\n{options}',
    'The answer to "{text}" is which of these?\n{options}',
    ['Ask for a {label}.', '{text}'],
    ['Give a question whose answer is a {label}.', '{text}'],
  ],
  'asks-for': [
    '{text}\nIs the answer to this a {pair}?\n{options}',
    'Does the question ask for a {pair}? {text}\n{options}',
    'Question: {text}\nWill a {pair} answer it, yes or no?',
    'Can the answer be a {pair}, yes or no?\n{text}',
    'Somebody asks: {text}\nDo they want a {pair}?\n{options}',
    'Yes or no: this asks for a {pair}. {text}',
    'Would naming a {pair} answer this?\n{text}\n{options}',
    '{text}\nA {pair} is wanted. Is that right?\n{options}',
    'Is a {pair} what is asked for here? {text}\n{options}',
    ['Does your question ask for a {pair}? The answer is to be {label}. Give the question.', '{text}'],
  ],
  'same-topic': [
    'First: {text}\nSecond: {pair}\nAre both about the same topic?\n{options}',
    'Do these two sentences share their topic, yes or no?\n{text}\n{pair}',
    '{text}\n{pair}\nIs that one topic?\n{options}',
    'Compare. {text} {pair}\nDo they speak of the same?\n{options}',
    'A: {text}\nB: {pair}\nWould A and B stand under one heading?\n{options}',
    'Is the second about what the first is about, yes or no?\n{text}\n{pair}',
    'Sentence 1: {text}\nSentence 2: {pair}\nSame topic?\n{options}',
    'Yes or no: the two have one topic.\n{text}\n{pair}',
    ['{text}\nGive another sentence. Same topic: {label}.', '{pair}'],
    ['Is your sentence to be about the topic of mine? {label}. Mine: {text}', '{pair}'],
  ],
  'same-opinion': [
    'First: {text}\nSecond: {pair}\nDo the writers agree whether it was good?\n{options}',
    'Are both reviews good, or both bad? Answer yes or no.\n{text}\n{pair}',
    '{text}\n{pair}\nIs that one opinion?\n{options}',
    'Compare the two opinions. {text} {pair}\nAre they alike?\n{options}',
    'A: {text}\nB: {pair}\nDo A and B feel the same?\n{options}',
    'Is the second as happy or unhappy as the first, yes or no?\n{text}\n{pair}',
    'Review 1: {text}\nReview 2: {pair}\nSame opinion?\n{options}',
    'Yes or no: both liked it or both did not.\n{text}\n{pair}',
    ['{text}\nGive another review. Same opinion: {label}.', '{pair}'],
    ['Is your review to agree with mine? {label}. Mine: {text}', '{pair}'],
  ],
} as const satisfies Readonly<Record<string, readonly Wording[]>>;

/** Tasks that the world words itself, and their clusters. */
const written = { editing: 'instructions', reading: 'lookup', arithmetic: 'arithmetic' } as const satisfies Record<
  string,
  TaskName
>;

export interface WorldInstructionSizes {
  /** Examples of each task to learn from. */
  readonly train: number;
  /** Instructions of each task to be measured on. */
  readonly test: number;
}

/** Eleven tasks in seven clusters; what is measured on is from the world's held-out side. */
export function worldInstructions(
  seed: number,
  { train, test }: WorldInstructionSizes = { train: 2000, test: 200 },
): InstructionTask[] {
  const sizes = { train, dev: 0, test };
  const [sentiment, topic, type] = (['sentiment', 'topic', 'question-type'] as const).map((name) =>
    worldTask(name, seed, sizes),
  ) as [TaskData, TaskData, TaskData];
  const random = (name: string): Random => Random.seeded(seed).fork(`instructions ${name}`);
  const task = (
    name: keyof typeof wordings,
    cluster: string,
    data: Pick<TaskData, 'labels' | 'train' | 'test'>,
    labelNames?: readonly string[],
    related?: readonly string[],
  ): InstructionTask =>
    labelledInstructions({
      cluster,
      ...(related && { related }),
      data: { ...data, name },
      templates: wordings[name].map((wording: Wording) =>
        typeof wording === 'string' ? parseInstructionTemplate(wording) : parseInstructionTemplate(...wording),
      ),
      ...(labelNames && { labelNames }),
    });
  const named = (data: TaskData, name: string) =>
    yesOrNo(data, (examples) => withNamedLabel(examples, data.labels, random(name)));
  const paired = (data: TaskData, name: string) => yesOrNo(data, (examples) => withOther(examples, random(name)));
  return [
    task('review', 'sentiment', sentiment),
    task('recommend', 'sentiment', sentiment, ['no', 'yes']),
    task('topic', 'topic', topic),
    task('about', 'topic', named(topic, 'about')),
    task('question-type', 'question-type', type),
    task('asks-for', 'question-type', named(type, 'asks-for')),
    task('same-topic', 'comparison', paired(topic, 'same-topic'), undefined, ['topic']),
    task('same-opinion', 'comparison', paired(sentiment, 'same-opinion'), undefined, ['sentiment']),
    ...Object.entries(written).map(([cluster, name]) => writtenTask(cluster, name, seed, { train, test })),
  ];
}

/** The cluster of a task of `worldTask`, by its name; undefined for others. */
export function clusterOfTask(name: string): string | undefined {
  return Object.hasOwn(labelledTasks, name) ? name : undefined;
}

function yesOrNo(
  { train, test }: Pick<TaskData, 'train' | 'test'>,
  make: (examples: readonly LabelledText[]) => LabelledText[],
): Pick<TaskData, 'labels' | 'train' | 'test'> {
  return { labels: ['no', 'yes'], train: make(train), test: make(test) };
}

/** Each text with the name of a label, the right one or, half of the time, another. */
function withNamedLabel(examples: readonly LabelledText[], labels: readonly string[], random: Random): LabelledText[] {
  return examples.map(({ text, label }) => {
    const isRight = random.boolean();
    const others = labels.filter((_label, i) => i !== label);
    return { text, pair: isRight ? labels[label]! : random.pick(others), label: Number(isRight) };
  });
}

/** Each text with another one, of the same label or, half of the time, of another. */
function withOther(examples: readonly LabelledText[], random: Random): LabelledText[] {
  return examples.flatMap((example) => {
    const isSame = random.boolean();
    const others = examples.filter((other) => other !== example && (other.label === example.label) === isSame);
    return others.length === 0 ? [] : [{ text: example.text, pair: random.pick(others).text, label: Number(isSame) }];
  });
}

function writtenTask(
  cluster: string,
  task: TaskName,
  seed: number,
  { train, test }: WorldInstructionSizes,
): InstructionTask {
  const world = createWorld({ seed });
  const draw = (split: 'train' | 'heldout', random: Random): Instruction => {
    const { messages, response } = world.example({ task, format: 'plain', split, random });
    return { prompt: messages.map(({ content }) => content).join('\n'), answer: response };
  };
  const random = Random.seeded(seed).fork(`instructions ${task} test`);
  return {
    name: task === 'instructions' ? 'editing' : task,
    cluster,
    size: train,
    draw: (own) => draw('train', own),
    test: Array.from({ length: test }, () => draw('heldout', random)),
  };
}
