import type { JsonField } from '../json-field.ts';
import { Matcher } from './matcher.ts';
import { parsePattern } from './parse-pattern.ts';
import { programFrom } from './program.ts';
import { PatternError, type PatternNode } from './syntax.ts';

/** As tokenizer.json writes it: a text that is looked for as it is, or a regular expression. */
export type PatternDefinition = { readonly String: string } | { readonly Regex: string };

export function parsePatternField(field: JsonField): PatternDefinition {
  const text = field.get('String');
  if (!text.isAbsent) return { String: text.string() };
  const regex = field.get('Regex');
  const source = regex.string();
  try {
    programFrom(parsePattern(source));
  } catch (reason) {
    if (reason instanceof PatternError) throw regex.error(reason.message);
    throw reason;
  }
  return { Regex: source };
}

/** `name`: how errors call it. */
export function createMatcher(definition: PatternDefinition, name: string): Matcher {
  return new Matcher(programFrom(nodeFrom(definition)), name);
}

function nodeFrom(definition: PatternDefinition): PatternNode {
  if ('Regex' in definition) return parsePattern(definition.Regex);
  const items = Array.from(definition.String, (character): PatternNode => {
    return { kind: 'character', code: character.codePointAt(0)! };
  });
  return items.length === 1 ? items[0]! : { kind: 'sequence', items };
}
