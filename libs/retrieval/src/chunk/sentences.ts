/** Where sentences end, in English and Chinese. */

/** Words whose full stop ends no sentence. */
const abbreviations = /(?:^|[\s("'“‘])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|etc|e\.g|i\.e|no|fig|vol|pp?|cf|al|[A-Z])\.$/i;
const ends = /[.!?…]+["'”’)\]]*(?=\s)|[。！？…]+["'”’」』）]*|\n\s*\n/g;

/** Cuts the stretch of text into sentences without gaps: each reaches to the beginning of the next. */
export function sentenceStarts(text: string, from: number, to: number): number[] {
  const starts = [from];
  ends.lastIndex = from;
  for (let match = ends.exec(text); match && ends.lastIndex < to; match = ends.exec(text)) {
    const end = ends.lastIndex;
    if (match[0] === '.' && abbreviations.test(text.slice(Math.max(from, end - 8), end))) continue;
    const space = /\s*/y;
    space.lastIndex = end;
    const next = end + (space.exec(text)?.[0].length ?? 0);
    if (next < to && next > starts.at(-1)!) starts.push(next);
  }
  return starts;
}
