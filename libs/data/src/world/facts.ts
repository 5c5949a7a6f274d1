/** Facts: a subject, an attribute and a value. Which facts train may know is decided by the hash of all three. */
import type { Random } from '@crucible/foundation';
import { hashFraction } from '../hash-text.ts';
import type { Attribute, AttributeName, ValueKind } from './attributes.ts';
import { attributes, attributesOf } from './attributes.ts';
import { drawName } from './names.ts';
import { fill } from './phrasing.ts';
import { isOnSide } from './split.ts';
import type { Split } from './split.ts';

export interface Fact {
  readonly subject: string;
  readonly attribute: AttributeName;
  readonly value: string;
}

const closedValues: Partial<Record<ValueKind, readonly string[]>> = {
  weekday: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
  good: [
    ...['salt', 'wool', 'honey', 'glass', 'paper', 'silk', 'cheese', 'tea', 'apples', 'lamps', 'clocks', 'boats'],
    ...['bells', 'rope', 'bread', 'ink', 'shoes', 'candles', 'pots', 'carpets', 'wine', 'soap', 'iron', 'leather'],
  ],
  job: [
    ...['baker', 'painter', 'sailor', 'doctor', 'farmer', 'tailor', 'smith', 'miller', 'judge', 'singer', 'writer'],
    ...['hunter', 'weaver', 'mason', 'potter', 'gardener', 'lawyer', 'shepherd', 'cook', 'printer'],
  ],
};

/** A fact of `subject` for `split`; undefined when the few values that there are all belong to the other side. */
export function drawFact(subject: string, attribute: AttributeName, split: Split, random: Random): Fact | undefined {
  return factFrom(subject, attribute, split, random, closedValues[attributes[attribute].value]);
}

/** As drawFact, with a value out of `values`. */
export function factFrom(
  subject: string,
  attribute: AttributeName,
  split: Split,
  random: Random,
  values: readonly string[] | undefined,
): Fact | undefined {
  const factWith = (value: string): Fact => ({ subject, attribute, value });
  if (values === undefined) {
    for (;;) {
      const fact = factWith(drawOpenValue(attributes[attribute].value, split, random));
      if (fact.value !== subject && isFactOnSide(split, fact)) return fact;
    }
  }
  const allowed = values.filter((value) => value !== subject && isFactOnSide(split, factWith(value)));
  return allowed.length === 0 ? undefined : factWith(random.pick(allowed));
}

/** A subject with a fact for every attribute of its kind, `first` at the head and the others in random order. */
export function drawSubject(first: AttributeName, split: Split, random: Random): [Fact, ...Fact[]] {
  const kind = attributes[first].of;
  for (;;) {
    const subject = drawName(kind, split, random);
    const others = random.shuffled(attributesOf(kind).filter((attribute) => attribute !== first));
    const [head, ...tail] = [first, ...others].map((attribute) => drawFact(subject, attribute, split, random));
    const facts = tail.filter((fact) => fact !== undefined);
    if (head !== undefined && facts.length === others.length) return [head, ...facts];
  }
}

export function isFactOnSide(split: Split, { subject, attribute, value }: Fact): boolean {
  return isOnSide(split, `fact ${subject} ${attribute} ${value}`);
}

/** The fact as a sentence, in words that differ from those of `unlike`. */
export function stateFact({ subject, attribute, value }: Fact, random: Random, unlike?: string): string {
  const { statements }: Attribute = attributes[attribute];
  const sentences = statements.map((statement) => fill(statement, { s: subject, v: value }));
  return random.pick(sentences.filter((sentence) => sentence !== unlike));
}

/** The fact as a short sentence that follows another one about the same subject: "Its mayor is Belan Galder." */
export function stateFactAgain({ subject, attribute, value }: Fact): string {
  const { of, noun } = attributes[attribute];
  const owner = of !== 'person' ? 'Its' : hashFraction(`her ${subject}`) < 0.5 ? 'Her' : 'His';
  return `${owner} ${noun} is ${value}.`;
}

function drawOpenValue(kind: ValueKind, split: Split, random: Random): string {
  switch (kind) {
    case 'year':
      return String(random.integer(1100, 1899));
    case 'length':
      return `${random.integer(12, 990)} miles`;
    case 'height':
      return `${random.integer(12, 480)} feet`;
    case 'weekday':
    case 'good':
    case 'job':
      throw new Error(`internal: the values of ${kind} are a closed list`);
    default:
      return drawName(kind, split, random);
  }
}
