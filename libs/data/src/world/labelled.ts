/** The world's texts with their labels alone, without questions about them: what classifiers are trained on. */
import type { Random } from '@crucible/foundation';
import { drawReview } from './reviews.ts';
import type { Split } from './split.ts';
import { drawTypedQuestion, questionTypes } from './tasks/question-type.ts';
import { drawTopicSentence, topics } from './tasks/topic.ts';

/** Labels by task. */
export const labelledTasks = {
  sentiment: ['negative', 'positive'],
  topic: topics,
  'question-type': questionTypes,
} as const satisfies Record<string, readonly string[]>;

export type LabelledTask = keyof typeof labelledTasks;

export interface LabelledOptions {
  readonly task: LabelledTask;
  readonly split: Split;
  readonly random: Random;
}

export interface LabelledExample {
  readonly text: string;
  /** One of those of the task. */
  readonly label: string;
}

export function drawLabelled(task: LabelledTask, split: Split, random: Random): LabelledExample {
  switch (task) {
    case 'sentiment': {
      const { text, isPositive } = drawReview(split, random);
      return { text, label: isPositive ? 'positive' : 'negative' };
    }
    case 'topic': {
      const label = random.pick(topics);
      return { text: drawTopicSentence(label, split, random), label };
    }
    case 'question-type': {
      const { text, class: label } = drawTypedQuestion(split, random);
      return { text, label };
    }
  }
}
