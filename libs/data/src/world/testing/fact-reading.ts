/** For tests: reads facts back out of text, by the sentences that may state them. */
import type { Attribute, AttributeName } from '../attributes.ts';
import { attributeNames, attributes } from '../attributes.ts';
import type { Fact } from '../facts.ts';

const valuePattern: Record<Attribute['value'], string> = {
  town: '[A-Z][a-z]+',
  river: '[A-Z][a-z]+',
  mountain: 'Mount [A-Z][a-z]+',
  lake: 'Lake [A-Z][a-z]+',
  person: '[A-Z][a-z]+ [A-Z][a-z]+',
  building: '[A-Z][a-z]+ [A-Z][a-z]+',
  year: '\\d{4}',
  length: '\\d+ miles',
  height: '\\d+ feet',
  weekday: '[A-Z][a-z]+day',
  good: '[a-z]+',
  job: '[a-z]+',
};

interface Form {
  readonly attribute: AttributeName;
  readonly pattern: RegExp;
}

const subject = '(?<subject>[A-Z][a-z]+(?: [A-Z][a-z]+)?)';

const forms: Form[] = attributeNames.flatMap((attribute) => {
  const { statements, value }: Attribute = attributes[attribute];
  return statements.map((statement) => {
    const pattern = statement.replace('{s}', subject).replace('{v}', `(?<value>${valuePattern[value]})`);
    return { attribute, pattern: new RegExp(`^${pattern.replace(/\.$/, '\\.')}$`) };
  });
});

const laterForms: Form[] = attributeNames.map((attribute) => {
  const { noun, value }: Attribute = attributes[attribute];
  return { attribute, pattern: new RegExp(`^(?:Its|Her|His) ${noun} is (?<value>${valuePattern[value]})\\.$`) };
});

/** All facts that the sentences of a text state; "Its mayor is …" is about the subject of the fact before. */
export function factsIn(text: string): Fact[] {
  const facts: Fact[] = [];
  for (const sentence of text.split(/\n|(?<=\.) /)) {
    const plain = sentence.replace(/^(?:\[\d+\]|Observation \d+:|Text:|Passages:) /, '');
    const stated = read(plain, forms);
    const previous = facts.at(-1);
    if (stated.length > 0) facts.push(...stated);
    else if (previous !== undefined)
      facts.push(...read(plain, laterForms).map((fact) => ({ ...fact, subject: previous.subject })));
  }
  return facts;
}

function read(sentence: string, candidates: readonly Form[]): Fact[] {
  return candidates.flatMap(({ attribute, pattern }) => {
    const groups = pattern.exec(sentence)?.groups;
    return groups === undefined ? [] : [{ subject: groups['subject'] ?? '', attribute, value: groups['value']! }];
  });
}
