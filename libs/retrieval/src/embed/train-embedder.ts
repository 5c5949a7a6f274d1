/**
 * Trains a `BagEmbedder` on texts alone, without anybody's queries: what a passage's title and headings say should be near
 * it, and so should one of its sentences be to the rest of it (inverse cloze, Lee et al. 2019). InfoNCE in both directions
 * (van den Oord et al. 2018): negatives are the other passages of the batch and, for each, a hard one, which shares words with
 * the query and is another document's. The loss is taken at the first dimensions too (Matryoshka), so that those can choose
 * candidates by themselves.
 */
import { createHash } from 'node:crypto';
import { CrucibleError, Random, throwIfCancelled } from '@crucible/foundation';
import { createOptimizer, warmupDecay } from '@crucible/optim';
import {
  add,
  crossEntropy,
  div,
  type FloatArray,
  floats,
  matmul,
  mul,
  norm,
  range,
  sliceAxis,
  type Tensor,
  transpose,
} from '@crucible/tensor';
import { TrainStep } from '@crucible/training';
import { sentenceStarts } from '../chunk/sentences.ts';
import { termsOf } from '../search/analyze.ts';
import { LexicalIndex } from '../search/lexical-index.ts';
import { BagEmbedder } from './bag-embedder.ts';
import { type SamplerState, TrainingFile } from './training-file.ts';

export interface TrainingPassage {
  readonly document: string;
  /** Title and headings. */
  readonly heading: string;
  readonly text: string;
}

/** A query of somebody's and the passage that answers it. */
export interface TrainingPair {
  readonly query: string;
  /** Index of the passage. */
  readonly passage: number;
}

export interface EmbedderSettings {
  readonly seed: number;
  readonly steps: number;
  /** Pairs of a step, fewer where there are fewer passages. */
  readonly batch: number;
  readonly dimensions: number;
  /** The first dimensions, which search by themselves. */
  readonly coarse: number;
  readonly learningRate: number;
  readonly temperature: number;
  /** Terms that get a vector: the most frequent ones that are in two passages at least. */
  readonly vocabulary: number;
}

export const embedderDefaults: EmbedderSettings = {
  seed: 1,
  steps: 400,
  batch: 128,
  dimensions: 256,
  coarse: 64,
  learningRate: 0.003,
  temperature: 0.05,
  vocabulary: 16_000,
};

export interface EmbedderTraining {
  readonly signal?: AbortSignal;
  readonly onProgress?: (step: number, steps: number, loss: number) => void;
  /** Learned from beside the texts themselves, every second pair. Default: none. */
  readonly pairs?: readonly TrainingPair[];
  /** A file that keeps how far the training is: with it the same training goes on where it was broken off. Default: none. */
  readonly checkpoint?: string;
}

const stepsPerCheckpoint = 20;
/** Fewer passages say nothing. */
const leastPassages = 16;
/** Words of a query that hard negatives share: to look for frequent ones takes long and finds nothing hard. */
const minedTerms = 4;
/** How often the sentence stays in the passage that it is taken from. */
const keptSentences = 0.1;

/**
 * Whether a passage is kept from training, so that the weights of a search can be fitted on it: one in ten, by what it says.
 */
export function isHeldOut(text: string): boolean {
  return createHash('sha256').update(text).digest()[0]! < 26;
}

/** One text as rows of the table, or nothing that is known. */
type Rows = readonly number[];

interface Prepared {
  readonly document: string;
  readonly heading: Rows;
  readonly sentences: readonly Rows[];
  readonly all: Rows;
}

export async function trainEmbedder(
  passages: readonly TrainingPassage[],
  given: Partial<EmbedderSettings> = {},
  { signal, onProgress, pairs = [], checkpoint }: EmbedderTraining = {},
): Promise<BagEmbedder> {
  const settings = { ...embedderDefaults, ...given };
  if (passages.length < leastPassages) {
    throw new CrucibleError(
      'failed-precondition',
      `an embedder learns from ${leastPassages} passages at least; there are ${passages.length}`,
    );
  }
  const random = Random.seeded(settings.seed).fork('embedder');
  const learned = passages.map(({ text }) => !isHeldOut(text));
  const { terms, inverseFrequencies } = vocabularyOf(passages, settings.vocabulary);
  const rowOf = new Map(terms.map((term, row) => [term, row]));
  const rows = (text: string): Rows => termsOf(text).flatMap((term) => rowOf.get(term) ?? []);
  const prepared = passages.map((passage) => prepare(passage, rows));
  const miner = new LexicalIndex();
  prepared.forEach(({ all }, slot) => miner.add(slot, all.map(String)));
  const asked = pairs.map(({ query, passage }) => ({ query: rows(query), passage }));

  const batch = Math.min(settings.batch, 2 ** Math.floor(Math.log2(passages.length)));
  const kept = checkpoint === undefined ? undefined : new TrainingFile(checkpoint, [settings, passages, pairs]);
  const resumed = kept?.read();
  const sampler = new Sampler(prepared, learned, asked, miner, terms.length, random.fork('pairs'), resumed?.sampler);
  const table = resumed?.table ?? initialTable(inverseFrequencies, settings.dimensions, random.fork('table'));
  const training = new TrainStep<{ table: FloatArray }, ReturnType<Sampler['batch']>>(
    { table: floats([terms.length, settings.dimensions], table) },
    (parameters, inputs) => ({ loss: contrastive(parameters.table, inputs, batch, settings) }),
    { name: 'embedder', optimizer: createOptimizer({ clipNorm: 1 }) },
    resumed,
  );
  const schedule = warmupDecay({ steps: settings.steps, warmup: Math.min(20, settings.steps), shape: 'cosine' });
  try {
    while (training.steps < settings.steps) {
      throwIfCancelled(signal, 'the training of the embedder');
      const rate = settings.learningRate * schedule(training.steps);
      const { loss } = await training.run(sampler.batch(batch), rate);
      const { steps, state } = training;
      if (steps % stepsPerCheckpoint === 0 || steps === settings.steps)
        kept?.write({ steps, table: training.parameters.table.data, state, sampler: sampler.state });
      onProgress?.(steps, settings.steps, loss);
    }
    const trained = training.parameters.table.data;
    const { dimensions, coarse } = settings;
    return new BagEmbedder({ terms, table: Float32Array.from(trained), dimensions, coarse });
  } finally {
    await training.dispose();
  }
}

/** Draws pairs of a query and its passage, and hard negatives. */
class Sampler {
  readonly #passages: readonly Prepared[];
  readonly #learned: readonly boolean[];
  readonly #asked: readonly { readonly query: Rows; readonly passage: number }[];
  readonly #miner: LexicalIndex;
  readonly #terms: number;
  readonly #random: Random;
  #order: number[];
  #drawn: number;

  constructor(
    passages: readonly Prepared[],
    learned: readonly boolean[],
    asked: readonly { readonly query: Rows; readonly passage: number }[],
    miner: LexicalIndex,
    terms: number,
    random: Random,
    resumed?: SamplerState,
  ) {
    this.#passages = passages;
    this.#learned = learned;
    this.#asked = asked;
    this.#miner = miner;
    this.#terms = terms;
    this.#random = resumed ? Random.resumed(resumed.random) : random;
    this.#order = resumed ? [...resumed.order] : [];
    this.#drawn = resumed?.drawn ?? 0;
  }

  /** What the next batches depend on. */
  get state(): SamplerState {
    return { random: this.#random.state, order: this.#order, drawn: this.#drawn };
  }

  batch(size: number) {
    const queries: Rows[] = [];
    const positives: Rows[] = [];
    const negatives: Rows[] = [];
    const used = new Set<number>();
    while (queries.length < size) {
      const pair = this.#pair();
      if (!pair || (used.has(pair.passage) && used.size < this.#passages.length / 2)) continue;
      used.add(pair.passage);
      queries.push(pair.query);
      positives.push(pair.text);
      negatives.push(this.#hardNegative(pair.query, pair.passage));
    }
    return { queries: this.#bags(queries), passages: this.#bags([...positives, ...negatives]) };
  }

  #pair(): { readonly query: Rows; readonly passage: number; readonly text: Rows } | undefined {
    const random = this.#random;
    if (this.#asked.length > 0 && this.#drawn++ % 2 === 0) {
      const { query, passage } = random.pick(this.#asked);
      return query.length === 0 ? undefined : { query, passage, text: this.#passages[passage]!.all };
    }
    if (this.#order.length === 0)
      this.#order = random.shuffled(this.#passages.flatMap((_passage, i) => (this.#learned[i] ? [i] : [])));
    const passage = this.#order.pop()!;
    const { heading, sentences, all } = this.#passages[passage]!;
    const byHeading = heading.length > 0 && (sentences.length < 2 || random.uniform() < 0.25);
    if (byHeading) return { query: heading, passage, text: sentences.flat() };
    if (sentences.length < 2) return undefined;
    const chosen = random.integer(0, sentences.length - 1);
    const query = sentences[chosen]!;
    if (query.length === 0) return undefined;
    const rest = sentences.filter((_sentence, i) => i !== chosen).flat();
    return { query, passage, text: random.uniform() < keptSentences ? all : [...heading, ...rest] };
  }

  /** Among the best that share rare words with the query, one of another document. */
  #hardNegative(query: Rows, passage: number): Rows {
    // Rows go by how frequent their terms are.
    const rarest = [...new Set(query)].sort((a, b) => b - a).slice(0, minedTerms);
    const counts = new Map(rarest.map((row) => [String(row), 1]));
    const { document } = this.#passages[passage]!;
    const others = this.#miner.search(counts, 20).filter(({ slot }) => this.#passages[slot]!.document !== document);
    const chosen =
      others.length > 0 ? this.#random.pick(others).slot : this.#random.integer(0, this.#passages.length - 1);
    return chosen === passage ? [] : this.#passages[chosen]!.all;
  }

  /** A row a text, a column a term: log(1 + count). */
  #bags(texts: readonly Rows[]): FloatArray {
    const weights = new Float32Array(texts.length * this.#terms);
    texts.forEach((rows, i) => {
      const start = i * this.#terms;
      for (const row of rows) weights[start + row]!++;
      for (const row of new Set(rows)) weights[start + row] = Math.log1p(weights[start + row]!);
    });
    return floats([texts.length, this.#terms], weights);
  }
}

function contrastive(
  table: Tensor,
  inputs: { readonly queries: Tensor; readonly passages: Tensor },
  batch: number,
  { dimensions, coarse, temperature }: EmbedderSettings,
): Tensor {
  // Every bag over all terms: for a table of this size a product of matrices is faster than picking rows, and so is its gradient.
  const queries = matmul(inputs.queries, table);
  const passages = matmul(inputs.passages, table);
  const own = range(table.graph, batch);
  const at = (size: number): Tensor => {
    const cut = (x: Tensor): Tensor => {
      const head = size === dimensions ? x : sliceAxis(x, 1, 0, size);
      return div(head, add(norm(head, { axes: 1, keepDims: true }), 1e-6));
    };
    const [q, p] = [cut(queries), cut(passages)];
    const forth = mul(matmul(q, transpose(p)), 1 / temperature);
    const back = mul(matmul(sliceAxis(p, 0, 0, batch), transpose(q)), 1 / temperature);
    return mul(add(crossEntropy(forth, own), crossEntropy(back, own)), 0.5);
  };
  return coarse === dimensions ? at(dimensions) : mul(add(at(dimensions), at(coarse)), 0.5);
}

function prepare({ document, heading, text }: TrainingPassage, rows: (text: string) => Rows): Prepared {
  const starts = sentenceStarts(text, 0, text.length);
  const sentences = starts.map((start, i) => rows(text.slice(start, starts[i + 1] ?? text.length)));
  const telling = sentences.filter((sentence) => sentence.length > 2);
  const own = rows(heading);
  return { document, heading: own, sentences: telling, all: [...own, ...rows(text)] };
}

function vocabularyOf(
  passages: readonly TrainingPassage[],
  most: number,
): { readonly terms: readonly string[]; readonly inverseFrequencies: readonly number[] } {
  const frequencies = new Map<string, number>();
  for (const { heading, text } of passages)
    for (const term of new Set(termsOf(`${heading}\n${text}`))) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  const kept = [...frequencies]
    .filter(([, count]) => count >= 2)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, most);
  if (kept.length === 0) throw new CrucibleError('failed-precondition', 'no two passages have a word in common');
  return {
    terms: kept.map(([term]) => term),
    inverseFrequencies: kept.map(([, count]) => Math.log(1 + passages.length / count)),
  };
}

/** Random directions, as long as the term is rare: before any training that is a random projection of tf-idf. */
function initialTable(inverseFrequencies: readonly number[], dimensions: number, random: Random): Float32Array {
  const table = new Float32Array(inverseFrequencies.length * dimensions);
  for (let i = 0; i < table.length; i++)
    table[i] = (random.normal() * inverseFrequencies[Math.floor(i / dimensions)]!) / Math.sqrt(dimensions);
  return table;
}
