/**
 * What all templates have in common: text with placeholders in braces, `{{` and `}}` for braces. A template is read by a
 * parser, and nothing in it is ever run.
 */
import { invalidInput } from '@crucible/foundation';

export type ScannedPart =
  | { readonly kind: 'literal'; readonly text: string }
  /** What stands between the braces; `start` and `end` are the places of the braces, the end exclusive. */
  | { readonly kind: 'placeholder'; readonly inner: string; readonly start: number; readonly end: number };

const longestTemplate = 2000;

/** Parts a template into text and placeholders; errors show it with carets under the place. `at`: what it is, in errors. */
export function scanTemplate(source: string, at: string): ScannedPart[] {
  if (source.length > longestTemplate)
    throw invalidInput(`${at}: it has ${source.length} characters; ${longestTemplate} are the most`, { at });
  const parts: ScannedPart[] = [];
  let literal = '';
  const flush = (): void => {
    if (literal !== '') parts.push({ kind: 'literal', text: literal });
    literal = '';
  };
  for (let i = 0; i < source.length;) {
    const character = source[i]!;
    if ((character === '{' || character === '}') && source[i + 1] === character) {
      literal += character;
      i += 2;
    } else if (character === '}') {
      throw templateError(source, 'a } without its {; write }} for a brace', i, i + 1, at);
    } else if (character !== '{') {
      literal += character;
      i++;
    } else {
      const end = source.indexOf('}', i);
      const inner = end === -1 ? '' : source.slice(i + 1, end);
      if (end === -1 || inner.includes('{'))
        throw templateError(source, 'a { without its }; write {{ for a brace', i, i + 1, at);
      flush();
      parts.push({ kind: 'placeholder', inner, start: i, end: end + 1 });
      i = end + 1;
    }
  }
  flush();
  return parts;
}

/** The template under what is wrong with it, and carets under the place. */
export function templateError(source: string, what: string, start: number, end: number, at = 'template'): Error {
  const shown = source.replace(/\s/g, ' ');
  const carets = `${' '.repeat(start)}${'^'.repeat(Math.max(1, end - start))}`;
  return invalidInput(`${at}, column ${start + 1}: ${what}\n  ${shown}\n  ${carets}`, { at });
}
