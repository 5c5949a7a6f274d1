/** Plain text to pre-train on: a file, or all .txt and .md files of a folder. */
import { constants } from 'node:buffer';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { hashFraction } from '../hash-text.ts';
import { decodeUtf8 } from './utf8.ts';

export interface CorpusDocument {
  readonly path: string;
  /** Not blank; without byte order mark, lines end with \n. */
  readonly text: string;
}

/**
 * What is kept out of training.
 * - by document: whole documents, by the hash of their path in the corpus: about the fraction of them.
 * - by tail: the last part of every document, from the beginning of a line on.
 */
export interface CorpusHoldout {
  readonly by: 'document' | 'tail';
  /** Above 0 and below 1. */
  readonly fraction: number;
}

export interface ReadCorpusOptions {
  /** Default: nothing is held out. */
  readonly heldout?: CorpusHoldout;
  /** Which side is read. Default: train. */
  readonly side?: 'train' | 'heldout';
  /** Told of every file that is passed over because it holds no text. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Reads a corpus, one file in memory at a time, in the order of the paths; anew every time it is iterated. Folders are
 * read to the bottom; names that begin with a dot are passed over, and links to folders are not followed. A file that is
 * named itself may have any ending.
 */
export function readCorpus(path: string, options: ReadCorpusOptions = {}): Iterable<CorpusDocument> {
  assertHoldout(options);
  const files = statOf(path).isDirectory() ? textFilesIn(path) : [path];
  if (files.length === 0) throw invalidInput(`${path}: there is no .txt or .md file in it`, { at: path });
  return { [Symbol.iterator]: () => documentsOf(path, files, options) };
}

function* documentsOf(path: string, files: readonly string[], options: ReadCorpusOptions): Generator<CorpusDocument> {
  const { heldout, side = 'train', onWarning } = options;
  let texts = 0;
  let documents = 0;
  for (const file of files) {
    const whole = readText(file);
    if (whole.trim() === '') {
      onWarning?.(`${file}: holds no text; passed over`);
      continue;
    }
    texts++;
    const text = heldout === undefined ? whole : sideOf(whole, relative(path, file), heldout, side);
    if (text.trim() === '') continue;
    documents++;
    yield { path: file, text };
  }
  if (texts === 0) throw invalidInput(`${path}: holds no text`, { at: path });
  if (documents === 0) {
    throw invalidInput(`${path}: nothing of its ${texts} documents is on the side ${side}; hold out another fraction`, {
      at: 'heldout',
    });
  }
}

function assertHoldout({ heldout, side = 'train' }: ReadCorpusOptions): void {
  if (heldout === undefined) {
    if (side === 'train') return;
    throw invalidInput('side: heldout can only be read where something is held out; give heldout', { at: 'side' });
  }
  if (heldout.fraction > 0 && heldout.fraction < 1) return;
  throw invalidInput(`heldout.fraction: ${heldout.fraction} is not above 0 and below 1`, { at: 'heldout.fraction' });
}

function sideOf(text: string, name: string, { by, fraction }: CorpusHoldout, side: 'train' | 'heldout'): string {
  if (by === 'document') return hashFraction(`document ${name}`) < fraction === (side === 'heldout') ? text : '';
  // The line that the cut would fall into belongs to train.
  const cut = text.indexOf('\n', Math.floor(text.length * (1 - fraction)) - 1) + 1 || text.length;
  return side === 'train' ? text.slice(0, cut) : text.slice(cut);
}

function textFilesIn(folder: string): string[] {
  return filesIn(folder)
    .filter((file) => /\.(?:txt|md)$/i.test(file))
    .sort();
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.')) return [];
    if (entry.isDirectory()) return filesIn(path);
    return statOf(path).isFile() ? [path] : [];
  });
}

function readText(file: string): string {
  const { size } = statOf(file);
  if (size > constants.MAX_STRING_LENGTH) {
    throw invalidInput(`${file}: is larger than ${constants.MAX_STRING_LENGTH} bytes; cut it into several files`, {
      at: file,
    });
  }
  const bytes = readBytes(file);
  const zero = bytes.indexOf(0);
  const isUtf16 = bytes[0] === 0xff || bytes[0] === 0xfe;
  if (zero !== -1 && !isUtf16) throw invalidInput(`${file}: byte ${zero} is zero; this is no text file`, { at: file });
  return decodeUtf8(bytes, file)
    .replace(/^\ufeff/, '')
    .replace(/\r\n?/g, '\n');
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (reason) {
    throw named(file, reason);
  }
}

function statOf(path: string): ReturnType<typeof statSync> & object {
  try {
    return statSync(path);
  } catch (reason) {
    throw named(path, reason);
  }
}

/** A system error with the name of what it is about. */
function named(path: string, reason: unknown): CrucibleError {
  const { code, message } = CrucibleError.from(reason);
  return new CrucibleError(
    code,
    code === 'not-found' ? `${path}: there is no such file or folder` : `${path}: ${message}`,
    {
      cause: reason,
      at: path,
    },
  );
}
