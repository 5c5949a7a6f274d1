/** Small models for a comparison where there are none: an encoder and a language model, pre-trained on the same text. */
import type { SavedModel } from '@crucible/checkpoint';
import { createWorld, labelledTasks, type LabelledTask } from '@crucible/data';
import { Random } from '@crucible/foundation';
import { type Tokenizer, trainBpe, trainWordPiece } from '@crucible/tokenizer';
import {
  documentSource,
  encoderConfigOf,
  maskedVocabulary,
  mlm,
  mlmDefaults,
  modelConfig,
  presets,
  pretrain,
  readCorpora,
  streamSource,
  type TokenSource,
} from '@crucible/training';
import { instruct, withInstructionFormat } from '../instructions/instruct.ts';
import { holdOut } from '../instructions/mixture.ts';
import { worldInstructions } from '../instructions/world-instructions.ts';
import type { TuneContext } from '../method.ts';

export interface LabText {
  /** Files and folders of text. Default: the built-in world's documents and labelled texts, without the labels. */
  readonly corpus?: readonly string[];
  /** Texts of the task that are learned from, without their labels: what is pre-trained knows their words. */
  readonly more?: readonly string[];
  readonly seed: number;
}

export interface LabModel {
  readonly model: SavedModel;
  readonly tokenizer: Tokenizer;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface LabSizes {
  readonly hiddenSize: number;
  readonly layers: number;
  /** Divides the hidden size; even. */
  readonly heads: number;
}

/** `half` has half the width and half the layers, and about a third of the parameters. */
export const labSizes = {
  usual: { hiddenSize: 128, layers: 4, heads: 4 },
  half: { hiddenSize: 64, layers: 2, heads: 2 },
} as const satisfies Record<string, LabSizes>;
const vocabulary = { encoder: 8192, decoder: 2048 } as const;
/** Of the built-in world, for the tokenizers. */
const tokenizerDocuments = 4000;

/** A masked language model; `steps` of 32 rows of 64 tokens. */
export async function makeLabEncoder(
  given: LabText,
  { steps, sizes = labSizes.usual }: { readonly steps: number; readonly sizes?: LabSizes },
  { signal, report }: TuneContext = {},
): Promise<LabModel> {
  const text = openText(given);
  const tokenizer = await trainWordPiece(text.sample(), { vocabSize: vocabulary.encoder, ...(signal && { signal }) });
  const settings = {
    ...mlmDefaults,
    ...sizes,
    steps,
    rows: 32,
    time: 64,
    // More to find in a row than usual: a short training has few rows (Wettig et al. 2023).
    maskShare: 0.25,
    seed: given.seed,
    warmupSteps: Math.min(50, Math.ceil(steps / 10)),
  };
  const config = encoderConfigOf(settings, tokenizer.vocabSize);
  const masks = maskedVocabulary(tokenizer);
  const { weights, metrics } = await mlm(
    { config, vocabulary: masks, source: text.source(tokenizer, masks.sep) },
    settings,
    { ...(signal && { signal }), observe: ({ step, metrics: own }) => report?.({ step, steps, loss: own['loss']! }) },
  );
  return { model: { kind: 'masked-language', config, weights }, tokenizer, metrics };
}

/** A language model; `steps` of the preset's rows. */
export async function makeLabDecoder(
  given: LabText,
  { steps, sizes = labSizes.usual }: { readonly steps: number; readonly sizes?: LabSizes },
  { signal, report }: TuneContext = {},
): Promise<LabModel> {
  const text = openText(given);
  const tokenizer = await trainBpe(text.sample(), { vocabSize: vocabulary.decoder, ...(signal && { signal }) });
  const model = {
    ...{ ...presets.tiny.model, ...sizes },
    ...{ intermediateSize: 2.75 * sizes.hiddenSize, keyValueHeads: sizes.heads / 2 },
  };
  const config = modelConfig({ ...presets.tiny, model }, tokenizer.vocabSize);
  const settings = { ...presets.tiny.pretrain, steps, seed: given.seed };
  const { weights, metrics } = await pretrain(
    { config, source: text.source(tokenizer, tokenizer.eosId ?? tokenizer.bosId ?? 0) },
    settings,
    { ...(signal && { signal }), observe: ({ step, metrics: own }) => report?.({ step, steps, loss: own['loss']! }) },
  );
  return { model: { kind: 'language', config, weights }, tokenizer, metrics };
}

/** A language model tuned on the built-in instructions, without those of the clusters that are held out. */
export async function instructLab(
  { model, tokenizer, metrics }: LabModel,
  { steps, seed, heldOut }: { readonly steps: number; readonly seed: number; readonly heldOut: readonly string[] },
  context: TuneContext = {},
): Promise<LabModel> {
  if (model.kind !== 'language') throw new Error('internal: a model of this kind follows no instructions');
  const { seen } = holdOut(worldInstructions(seed), heldOut);
  const { weights, config } = model;
  const learned = await instruct({ weights, config, tokenizer, base: 'lab' }, seen, { steps, seed }, context);
  return { model: { ...model, weights: learned }, tokenizer: withInstructionFormat(tokenizer), metrics };
}

/** Texts of the task as often as makes them a third of all, but no more than eight times. */
function repeated(own: readonly number[][], others: readonly number[][]): number[][] {
  const tokens = (all: readonly number[][]): number => all.reduce((sum, { length }) => sum + length, 0);
  const times = Math.min(8, Math.max(1, Math.round(tokens(others) / 2 / Math.max(1, tokens(own)))));
  return Array.from({ length: times }, () => own).flat();
}

interface OpenedText {
  /** For a tokenizer. */
  readonly sample: () => Iterable<string>;
  readonly source: (tokenizer: Tokenizer, separator: number) => TokenSource;
}

function openText({ corpus = [], more = [], seed }: LabText): OpenedText {
  if (corpus.length > 0) {
    const read = readCorpora(corpus).train;
    return {
      sample: () => [...read, ...more],
      source: (tokenizer, separator) => {
        const encoded = (all: readonly string[]): number[][] =>
          all.map((text) => [...tokenizer.encode(text), separator]);
        const [books, own] = [encoded(read), encoded(more)];
        const pieces = [...books, ...repeated(own, books)];
        const stream = new Int32Array(pieces.reduce((sum, { length }) => sum + length, 0));
        let at = 0;
        for (const piece of pieces) {
          stream.set(piece, at);
          at += piece.length;
        }
        return streamSource(stream, seed);
      },
    };
  }
  const world = createWorld({ seed: 0 });
  const tasks = Object.keys(labelledTasks) as LabelledTask[];
  const draw = (random: Random): string => {
    const kind = random.integer(0, more.length > 0 ? 2 : 1);
    if (kind === 0) return world.document(random);
    if (kind === 2) return random.pick(more);
    return world.labelled({ task: random.pick(tasks), split: 'train', random }).text;
  };
  return {
    sample: function* () {
      const random = Random.seeded(seed).fork('tokenizer');
      for (let i = 0; i < tokenizerDocuments; i++) yield draw(random);
    },
    source: (tokenizer, separator) => documentSource((random) => tokenizer.encode(draw(random)), separator, seed),
  };
}
