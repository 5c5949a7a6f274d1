/** Facts to be found among others like them, in numbered passages or in prose; sometimes they are not there. */
import type { Random } from '@crucible/foundation';
import { forgedWords, numberedPassages } from '@crucible/prompting';
import type { Attribute } from '../attributes.ts';
import { attributes, attributesOf, entityKinds, nounPhrase } from '../attributes.ts';
import type { Format } from '../example.ts';
import type { CitedValue } from '../expectations/passage.ts';
import { passageAnswer } from '../expectations/passage.ts';
import type { Fact } from '../facts.ts';
import { drawFact, drawSubject, stateFact } from '../facts.ts';
import { drawName } from '../names.ts';
import { drawNeighbour, drawPageQuestion } from '../page-question.ts';
import type { Phrasings } from '../phrasing.ts';
import { capitalized, fill, pickPhrasing } from '../phrasing.ts';
import { pickWeighted } from '../pick-weighted.ts';
import type { Split } from '../split.ts';
import type { Draw, Drawn, Task } from '../task.ts';

export const lookup: Task = {
  formats: { passages: 0.63, plain: 0.27, pages: 0.1 },
  draw(draw, format) {
    return format === 'pages' ? drawPageLookup(draw) : drawLookup(draw, format);
  },
  // Without passages: who is asked knows the fact, or looks it up.
  question({ split, random, ...draw }) {
    const drawn = drawPageQuestion(draw.encyclopedia(), { isAnswerable: true, split, random });
    const { page, question, phrasing, fact } = drawn;
    const values = page.facts.map(({ value }): CitedValue => ({ value, passage: 1 }));
    return {
      question,
      answer: fact!.value,
      reasoning: `${capitalized(nounPhrase(fact!.attribute, page.title))} is ${fact!.value}.`,
      phrasing,
      expected: {
        kind: 'passage',
        answer: values.find(({ value }) => value === fact!.value)!,
        others: values.filter(({ value }) => value !== fact!.value),
        cited: false,
      },
    };
  },
};

/** How often a document has two facts, three or four. */
const factCountWeights = [0.5, 0.3, 0.2];

/** How often the fact that is asked for is not there. */
export const unanswerableShare = 0.1;

/** How often a distractor is the same attribute of another, another attribute of the same, or neither. */
const distractorWeights = { sameAttribute: 0.5, sameSubject: 0.4, neither: 0.1 } as const;

type Distractor = keyof typeof distractorWeights;

const frames: Readonly<Record<'passages' | 'plain', Phrasings>> = {
  passages: {
    train: [
      '{document}\n{question}',
      '{document}\n\nQuestion: {question}',
      'Passages:\n{document}\nQuestion: {question}',
      'Answer from the passages.\n{document}\n{question}',
      '{question}\n{document}',
      'Question: {question}\n\n{document}',
    ],
    heldout: [
      'Question: {question}\nPassages:\n{document}',
      '{document}\nAnswer the question from the passages: {question}',
    ],
  },
  plain: {
    train: [
      '{document}\n{question}',
      '{document}\n\nQuestion: {question}',
      'Text: {document}\nQuestion: {question}',
      'Answer from the text.\n{document}\n{question}',
      '{question}\n{document}',
      'Question: {question}\n\n{document}',
    ],
    heldout: ['Question: {question}\nText: {document}', '{document}\nAnswer the question from the text: {question}'],
  },
};

function drawLookup({ split, random }: Draw, format: Format): Drawn {
  const cited = format === 'passages';
  const { target, facts } = drawFacts(split, random);
  const { questions }: Attribute = attributes[target.attribute];
  const question = pickPhrasing(questions, split, random);
  const frame = pickPhrasing(frames[cited ? 'passages' : 'plain'], split, random);
  const sentences = facts.map((fact) => stateFact(fact, random));
  const values = facts.map(({ value }, i): CitedValue => ({ value, passage: i + 1 }));
  const position = facts.indexOf(target);
  const expected = {
    kind: 'passage' as const,
    answer: values[position] ?? null,
    others: values.filter((_value, i) => i !== position),
    cited,
  };
  const response = passageAnswer(expected);
  return {
    messages: [
      {
        role: 'user',
        content: fill(frame, {
          document: cited ? numberedPassages(sentences) : sentences.join(' '),
          question: fill(question, { s: target.subject }),
        }),
      },
    ],
    response,
    answer: expected.answer?.value ?? response,
    phrasing: fill(frame, { question }),
    expected,
  };
}

/** How often the page that is asked about is found first. */
const foundFirstShare = 0.75;

/** What RAG asks: pages as a search finds them, the right one among them, and the question. */
function drawPageLookup({ split, random, ...draw }: Draw): Drawn {
  const encyclopedia = draw.encyclopedia();
  for (;;) {
    const isAnswerable = !random.boolean(unanswerableShare);
    const { page, question, phrasing, fact } = drawPageQuestion(encyclopedia, { isAnswerable, split, random });
    const neighbour = drawNeighbour(encyclopedia, page, random);
    const pages = random.boolean(foundFirstShare) ? [page, neighbour] : [neighbour, page];
    const values = pages.flatMap(({ facts }, i) => facts.map(({ value }): CitedValue => ({ value, passage: i + 1 })));
    const answer = fact && values.find(({ value }) => value === fact.value)!;
    // A value that two facts have would make the answer ambiguous.
    if (values.some((other) => other !== answer && other.value === answer?.value)) continue;
    const others = values.filter((value) => value !== answer);
    const expected = { kind: 'passage' as const, answer: answer ?? null, others, cited: true };
    const response = passageAnswer(expected);
    return {
      messages: [
        {
          role: 'user',
          content: forgedWords.passages(
            pages.map(({ sentences }) => sentences.join(' ')),
            question,
          ),
        },
      ],
      response,
      answer: answer?.value ?? response,
      phrasing: forgedWords.passages(['{document}'], phrasing),
      expected,
    };
  }
}

/** The fact that is asked for, and the facts of the document in random order; unanswerable where it is not of them. */
function drawFacts(split: Split, random: Random): { target: Fact; facts: Fact[] } {
  const attribute = random.pick(attributesOf(random.pick(entityKinds)));
  const isAnswerable = !random.boolean(unanswerableShare);
  const count = random.weighted(factCountWeights) + 2;
  for (;;) {
    const [target, ...sameSubject] = drawSubject(attribute, split, random);
    const distractors = drawDistractors(target, sameSubject, isAnswerable ? count - 1 : count, split, random);
    const facts = random.shuffled(isAnswerable ? [target, ...distractors] : distractors);
    // A value that occurs twice, or the subject as a value, would make the answer ambiguous.
    const values = new Set([...facts.map(({ value }) => value), target.value, target.subject]);
    if (values.size === facts.length + (isAnswerable ? 1 : 2)) return { target, facts };
  }
}

function drawDistractors(
  target: Fact,
  sameSubject: readonly Fact[],
  count: number,
  split: Split,
  random: Random,
): Fact[] {
  // One of each comes first, so that neither the name nor the attribute alone gives the answer away.
  const kinds: Distractor[] = random.shuffled<Distractor>(['sameAttribute', 'sameSubject']).slice(0, count);
  while (kinds.length < count) kinds.push(pickWeighted(distractorWeights, random));
  const left = [...sameSubject];
  return kinds.map(
    (kind) => (kind === 'sameSubject' ? left.pop() : undefined) ?? drawOther(target, kind, split, random),
  );
}

/** A fact about another subject of the same kind. */
function drawOther({ attribute }: Fact, kind: Distractor, split: Split, random: Random): Fact {
  const { of } = attributes[attribute];
  const others = attributesOf(of).filter((name) => name !== attribute);
  for (;;) {
    const drawn = kind === 'neither' ? random.pick(others) : attribute;
    const fact = drawFact(drawName(of, split, random), drawn, split, random);
    if (fact !== undefined) return fact;
  }
}
