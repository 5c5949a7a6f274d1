/**
 * Ways of putting a labelled text as an instruction (Wei et al. 2022, "FLAN"): what is asked, and what is answered. Most ask
 * for the label; inverted ones give the label and ask for a text.
 *
 * - `{text}`, `{pair}`: the text, and the second text of a pair.
 * - `{label}`: the label's name.
 * - `{options}`: all names, a line each, in an order of their own each time.
 */
import { invalidInput } from '@crucible/foundation';
import { type ScannedPart, scanTemplate, templateError } from '../template-scanner.ts';

export interface InstructionTemplate {
  readonly prompt: readonly ScannedPart[];
  readonly answer: readonly ScannedPart[];
  /** Whether the label is given and the text is asked for. */
  readonly isInverted: boolean;
}

/** What an instruction is made of. */
export interface InstructionFields {
  readonly text: string;
  readonly pair?: string | undefined;
  readonly label: string;
  /** In the order in which they are shown. */
  readonly options: readonly string[];
}

const fieldNames = ['text', 'pair', 'label', 'options'] as const;

/** Reads a template; errors show it with carets under the place. `answer` is by default the label. */
export function parseInstructionTemplate(prompt: string, answer = '{label}'): InstructionTemplate {
  const parsed = { prompt: scanned(prompt, 'prompt'), answer: scanned(answer, 'answer') };
  const placesOf = (side: 'prompt' | 'answer', name: (typeof fieldNames)[number]) =>
    parsed[side].find((part) => part.kind === 'placeholder' && part.inner === name);
  const fail = (side: 'prompt' | 'answer', part: ScannedPart | undefined, what: string): never => {
    const source = side === 'prompt' ? prompt : answer;
    const [start, end] = part?.kind === 'placeholder' ? [part.start, part.end] : [0, Math.max(1, source.length)];
    throw templateError(source, what, start, end, side);
  };
  const options = placesOf('answer', 'options');
  if (options) fail('answer', options, '{options} are part of what is asked, and not of what is answered');
  const isInverted = placesOf('answer', 'label') === undefined;
  if (isInverted && !placesOf('answer', 'text') && !placesOf('answer', 'pair'))
    fail('answer', undefined, 'there is neither {label} nor {text} nor {pair}: all answers would be alike');
  const told = placesOf('prompt', 'label');
  if (!isInverted && told) fail('prompt', told, 'the {label} is what is to be answered, and the prompt tells it');
  const texts = placesOf('prompt', 'text') ?? placesOf('prompt', 'pair');
  if (!isInverted && !texts)
    fail('prompt', undefined, 'there is neither {text} nor {pair}: all questions would be alike');
  for (const name of ['text', 'pair'] as const) {
    const repeated = placesOf('answer', name) && placesOf('prompt', name);
    if (repeated) fail('prompt', repeated, `{${name}} is what is to be answered, and the prompt tells it`);
  }
  return { ...parsed, isInverted };
}

function scanned(source: string, at: 'prompt' | 'answer'): ScannedPart[] {
  const parts = scanTemplate(source, at);
  for (const part of parts) {
    if (part.kind === 'placeholder' && !fieldNames.some((name) => name === part.inner)) {
      const known = fieldNames.map((name) => `{${name}}`).join(', ');
      throw templateError(source, `unknown placeholder {${part.inner}}; there are ${known}`, part.start, part.end, at);
    }
  }
  return parts;
}

/** The instruction of one example. */
export function fillInstruction(
  { prompt, answer }: InstructionTemplate,
  fields: InstructionFields,
): { readonly prompt: string; readonly answer: string } {
  const fill = (parts: readonly ScannedPart[]): string =>
    parts.map((part) => (part.kind === 'literal' ? part.text : valueOf(part.inner, fields))).join('');
  return { prompt: fill(prompt), answer: fill(answer) };
}

function valueOf(name: string, { text, pair, label, options }: InstructionFields): string {
  switch (name) {
    case 'text':
      return text;
    case 'label':
      return label;
    case 'options':
      return ['Options:', ...options.map((option) => `- ${option}`)].join('\n');
    default:
      if (pair !== undefined) return pair;
      throw invalidInput(
        `prompt: it has {pair}, and the example ${JSON.stringify(text.slice(0, 40))} has no second text`,
        {
          at: 'prompt',
        },
      );
  }
}
