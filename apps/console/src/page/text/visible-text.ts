/**
 * Text in which everything that acts can be seen: what somebody is to approve, what was run. Characters that turn the
 * direction of writing, that take no room, or that control, stand as their code points.
 */

/** Controls but tab and line feed, formats, separators of lines, blanks that are no space, letters that draw nothing. */
const hidden =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]/gu;

export function visibleText(text: string): string {
  return text.replace(hidden, (character) =>
    character === '\n' || character === '\t'
      ? character
      : `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );
}
