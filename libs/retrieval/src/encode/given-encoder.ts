/**
 * An encoder that a user gives, ready to read texts: a Hugging Face folder (BERT, RoBERTa and what has their body, MiniLM for
 * one), or an ONNX file with the tokenizer beside it or in the folder above it. Pooling, prompts and the longest text are what
 * the folder's files of sentence-transformers say.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { loadModel, loadSentenceSettings, type SentenceSettings } from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type EncoderSequence, OnnxSequenceEncoder, SequenceEncoder } from '@crucible/inference';
import { loadTokenizer, type Tokenizer } from '@crucible/tokenizer';

/** `embedding`: a vector for a text. `scores`: a number for a pair of texts, how well the second answers the first. */
export type EncoderPurpose = 'embedding' | 'scores';

interface Encoder {
  readonly encode: (sequences: readonly EncoderSequence[]) => Promise<Float32Array[]>;
  readonly dispose: () => Promise<void>;
}

interface Opened {
  readonly encoder: Encoder;
  readonly tokenizer: Tokenizer;
  readonly settings: SentenceSettings;
  /** Tokens that a text may have. */
  readonly mostTokens: number;
}

/** Positions that are used at most: attention grows with the square of them. */
const mostPositions = 512;
/** Where exports of sentence-transformers and transformers put the file. */
const onnxPlaces = ['model.onnx', 'onnx/model.onnx'];

export class GivenEncoder {
  /** What was given, as an absolute path. */
  readonly path: string;
  /** Of all that decides what comes out. */
  readonly digest: string;
  /** Numbers for a text. */
  readonly width: number;
  readonly prompts: Readonly<Record<string, string>>;
  readonly #opened: Opened;
  /** The encoder takes one call at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #users = 1;

  private constructor(path: string, digest: string, width: number, opened: Opened) {
    this.path = path;
    this.digest = digest;
    this.width = width;
    this.prompts = opened.settings.prompts ?? {};
    this.#opened = opened;
  }

  /** Throws a CrucibleError that names the file when there is no encoder of that purpose. */
  static async open(given: string, purpose: EncoderPurpose): Promise<GivenEncoder> {
    const path = resolve(given);
    const status = statSync(path, { throwIfNoEntry: false });
    if (!status) throw new CrucibleError('not-found', `${path} does not exist`, { at: 'encoder' });
    const file = status.isFile() ? path : onnxIn(path);
    const opened = file === undefined ? openFolder(path, purpose) : await openOnnx(file, purpose);
    try {
      const folder = file === undefined ? path : tokenizerFolder(file);
      const [probe] = await opened.encoder.encode([{ ids: idsOf(opened, 'a') }]);
      return new GivenEncoder(path, await digestOf(folder, file, opened), probe!.length, opened);
    } catch (reason) {
      await opened.encoder.dispose();
      throw reason;
    }
  }

  /** Numbers for each text; too long ones lose their end, not the token that closes them. */
  encode(texts: readonly string[]): Promise<Float32Array[]> {
    return this.#encode(() => texts.map((text) => ({ ids: idsOf(this.#opened, text) })));
  }

  /** Of a text, as it is read. */
  countTokens(text: string): number {
    return idsOf(this.#opened, text).length;
  }

  /** Numbers for each pair of the one text with another. */
  encodePairs(text: string, others: readonly string[]): Promise<Float32Array[]> {
    return this.#encode(() => others.map((other) => pairOf(this.#opened, text, other)));
  }

  /** Another owner, who disposes of it too. */
  share(): this {
    this.#users++;
    return this;
  }

  async dispose(): Promise<void> {
    if (--this.#users > 0) return;
    await this.#last;
    await this.#opened.encoder.dispose();
  }

  #encode(sequences: () => readonly EncoderSequence[]): Promise<Float32Array[]> {
    const own = this.#last.then(() => this.#opened.encoder.encode(sequences()));
    this.#last = own.catch(() => undefined);
    return own;
  }
}

function openFolder(folder: string, purpose: EncoderPurpose): Opened {
  const wrong = (what: string): CrucibleError => invalidInput(`${folder}: ${what}`, { at: folder });
  const model = loadModel(folder, purpose === 'embedding' ? { kind: 'embedding' } : {});
  const tokenizer = loadTokenizer(folder);
  const positions = Math.min(model.config.maxPositions, mostPositions);
  if (model.kind === 'embedding' && purpose === 'embedding') {
    const { config, weights } = model;
    const mostTokens = Math.min(model.maxTokens ?? positions, positions);
    return { encoder: new SequenceEncoder(weights, config, model), tokenizer, settings: model, mostTokens };
  }
  if (model.kind !== 'classifier' || 'keyValueHeads' in model.config)
    throw wrong(`it holds a model of the kind ${model.kind}; an encoder with one score for a pair of texts is needed`);
  if (model.labels.length > 2)
    throw wrong(`it has ${model.labels.length} labels; one score, or no and yes, are needed`);
  const encoder = new SequenceEncoder(model.weights, model.config, { kind: 'classifier' });
  const settings = loadSentenceSettings(folder);
  return { encoder, tokenizer, settings, mostTokens: Math.min(settings.maxTokens ?? positions, positions) };
}

async function openOnnx(file: string, purpose: EncoderPurpose): Promise<Opened> {
  const folder = tokenizerFolder(file);
  const tokenizer = loadTokenizer(folder);
  const settings = loadSentenceSettings(folder);
  const padId = tokenizer.padId ?? 0;
  const head =
    purpose === 'embedding'
      ? ({ kind: 'embedding', pooling: settings.pooling } as const)
      : ({ kind: 'classifier' } as const);
  const encoder = await OnnxSequenceEncoder.open(file, { head, padId });
  const sizes = [settings.maxTokens, encoder.fixedTime, positionsOf(folder), mostPositions];
  const mostTokens = Math.min(...sizes.flatMap((size) => size ?? []));
  if (purpose === 'scores' && (encoder.width ?? 1) > 2) {
    await encoder.dispose();
    throw invalidInput(`${file}: it gives ${encoder.width} numbers; one score, or no and yes, are needed`, {
      at: file,
    });
  }
  return { encoder, tokenizer, settings, mostTokens };
}

/** The ONNX file of a folder that has no weights for us to read. */
function onnxIn(folder: string): string | undefined {
  if (readdirSync(folder).some((name) => name.endsWith('.safetensors'))) return undefined;
  return onnxPlaces.map((place) => join(folder, place)).find((path) => existsSync(path));
}

/** Where an ONNX file's tokenizer is. */
function tokenizerFolder(file: string): string {
  const own = dirname(file);
  const folder = [own, dirname(own)].find((each) => existsSync(join(each, 'tokenizer.json')));
  if (folder !== undefined) return folder;
  throw new CrucibleError('not-found', `${file}: there is no tokenizer.json beside it or in the folder above it`, {
    at: file,
  });
}

/** Positions that config.json names, if it is there. RoBERTa counts two that no token has. */
function positionsOf(folder: string): number | undefined {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return undefined;
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown> | null;
  const positions = json?.['max_position_embeddings'];
  if (typeof positions !== 'number' || !Number.isInteger(positions) || positions < 3) return undefined;
  return json!['model_type'] === 'roberta' ? positions - 2 : positions;
}

async function digestOf(folder: string, file: string | undefined, { settings, mostTokens }: Opened): Promise<string> {
  const { pooling, prompts } = settings;
  const digest = createHash('sha256').update(JSON.stringify([pooling, prompts ?? {}, mostTokens]));
  const names = readdirSync(folder).filter((name) =>
    file === undefined ? /\.safetensors$|^tokenizer\.json$|^config\.json$/.test(name) : name === 'tokenizer.json',
  );
  // Weights that do not fit into an ONNX file lie beside it under names that begin with its own.
  const beside = file === undefined ? [] : readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)));
  for (const name of names.sort()) await addFile(digest, join(folder, name));
  for (const name of beside.sort()) await addFile(digest, join(dirname(file!), name));
  return digest.digest('hex');
}

async function addFile(digest: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
}

function idsOf({ tokenizer, mostTokens }: Opened, text: string): readonly number[] {
  const { ids } = tokenizer.tokenize(text.slice(0, charactersFor(mostTokens)));
  if (ids.length === 0) throw new CrucibleError('failed-precondition', 'the tokenizer of the encoder makes no tokens');
  return ids.length <= mostTokens ? ids : [...ids.slice(0, mostTokens - 1), ids.at(-1)!];
}

/** The longer of the two loses its end until both fit, as `longest_first` of Hugging Face's tokenizers has it. */
function pairOf({ tokenizer, mostTokens }: Opened, text: string, pair: string): EncoderSequence {
  const most = charactersFor(mostTokens);
  const { ids, typeIds: types, sequences } = tokenizer.tokenize(text.slice(0, most), { pair: pair.slice(0, most) });
  const counts: [number, number] = [0, 0];
  for (const sequence of sequences) if (sequence !== null) counts[sequence]++;
  const room = mostTokens - (ids.length - counts[0] - counts[1]);
  const shorter = Math.min(...counts, Math.floor(room / 2));
  const longer = Math.min(Math.max(...counts), room - shorter);
  const kept = counts[0] > counts[1] ? [longer, shorter] : [shorter, longer];
  const seen: [number, number] = [0, 0];
  const isKept = sequences.map((sequence) => sequence === null || seen[sequence]++ < kept[sequence]!);
  return { ids: ids.filter((_id, i) => isKept[i]), types: types.filter((_type, i) => isKept[i]) };
}

/** No token is longer than this on average. */
function charactersFor(tokens: number): number {
  return 64 * tokens;
}
