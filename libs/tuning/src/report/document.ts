/** A report as blocks, before it becomes Markdown or HTML. */
import type { Plot } from './plot.ts';

export type Block =
  | { readonly kind: 'heading'; readonly text: string; readonly id: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | {
      readonly kind: 'table';
      /** A plot before it shows the same: it is left out where plots are tables. */
      readonly repeats?: true;
      /** Columns, from the first, that hold words; the others hold figures. Default: 1. */
      readonly words?: number;
      readonly caption: string;
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'plot'; readonly caption: string; readonly plot: Plot };

export interface Report {
  readonly title: string;
  /** What was asked. */
  readonly question: string;
  /** What was found, in sentences with figures; the first is the headline. */
  readonly answer: readonly string[];
  readonly blocks: readonly Block[];
  /** Where it comes from, at the end. */
  readonly footer: string;
}
