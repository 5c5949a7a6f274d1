/** Raw text to pre-train on: prose, statements and programs, without questions and without dialogue. */
import { pickWeighted } from '../pick-weighted.ts';
import type { Draw } from '../task.ts';
import { drawEncyclopediaArticle } from './encyclopedia-article.ts';
import { drawLists } from './lists.ts';
import { drawNews } from './news.ts';
import { drawNotes } from './notes.ts';
import { drawPrograms } from './programs.ts';
import { drawStory } from './story.ts';
import { drawSums } from './sums.ts';

/** How often each kind of document is drawn. */
export const documentWeights = {
  article: 0.2,
  notes: 0.36,
  story: 0.1,
  news: 0.06,
  sums: 0.14,
  program: 0.08,
  lists: 0.06,
} as const;

export type DocumentKind = keyof typeof documentWeights;

export const documentKinds = Object.keys(documentWeights) as DocumentKind[];

const documents: Readonly<Record<DocumentKind, (draw: Draw) => string>> = {
  article: drawEncyclopediaArticle,
  notes: drawNotes,
  story: drawStory,
  news: drawNews,
  sums: drawSums,
  program: drawPrograms,
  lists: drawLists,
};

export function drawDocument(draw: Draw, kind?: DocumentKind): string {
  return documents[kind ?? pickWeighted(documentWeights, draw.random)](draw);
}
