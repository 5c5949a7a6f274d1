/** Whether a short review is positive; see reviews.ts for what decides. */
import { drawReview } from '../reviews.ts';
import type { Labelling } from './classification.ts';
import { classificationTask } from './classification.ts';

type Sentiment = 'positive' | 'negative';

const labellings: readonly Labelling<Sentiment>[] = [
  {
    labels: { positive: 'positive', negative: 'negative' },
    questions: {
      train: [
        'Is this review {labels}? {text}',
        'Review: {text}\nIs it {labels}?',
        'Sentiment of this review, {labels}: {text}',
        '{text}\nSentiment:',
        'What is the sentiment of this review? {text}',
        '{text}\nIs this text {labels}?',
      ],
      heldout: ['Is the sentiment of this text {labels}? {text}', 'Review: {text}\nSentiment:'],
    },
  },
  {
    labels: { positive: 'good', negative: 'bad' },
    questions: {
      train: ['Is this review {labels}? {text}', '{text}\nWas it {labels}?', 'Was it {labels}? {text}'],
      heldout: ['{text}\nIs this review {labels}?', 'Review: {text}\nWas it {labels}?'],
    },
  },
  {
    labels: { positive: 'happy', negative: 'unhappy' },
    questions: {
      train: [
        '{text}\nIs the writer {labels}?',
        'Is the writer of this text {labels}? {text}',
        'Review: {text}\nThe writer was ({labels}):',
      ],
      heldout: ['Is the writer {labels}? {text}', '{text}\nThe writer was ({labels}):'],
    },
  },
  {
    labels: { positive: 'yes', negative: 'no' },
    questions: {
      train: [
        '{text}\nDid the writer like it, {labels}?',
        'Did the writer like it? Answer {labels}. {text}',
        'Review: {text}\nIs it a good review? Answer {labels}.',
      ],
      heldout: ['Is it a good review, {labels}? {text}', 'Review: {text}\nDid the writer like it? Answer {labels}.'],
    },
  },
];

export const sentiment = classificationTask(labellings, ({ split, random }) => {
  const { text, isPositive } = drawReview(split, random);
  return { text, class: isPositive ? 'positive' : 'negative' };
});
