/** What the three tasks of classification share: a text, a label out of a set of words, and solved examples. */
import { forgedWords } from '@crucible/prompting';
import type { Format } from '../example.ts';
import type { Phrasings } from '../phrasing.ts';
import { enumerate, fill, pickPhrasing } from '../phrasing.ts';
import { plainQuestion, type Draw, type Drawn, type Task } from '../task.ts';

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
    forgedWords.example.replace('{question}', '{text}').replace('{answer}', '{label}'),
    '{text}\nLabel: {label}',
  ],
  heldout: ['Input: {text}\nAnswer: {label}', '{text}\nOutput: {label}'],
};

const mostShots = 3;

/** A task of labels; questions alone are all of the first labelling, so that examples fit every one of them. */
export function classificationTask<Class extends string>(
  labellings: readonly Labelling<Class>[],
  drawText: (draw: Draw) => Labelled<Class>,
): Task {
  return {
    formats: { plain: 0.75, 'few-shot': 0.25 },
    draw: (draw, format) => drawClassification(draw, format, draw.random.pick(labellings), () => drawText(draw)),
    question: (draw) => {
      const labelled = drawText(draw);
      return {
        ...plainQuestion(drawClassification(draw, 'plain', labellings[0]!, () => labelled)),
        text: labelled.text,
      };
    },
  };
}

function drawClassification<Class extends string>(
  { split, random }: Draw,
  format: Format,
  { labels, questions }: Labelling<Class>,
  drawText: () => Labelled<Class>,
): Drawn {
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
