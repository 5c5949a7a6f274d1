/** Questions that take two or three searches, each for what the last one found. */
import type { Random } from '@crucible/foundation';
import { attributes, nounPhrase } from '../attributes.ts';
import type { Encyclopedia, Page } from '../encyclopedia.ts';
import type { CitedValue } from '../expectations/passage.ts';
import type { Fact } from '../facts.ts';
import type { Phrasings } from '../phrasing.ts';
import { fill, pickPhrasing } from '../phrasing.ts';
import { stepExample, trajectoryMessages } from '../react.ts';
import type { Trajectory, TrajectoryStep } from '../react.ts';
import { systemPrompts } from '../system-prompts.ts';
import type { Draw, Task } from '../task.ts';

export const multihop: Task = {
  formats: { react: 1 },
  draw(draw) {
    const trajectory = drawMultihopTrajectory(draw);
    return stepExample(trajectory, draw.random.integer(1, trajectory.steps.length));
  },
  question(draw) {
    const { question, phrasing, answer, steps } = drawMultihopTrajectory(draw);
    const found = (value: string, passage: number): CitedValue => ({ value, passage });
    return {
      question,
      answer,
      reasoning: steps.map(({ thought }) => thought).join(' '),
      phrasing,
      expected: {
        kind: 'passage',
        answer: found(answer, 1),
        others: steps.at(-1)!.others.map((value) => found(value, 2)),
        cited: false,
      },
    };
  },
};

/** How often there are three searches; otherwise there are two. */
export const threeSearchesShare = 0.25;

/** In characters, all messages together: the last step then fits into 256 tokens. */
const longestConversation = 700;

/** `{what}` is a noun phrase, as in "the birthplace of the mayor of Tamova". */
const frames: Phrasings = {
  train: [
    'What is {what}?',
    'Find {what}.',
    'Tell me {what}.',
    'I want to know {what}.',
    'Please find {what}.',
    'Search for {what}.',
    'Do you know {what}?',
    'Give me {what}.',
  ],
  heldout: ['Please tell me {what}.', 'I want you to find {what}.', 'Do you know what {what} is?'],
};

interface Hop {
  readonly page: Page;
  readonly fact: Fact;
}

export function drawMultihopTrajectory(draw: Draw): Trajectory {
  for (;;) {
    const trajectory = drawTrajectory(draw);
    const length = trajectoryMessages(trajectory).reduce((sum, { content }) => sum + content.length, 0);
    if (length <= longestConversation) return trajectory;
  }
}

function drawTrajectory(draw: Draw): Trajectory {
  const { split, random } = draw;
  const encyclopedia = draw.encyclopedia();
  const hops = drawHops(encyclopedia, random.boolean(threeSearchesShare) ? 3 : 2, random);
  const phrasing = pickPhrasing(frames, split, random);
  const { subject } = hops[0]!.fact;
  const what = hops.reduce((phrase, { fact }) => nounPhrase(fact.attribute, phrase), subject);
  const reader = encyclopedia.open();
  const searches = hops.map(({ page, fact }, i): TrajectoryStep => {
    const { noun } = attributes[fact.attribute];
    return {
      thought:
        i === 0 ? `I need ${nounPhrase(fact.attribute, page.title)}.` : `It is ${page.title}. I need the ${noun}.`,
      action: 'Search',
      argument: page.title,
      others:
        i === 0 ? [random.pick(encyclopedia.pages.filter((other) => other !== page)).title] : mistakes(hops[i - 1]!),
      observation: reader.search(page.title),
    };
  });
  const last = hops.at(-1)!;
  const answer = last.fact.value;
  return {
    systemPrompt: systemPrompts.search,
    question: fill(phrasing, { what }),
    phrasing,
    answer,
    steps: [...searches, { thought: `It is ${answer}.`, action: 'Finish', argument: answer, others: mistakes(last) }],
  };
}

/** A walk from page to page, and one more fact of the last page. */
function drawHops(encyclopedia: Encyclopedia, count: number, random: Random): Hop[] {
  for (;;) {
    const hops: Hop[] = [];
    let page: Page | undefined = random.pick(encyclopedia.pages);
    while (page !== undefined && hops.length < count) {
      const seen = [page.title, ...hops.map((hop) => hop.page.title)];
      const isLast = hops.length === count - 1;
      const facts: Fact[] = page.facts.filter(
        ({ value }) => !seen.includes(value) && (isLast || encyclopedia.page(value) !== undefined),
      );
      if (facts.length === 0) break;
      const fact = random.pick(facts);
      hops.push({ page, fact });
      page = encyclopedia.page(fact.value);
    }
    if (hops.length === count) return hops;
  }
}

/** What somebody takes who reads the right page carelessly: another value, or its title. */
function mistakes({ page, fact }: Hop): string[] {
  return [page.title, ...page.facts.map(({ value }) => value)].filter((text) => text !== fact.value);
}
