/**
 * How fast texts become ids, on one thread: books, paragraph by paragraph, by tokenizers that are made of the same books.
 * Every round begins with a new tokenizer, whose memory of pieces is empty. The peer reads the same tokenizer.json and
 * must give the same ids.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadTokenizer, saveTokenizer, type Tokenizer, trainBpe, trainWordPiece } from '@crucible/tokenizer';
import type { Benchmark } from './benchmark.ts';
import { dataMissing, findData } from './data-folder.ts';
import { medianOf } from './median.ts';

const execute = promisify(execFile);
const python = process.env['CRUCIBLE_PYTHON'] ?? 'python3';
const script = join(import.meta.dirname, '../peers/tokenizers_encode.py');

const corpus = 'corpus/train';
const vocabulary = 32_768;
const rounds = 3;

/** What is measured, by the beginning of its keys. */
const kinds = ['', 'own_', 'word_piece_', 'unigram_'] as const;
type Kind = (typeof kinds)[number];

export const tokenizer: Benchmark<
  `${Kind}encode_mb_per_s` | `peer_${Kind}encode_mb_per_s` | `${Kind}ratio` | 'load_s' | 'peer'
> = {
  description:
    `texts to ids on one thread, vocabularies of ${vocabulary} from ${corpus}; CRUCIBLE_DATA names the folder of the ` +
    'data, CRUCIBLE_PYTHON a Python with tokenizers (default: python3)',
  metrics: {
    encode_mb_per_s: { meaning: "byte-level BPE with GPT-2's pattern, median over the rounds", unit: 'MB/s' },
    peer_encode_mb_per_s: { meaning: "Hugging Face's tokenizers, the same", unit: 'MB/s' },
    ratio: { meaning: 'ours through theirs', unit: '' },
    own_encode_mb_per_s: { meaning: 'byte-level BPE as our own models have it', unit: 'MB/s' },
    peer_own_encode_mb_per_s: { meaning: 'theirs', unit: 'MB/s' },
    own_ratio: { meaning: 'ours through theirs', unit: '' },
    word_piece_encode_mb_per_s: { meaning: 'WordPiece, as BERT in lower case', unit: 'MB/s' },
    peer_word_piece_encode_mb_per_s: { meaning: 'theirs', unit: 'MB/s' },
    word_piece_ratio: { meaning: 'ours through theirs', unit: '' },
    unigram_encode_mb_per_s: { meaning: 'Unigram after NFKC, spaces as T5 has them', unit: 'MB/s' },
    peer_unigram_encode_mb_per_s: { meaning: 'theirs', unit: 'MB/s' },
    unigram_ratio: { meaning: 'ours through theirs', unit: '' },
    load_s: { meaning: "reading the first one's tokenizer.json and encoding one word", unit: 's' },
    peer: { meaning: 'the peer and its version', unit: '' },
  },
  run: async (report) => {
    const ours: Record<Kind, number | null> = { '': null, own_: null, word_piece_: null, unigram_: null };
    const theirs = { ...ours };
    const books = findData(corpus);
    if (books === undefined) return figures(ours, theirs, null, null, dataMissing(corpus));
    const paragraphs = readdirSync(books).flatMap((name) => readFileSync(join(books, name), 'utf8').split(/(?<=\n\n)/));
    const megabytes = paragraphs.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
    const folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    try {
      const texts = join(folder, 'texts.json');
      writeFileSync(texts, JSON.stringify(paragraphs));
      report(`making tokenizers of ${megabytes.toFixed(1)} MB`);
      await writeTokenizers(folder, paragraphs);
      const missing = await peerMissing();
      let peer: string | null = null;
      for (const kind of kinds) {
        const place = folderOf(folder, kind);
        const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
        for (let round = 1; round <= rounds; round++) {
          const own = measure(place, paragraphs);
          rates.ours.push(megabytes / own.seconds);
          if (missing === undefined) {
            const other = await measurePeer(place, texts);
            if (other.digest !== own.digest) throw new Error(`${kind}encode: ${other.peer} gives other ids`);
            peer = other.peer;
            rates.theirs.push(megabytes / other.seconds);
          }
          const shown = [rates.ours.at(-1)!, rates.theirs.at(-1) ?? NaN].map((rate) => rate.toFixed(2)).join(' / ');
          report(`${kind}encode, round ${round} of ${rounds}: ours / theirs ${shown} MB/s`);
        }
        ours[kind] = medianOf(rates.ours);
        theirs[kind] = missing === undefined ? medianOf(rates.theirs) : null;
      }
      const load = medianOf(Array.from({ length: rounds }, () => secondsToLoad(folderOf(folder, ''))));
      return figures(ours, theirs, load, peer, missing);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

function figures(
  ours: Readonly<Record<Kind, number | null>>,
  theirs: Readonly<Record<Kind, number | null>>,
  load_s: number | null,
  peer: string | null,
  missing: string | undefined,
): Awaited<ReturnType<typeof tokenizer.run>> {
  const ratio = (kind: Kind): number | null =>
    ours[kind] === null || theirs[kind] === null ? null : ours[kind] / theirs[kind];
  return {
    encode_mb_per_s: ours[''],
    peer_encode_mb_per_s: theirs[''],
    ratio: ratio(''),
    own_encode_mb_per_s: ours.own_,
    peer_own_encode_mb_per_s: theirs.own_,
    own_ratio: ratio('own_'),
    word_piece_encode_mb_per_s: ours.word_piece_,
    peer_word_piece_encode_mb_per_s: theirs.word_piece_,
    word_piece_ratio: ratio('word_piece_'),
    unigram_encode_mb_per_s: ours.unigram_,
    peer_unigram_encode_mb_per_s: theirs.unigram_,
    unigram_ratio: ratio('unigram_'),
    load_s,
    peer,
    ...(missing !== undefined && { note: missing }),
  };
}

function folderOf(folder: string, kind: Kind): string {
  return join(folder, `${kind}bpe`);
}

async function writeTokenizers(folder: string, texts: readonly string[]): Promise<void> {
  for (const kind of kinds) mkdirSync(folderOf(folder, kind));
  const own = await trainBpe(texts, { vocabSize: vocabulary });
  saveTokenizer(own, folderOf(folder, 'own_'));
  saveTokenizer(await trainWordPiece(texts, { vocabSize: vocabulary }), folderOf(folder, 'word_piece_'));
  const json = JSON.parse(readFileSync(join(folderOf(folder, 'own_'), 'tokenizer.json'), 'utf8')) as object;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  write(folderOf(folder, ''), { ...json, pre_tokenizer: byteLevel });
  const space = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true };
  write(folderOf(folder, 'unigram_'), {
    version: '1.0',
    added_tokens: [],
    normalizer: { type: 'NFKC' },
    pre_tokenizer: space,
    post_processor: null,
    decoder: space,
    model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ...unigramPieces(own, texts)], byte_fallback: false },
  });
}

function write(folder: string, json: object): void {
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
}

/** The tokens of BPE that are text, as likely as they are in `texts`. */
function unigramPieces(bpe: Tokenizer, texts: readonly string[]): [piece: string, score: number][] {
  const counts = new Float64Array(bpe.vocabSize).fill(0.5);
  let total = 0;
  for (const text of texts) {
    for (const id of bpe.encode(text)) {
      counts[id]!++;
      total++;
    }
  }
  const pieces = new Map<string, number>();
  for (let id = 0; id < bpe.vocabSize; id++) {
    const piece = bpe.decode([id]).replaceAll(' ', '\u2581');
    if (!bpe.isSpecial(id) && !piece.includes('\ufffd')) pieces.set(piece, Math.log(counts[id]! / total));
  }
  return [...pieces];
}

/** As the peer counts: some texts to warm up, then all of them with a new tokenizer. */
function measure(folder: string, texts: readonly string[]): { seconds: number; digest: string } {
  const warm = loadTokenizer(folder);
  for (const text of texts.slice(0, texts.length / 20)) warm.encode(text);
  const fresh = loadTokenizer(folder);
  const all: number[][] = [];
  const start = performance.now();
  for (const text of texts) all.push(fresh.encode(text));
  const seconds = (performance.now() - start) / 1000;
  const hash = createHash('sha256');
  for (const ids of all) hash.update(Int32Array.from(ids));
  return { seconds, digest: hash.digest('hex') };
}

function secondsToLoad(folder: string): number {
  const start = performance.now();
  loadTokenizer(folder).encode('iron');
  return (performance.now() - start) / 1000;
}

async function peerMissing(): Promise<string | undefined> {
  try {
    await execute(python, ['-c', 'import tokenizers']);
    return undefined;
  } catch {
    return `${python} has no tokenizers`;
  }
}

async function measurePeer(folder: string, texts: string): Promise<{ peer: string; seconds: number; digest: string }> {
  const { stdout } = await execute(python, [script, join(folder, 'tokenizer.json'), texts]);
  return JSON.parse(stdout) as { peer: string; seconds: number; digest: string };
}
