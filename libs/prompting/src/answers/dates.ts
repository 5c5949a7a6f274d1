/** Dates in the spellings of English texts, as ISO 8601: "July 16, 1966", "16 July 1966", "07/16/1966", "July 1966". */

const months = 'january february march april may june july august september october november december'.split(' ');
const month = String.raw`(?<month>${months.map((name) => `${name}|${name.slice(0, 3)}\\.?`).join('|')}|sept\.?)`;
const day = String.raw`(?<day>\d{1,2})(?:st|nd|rd|th)?`;
const year = String.raw`(?<year>\d{4})`;

/** The fullest spellings first. In figures with slashes the month comes first, as in the data sets of the papers. */
const patterns: readonly RegExp[] = [
  String.raw`${year}-(?<monthNumber>\d{2})-(?<day>\d{2})`,
  String.raw`${month}\s+${day},?\s+${year}`,
  String.raw`${day}\s+(?:of\s+)?${month},?\s+${year}`,
  String.raw`(?<monthNumber>\d{1,2})/(?<day>\d{1,2})/${year}`,
  String.raw`${month},?\s+${year}`,
  String.raw`${year}`,
].map((source) => new RegExp(String.raw`(?<![\d/-])${source}(?![\d/])(?!-\d)`, 'giu'));

/** The last date of a text as YYYY-MM-DD, YYYY-MM or YYYY; undefined where there is none. */
export function findLastDate(text: string): string | undefined {
  let best: { readonly end: number; readonly date: string } | undefined;
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const date = isoDate(match.groups!);
      const end = match.index + match[0].length;
      // A fuller spelling wins over what is a part of it.
      if (date !== undefined && end > (best?.end ?? -1)) best = { end, date };
    }
  }
  return best?.date;
}

function isoDate(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const two = (value: number): string => String(value).padStart(2, '0');
  const named = groups['month']?.slice(0, 3).toLowerCase();
  const index =
    named === undefined ? Number(groups['monthNumber'] ?? 0) : months.findIndex((name) => name.startsWith(named)) + 1;
  if (index === 0) return groups['year'];
  if (index > 12) return undefined;
  if (groups['day'] === undefined) return `${groups['year']}-${two(index)}`;
  const days = new Date(Date.UTC(Number(groups['year']), index, 0)).getUTCDate();
  const dayNumber = Number(groups['day']);
  return dayNumber < 1 || dayNumber > days ? undefined : `${groups['year']}-${two(index)}-${two(dayNumber)}`;
}
