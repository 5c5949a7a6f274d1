/** What the three tasks of classification share: a text, a label out of a set of words, and solved examples. */
import type { Format } from '../example.ts';
import type { Phrasings } from '../phrasing.ts';
import { enumerate, fill, pickPhrasing } from '../phrasing.ts';
import type { Draw, Drawn } from '../task.ts';

export interface Labelled<Class extends string> {
  readonly text: string;
  readonly class: Class;
}

/** One way of naming the classes, and the questions that go with it. */
export interface Labelling<Class extends string> {
  readonly labels: Readonly<Record<Class, string>>;
  /** `{text}` is the text, `{labels}` the words to choose from. */
  readonly questions: Phrasings;
}

/** Layouts of solved examples: `{text}` and `{label}`; the last one is left open where the label goes. */
const layouts: Phrasings = {
  train: [
    'Text: {text}\nLabel: {label}',
    'Input: {text}\nOutput: {label}',
    '{text}\nAnswer: {label}',
    '{text} => {label}',
    'Text: {text} Answer: {label}',
    '{text}\nLabel: {label}',
  ],
  heldout: ['Input: {text}\nAnswer: {label}', '{text}\nOutput: {label}'],
};

const mostShots = 3;

export function drawClassification<Class extends string>(
  { split, random }: Draw,
  format: Format,
  labellings: readonly Labelling<Class>[],
  drawText: () => Labelled<Class>,
): Drawn {
  const { labels, questions } = random.pick(labellings);
  const words = Object.values<string>(labels);
  const { text, class: right } = drawText();
  const label = labels[right];
  const isFewShot = format === 'few-shot';
  const phrasing = pickPhrasing(isFewShot ? layouts : questions, split, random);
  const shots = isFewShot ? Array.from({ length: random.integer(2, mostShots) }, drawText) : [];
  const solved = shots.map((shot) => `${fill(phrasing, { text: shot.text, label: labels[shot.class] })}\n`);
  const open = fill(phrasing, { text, label: '', labels: enumerate(random.shuffled(words), 'or') }).trimEnd();
  return {
    messages: [{ role: 'user', content: [...solved, open].join('\n') }],
    response: label,
    answer: label,
    phrasing,
    expected: { kind: 'label', label, labels: words },
  };
}
