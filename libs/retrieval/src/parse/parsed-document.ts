/** A document as text with its structure: what every parser makes, and what is chunked, kept and cited. */
import { CrucibleError } from '@crucible/foundation';

export type MetadataValue = string | number | boolean | readonly string[];

export type Metadata = Readonly<Record<string, MetadataValue>>;

export type BlockKind = 'heading' | 'text' | 'item' | 'table' | 'code';

/** A part of the text: characters (UTF-16 code units) from `start` to before `end`. */
export interface Block {
  readonly kind: BlockKind;
  readonly start: number;
  readonly end: number;
  /** Of a heading, 1 to 6. */
  readonly level?: number;
  /** Counted from 1, where the format has pages. */
  readonly page?: number;
}

export interface ParsedDocument {
  /** Tells it from the other documents of its source; empty where a source is one document. */
  readonly part: string;
  readonly title: string;
  /** The extracted text. Of Markdown and plain text it is the source itself, so that offsets point into the file. */
  readonly text: string;
  /** In the order of the text, without overlaps. */
  readonly blocks: readonly Block[];
  readonly metadata: Metadata;
}

/** A part of a source that could not be read, a row for example; the rest could. */
export interface PartFailure {
  readonly at: string;
  readonly message: string;
}

export interface ParsedSource {
  readonly documents: readonly ParsedDocument[];
  readonly failures: readonly PartFailure[];
}

/** Characters that one document may have. */
const mostCharacters = 32 * 1024 * 1024;

/** Text that is put together from blocks, a blank line between two. */
export class TextBuilder {
  readonly #source: string;
  readonly #parts: string[] = [];
  readonly #blocks: Block[] = [];
  #length = 0;

  constructor(source: string) {
    this.#source = source;
  }

  add(kind: BlockKind, raw: string, more: { readonly level?: number; readonly page?: number } = {}): void {
    const text = kind === 'code' ? raw.replace(/^\n+|\s+$/g, '') : raw.trim();
    if (text === '') return;
    const separator = this.#length === 0 ? '' : this.#blocks.at(-1)!.kind === 'item' && kind === 'item' ? '\n' : '\n\n';
    const start = this.#length + separator.length;
    assertLength(start + text.length, this.#source);
    this.#parts.push(separator, text);
    this.#length = start + text.length;
    this.#blocks.push({ kind, start, end: this.#length, ...more });
  }

  build(title: string, metadata: Metadata = {}): ParsedDocument {
    return { part: '', title: title.trim(), text: this.#parts.join(''), blocks: this.#blocks, metadata };
  }
}

export function assertLength(characters: number, source: string): void {
  if (characters <= mostCharacters) return;
  throw new CrucibleError('resource-exhausted', `${source}: its text is longer than ${mostCharacters} characters`, {
    at: source,
  });
}
