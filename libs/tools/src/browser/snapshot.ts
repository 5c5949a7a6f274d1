/**
 * A page as its accessibility tree: a line for each element, indented below what holds it, with a reference that
 * actions name it by (`[ref=e12]`; `f1e3` in a frame). It is Playwright's snapshot for models, made shorter.
 */
import { visibleText } from '../observation.ts';

export type Snapshot = readonly string[];

export const refPattern = '^(f\\d+)?e\\d+$';

const longestLine = 300;

/** `yaml`: of `ariaSnapshot({ mode: 'ai' })`. */
export function parseSnapshot(yaml: string): Snapshot {
  const lines: string[] = [];
  // The indentations of containers that were left out, which those within them lose.
  const left: number[] = [];
  for (const line of visibleText(yaml).split('\n')) {
    const text = line.trimStart();
    if (text === '') continue;
    const indent = line.length - text.length;
    while (left.length > 0 && left.at(-1)! >= indent) left.pop();
    if (/^- generic(?: \[active\])?(?: \[ref=\w+\])?:$/.test(text)) {
      left.push(indent);
      continue;
    }
    // Nothing to read and nothing to act on.
    if (/^- generic(?: \[ref=\w+\])?$/.test(text)) continue;
    const short = text.replace(' [cursor=pointer]', '');
    lines.push(' '.repeat(Math.max(0, indent - 2 * left.length)) + shortLine(short));
  }
  return lines;
}

/** The lines with the text, and those that hold them. */
export function findInSnapshot(
  snapshot: Snapshot,
  text: string,
): { readonly matches: number; readonly lines: Snapshot } {
  const wanted = text.toLowerCase();
  const kept = new Set<number>();
  let matches = 0;
  const above: number[] = [];
  for (const [place, line] of snapshot.entries()) {
    while (above.length > 0 && indentOf(snapshot[above.at(-1)!]!) >= indentOf(line)) above.pop();
    if (
      line
        .replace(/\[ref=\w+\]/g, '')
        .toLowerCase()
        .includes(wanted)
    ) {
      matches++;
      for (const each of [...above, place]) kept.add(each);
      // What a link leads to is a line of its own.
      if (snapshot[place + 1]?.trimStart().startsWith('- /url:')) kept.add(place + 1);
    }
    above.push(place);
  }
  return { matches, lines: snapshot.filter((_line, place) => kept.has(place)) };
}

/** Whole lines from `start` (the first is 1) on, as many as so many characters hold; at least one. */
export function linesWithin(
  snapshot: Snapshot,
  start: number,
  characters: number,
): { readonly text: string; readonly end: number } {
  const kept: string[] = [];
  let size = 0;
  for (const line of snapshot.slice(start - 1)) {
    size += line.length + 1;
    if (size > characters && kept.length > 0) break;
    kept.push(line);
  }
  return { text: kept.join('\n'), end: start - 1 + kept.length };
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** References stay: without them nothing could be done with the element. */
function shortLine(text: string): string {
  if (text.length <= longestLine) return text;
  const refs = /(?: \[[\w=.-]+\])*:?$/.exec(text)?.[0] ?? '';
  const ref = refs === '' ? (/ \[ref=\w+\]/.exec(text.slice(longestLine))?.[0] ?? '') : refs;
  return `${text.slice(0, longestLine - ref.length).replace(/[\ud800-\udbff]$/, '')}…${ref}`;
}
