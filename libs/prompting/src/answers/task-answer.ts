/** What an answer to a task is: found in what a model wrote, normalised for votes, and compared with the right one. */
import { invalidInput } from '@crucible/foundation';
import { findLastDate } from './dates.ts';
import { areClose, exactNumber, type ExactNumber, findNumbers, type FoundNumber, numberKey } from './exact-number.ts';
import { normalizeText } from './text-answers.ts';

/** What kind of answer a task wants. */
export type AnswerKind =
  | { readonly kind: 'text' }
  | { readonly kind: 'number' }
  | { readonly kind: 'yes-no' }
  | { readonly kind: 'date' }
  /** One of these; they are lettered A, B, C… in their order. */
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

export const answerKinds = ['text', 'number', 'yes-no', 'date', 'choice'] as const;

export interface TaskAnswer {
  /** As it was written. */
  readonly text: string;
  /** Equal answers have equal keys: this is what is voted on. */
  readonly key: string;
}

/** Throws where choices are wanted and there are none to choose from. */
export function assertAnswerKind(kind: AnswerKind): void {
  if (!answerKinds.includes(kind.kind))
    throw invalidInput(
      `answer: ${JSON.stringify(kind.kind)} is no kind of answer; there are ${answerKinds.join(', ')}`,
      {
        at: 'answer',
      },
    );
  if (kind.kind === 'choice' && (kind.choices.length < 2 || kind.choices.length > 26))
    throw invalidInput(`answer: ${kind.choices.length} choices are given; 2 to 26 are allowed`, { at: 'answer' });
}

/**
 * The answer that a model's text comes to. What is marked as the answer goes first: the last of `####`, `\boxed{}` and
 * "the answer is"; then the end of the text. Undefined: there is none.
 */
export function extractAnswer(text: string, kind: AnswerKind): TaskAnswer | undefined {
  const marked = markedAnswer(text);
  if (marked !== undefined) {
    // The first of several numbers: "The answer is 5 apples for 3 children."
    const answer = readAnswer(marked, kind, 'first');
    if (answer !== undefined) return answer;
  }
  return readAnswer(text, kind, 'last');
}

/** Whether the text says outright what its answer is. */
export function statesAnswer(text: string, kind: AnswerKind): boolean {
  const marked = markedAnswer(text);
  return marked !== undefined && readAnswer(marked, kind, 'first') !== undefined;
}

/** Whether two answers are the same. Numbers are within 1e-3 or one part in 10^9; 50% is both 50 and 0.5. */
export function isSameAnswer(given: string, right: string, kind: AnswerKind): boolean {
  if (kind.kind === 'number') {
    const [a, b] = [lastNumber(given), lastNumber(right)];
    if (a === undefined || b === undefined) return false;
    return areClose(a, b) || (a.percent !== b.percent && areClose(shareOf(a), shareOf(b)));
  }
  const [a, b] = [extractAnswer(given, kind), extractAnswer(right, kind)];
  return a !== undefined && a.key === b?.key;
}

/** What stands before an answer: the answer goes up to the end of the line. */
const marker =
  /####|(?:\b(?:the|my|so the|thus the)?\s*(?:final |correct )?answer(?:\s*\([^)]*\))?\s*(?:is|are|was|equals|:)+|^\s*answer\s*:)[\s:]*/gim;

/** What stands behind the last mark of an answer. */
function markedAnswer(text: string): string | undefined {
  const said = Array.from(text.matchAll(marker), ({ index, 0: mark }) => {
    const start = index + mark.length;
    const end = text.indexOf('\n', start);
    return { at: index, text: text.slice(start, end < 0 ? undefined : end) };
  });
  const last = [...said, ...boxes(text)]
    .filter(({ text: content }) => content.trim() !== '')
    .sort((a, b) => a.at - b.at)
    .at(-1);
  // The answer may itself be in a box: "The answer is \boxed{5}."
  return last && (boxes(last.text).at(-1)?.text ?? last.text);
}

/** Longer boxes hold no answer; and a thousand that are never closed cost no time. */
const longestBox = 1000;

/** The contents of \boxed{…}, with braces inside. */
function boxes(text: string): { readonly at: number; readonly text: string }[] {
  const found: { at: number; text: string }[] = [];
  for (const { index, 0: opening } of text.matchAll(/\\f?boxed\s*\{/g)) {
    const start = index + opening.length;
    let depth = 1;
    let end = start;
    while (end < text.length && end - start < longestBox && depth > 0) {
      if (text[end] === '{') depth++;
      else if (text[end] === '}') depth--;
      end++;
    }
    if (depth === 0) found.push({ at: index, text: text.slice(start, end - 1) });
  }
  return found;
}

function readAnswer(text: string, kind: AnswerKind, which: 'first' | 'last'): TaskAnswer | undefined {
  switch (kind.kind) {
    case 'number': {
      const found = numbersOf(text);
      const number = which === 'first' ? found[0] : found.at(-1);
      return number && { text: number.text, key: numberKey(number.number) };
    }
    case 'yes-no':
      return readYesNo(text, which);
    case 'date': {
      const date = findLastDate(text);
      return date === undefined ? undefined : { text: date, key: date };
    }
    case 'choice':
      return readChoice(text, kind.choices, which);
    case 'text': {
      const answer = which === 'first' ? firstSentence(text) : text.trim();
      const key = wholeNumberKey(answer) ?? normalizeText(plainLatex(answer));
      return key === '' ? undefined : { text: answer, key };
    }
  }
}

function numbersOf(text: string): (FoundNumber & { readonly text: string })[] {
  // GSM8K's notes for a calculator repeat what stands beside them.
  const plain = plainLatex(text.replace(/<<[^>]*>>/g, ' '));
  return findNumbers(plain).map((found) => ({ ...found, text: plain.slice(found.start, found.end) }));
}

/** Where a text is a number and nothing else: 24.0 and 24 are one answer, and not the 240 that is left without the point. */
function wholeNumberKey(text: string): string | undefined {
  const trimmed = text.trim();
  const [found] = findNumbers(trimmed);
  return found?.start === 0 && found.end === trimmed.length && /\d/.test(trimmed) ? numberKey(found.number) : undefined;
}

function lastNumber(text: string): ExactNumber | undefined {
  const marked = markedAnswer(text);
  return (marked === undefined ? undefined : numbersOf(marked)[0]?.number) ?? numbersOf(text).at(-1)?.number;
}

function shareOf(number: ExactNumber): ExactNumber {
  return number.percent ? exactNumber(number.numerator, number.denominator * 100n) : number;
}

/** Without \text{}, spaces and delimiters of LaTeX; fractions stay for the reader of numbers. */
function plainLatex(text: string): string {
  return text
    .replace(/\\(?:text|textbf|mathrm|mbox|mathbf)\s*\{([^{}]*)\}/g, ' $1 ')
    .replace(/\{,\}/g, ',')
    .replace(/\\[,;:!]|\\ |\\left|\\right|\\\(|\\\)|\\\[|\\\]/g, (part) => (part === '\\!' ? '' : ' '))
    .replace(/\\([$%])/g, '$1');
}

const affirmative = new Set(['yes', 'true', 'correct']);

function readYesNo(text: string, which: 'first' | 'last'): TaskAnswer | undefined {
  const words = text.match(/\b(?:yes|no|true|false|correct|incorrect)\b(?![-'])/gi) ?? [];
  // At the very beginning it is the answer, and what follows the reason.
  const leading = /^\W*(yes|no|true|false)\b(?=[\s.,;:!)-]|$)/i.exec(text)?.[1];
  const word = leading ?? (which === 'first' ? words[0] : words.at(-1));
  return word === undefined ? undefined : { text: word, key: affirmative.has(word.toLowerCase()) ? 'yes' : 'no' };
}

function readChoice(text: string, choices: readonly string[], which: 'first' | 'last'): TaskAnswer | undefined {
  const letters = choices.map((_, i) => String.fromCharCode(65 + i));
  const range = letters.join('');
  const answer = (index: number): TaskAnswer => ({
    text: `(${letters[index]}) ${choices[index]}`,
    key: letters[index]!,
  });
  // A letter alone, or set apart: "(B)", "B)", "B.", "**B**". The article "A" is not.
  const single = new RegExp(String.raw`^[\s(*[]*([${range}${range.toLowerCase()}])[\s)*\].:]*$`).exec(text);
  if (single) return answer(letters.indexOf(single[1]!.toUpperCase()));
  const normalized = normalizeText(text);
  const exact = choices.findIndex((choice) => normalizeText(choice) === normalized);
  if (exact >= 0) return answer(exact);
  const set = Array.from(
    text.matchAll(
      new RegExp(
        String.raw`\(([${range}])\)|(?<![\p{L}\d])([${range}])(?=\)|[.:](?:\s|$)|\*\*|\s*$)|\b(?:option|choice)\s+([${range}])\b`,
        'gu',
      ),
    ),
    (match) => ({ at: match.index, index: letters.indexOf((match[1] ?? match[2] ?? match[3])!) }),
  );
  const named = choices.flatMap((choice, index) => {
    const at = ` ${normalized} `.lastIndexOf(` ${normalizeText(choice)} `);
    return at < 0 || normalizeText(choice) === '' ? [] : [index];
  });
  const chosen = which === 'first' ? set[0] : set.at(-1);
  if (chosen !== undefined) return answer(chosen.index);
  // Several that are named are no choice; of one inside another ("New York City", "New York") the longer counts.
  const outer = named.filter(
    (index) =>
      !named.some(
        (other) =>
          other !== index && ` ${normalizeText(choices[other]!)} `.includes(` ${normalizeText(choices[index]!)} `),
      ),
  );
  return outer.length === 1 ? answer(outer[0]!) : undefined;
}

/** Up to the full stop that ends it; those of abbreviations and decimals do not. */
function firstSentence(text: string): string {
  const end = /[.!?](?=\s+[\p{Lu}"'([]|\s*$)/u.exec(
    text.replace(/\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No)\./g, (part) => part.replace('.', '_')),
  );
  return (end === null ? text : text.slice(0, end.index)).trim().replace(/^["'*]+|["'*]+$/g, '');
}
