/**
 * Names of an invented country, built from a beginning and an ending. The ending tells the kind, the beginnings are
 * shared by all kinds, so that every name is new to a reader and yet made of few pieces.
 */
import type { Random } from '@crucible/foundation';
import { hashFraction } from '../hash-text.ts';
import type { Split } from './split.ts';

const beginnings = [
  ...['Bal', 'Bel', 'Bor', 'Cal', 'Cor', 'Dal', 'Der', 'Dor', 'Fal', 'Fen', 'Gal', 'Gor', 'Hal', 'Hel', 'Hor', 'Jal'],
  ...['Jen', 'Jor', 'Kal', 'Kel', 'Kor', 'Lam', 'Len', 'Lom', 'Mar', 'Mel', 'Mon', 'Nar', 'Nel', 'Nor', 'Pal', 'Pel'],
  ...['Por', 'Ral', 'Ren', 'Rom', 'Sal', 'Sel', 'Sor', 'Tam', 'Tel', 'Tor', 'Val', 'Ven', 'Vor', 'Wal', 'Wen', 'Zel'],
];

const endings = {
  town: ['ova', 'und', 'eth', 'imar', 'olm', 'adal', 'ista', 'enna', 'ark', 'ovik'],
  river: ['ir', 'une', 'ave', 'olo', 'ess', 'ari', 'yra', 'isk', 'orn', 'ewa'],
  mountain: ['agor', 'upe', 'ithar', 'okk', 'andro', 'ezat', 'ull', 'epek', 'ost', 'uka'],
  lake: ['ea', 'ibo', 'oa', 'umi', 'ilo', 'abe', 'ique', 'ora', 'anu', 'eli'],
  first: ['an', 'el', 'ia', 'o', 'us', 'in', 'ka', 'eta', 'im', 'ona'],
  last: ['ander', 'olt', 'ming', 'vask', 'orin', 'ek', 'strand', 'wyn', 'idas', 'uld'],
  building: ['ax', 'ent', 'ip', 'onde', 'urge', 'eck', 'obb', 'inth', 'aze', 'ock'],
} as const;

const buildingTypes = ['Bridge', 'Tower', 'Mill', 'Hall', 'Gate', 'Castle'];

export const nameKinds = ['town', 'river', 'mountain', 'lake', 'person', 'building'] as const;

export type NameKind = (typeof nameKinds)[number];

/** The share of names that only the split `unseen` uses. */
const unseenShare = 0.25;

function isUnseenName(name: string): boolean {
  return hashFraction(`name ${name}`) < unseenShare;
}

/** A name of the kind, of the pool of `split`: train and heldout share one, unseen has its own. */
export function drawName(kind: NameKind, split: Split, random: Random): string {
  switch (kind) {
    case 'town':
    case 'river':
      return drawWord(kind, split, random);
    case 'mountain':
      return `Mount ${drawWord(kind, split, random)}`;
    case 'lake':
      return `Lake ${drawWord(kind, split, random)}`;
    case 'person':
      return `${drawWord('first', split, random)} ${drawWord('last', split, random)}`;
    case 'building':
      return `${drawWord(kind, split, random)} ${random.pick(buildingTypes)}`;
  }
}

export function drawCountryName(random: Random): string {
  return `${random.pick(beginnings)}avia`;
}

export function drawFirstName(split: Split, random: Random): string {
  return drawWord('first', split, random);
}

/** `count` different names. */
export function drawNames(kind: NameKind, count: number, split: Split, random: Random): string[] {
  const names = new Set<string>();
  while (names.size < count) names.add(drawName(kind, split, random));
  return [...names];
}

function drawWord(kind: keyof typeof endings, split: Split, random: Random): string {
  for (;;) {
    const word = random.pick(beginnings) + random.pick(endings[kind]);
    if (isUnseenName(word) === (split === 'unseen')) return word;
  }
}
