/** What the stages train: all of a decoder, or an adapter beside a decoder that stays as it is. */
import type { SavedAdapter } from '@crucible/checkpoint';
import { invalidInput, Random } from '@crucible/foundation';
import {
  type Adapted,
  adaptDecoder,
  type AdapterConfig,
  adapterKinds,
  type DecoderConfig,
  type DecoderHead,
  decoderParameters,
  initLora,
  initPrompt,
  mergeLora,
  type ModelWeights,
  type ParameterTree,
  prefixParameters,
  type PromptStart,
  readEmbeddings,
} from '@crucible/nn';
import { createOptimizer, type Optimizer } from '@crucible/optim';
import { compile, type NdArray, randomKey, reshape, type Tensor } from '@crucible/tensor';
import {
  createReparametrization,
  foldReparametrization,
  type Reparametrization,
  reparametrizations,
} from './reparametrization.ts';

/** Options of the group `adapter`. */
export interface AdapterSettings {
  /** `lora`, `prefix` (keys and values of virtual tokens), `prompt` (embeddings of virtual tokens), or `none`. */
  readonly kind: AdapterConfig['kind'] | 'none';
  /** Of lora. */
  readonly rank: number;
  /** Of lora: its product counts alpha / rank. */
  readonly alpha: number;
  /** Of lora: alpha / √rank instead. */
  readonly rankStabilized: boolean;
  /** Of lora: share of its inputs that are left out in training. */
  readonly dropout: number;
  /** Of lora: which matrices, by the ends of their names, separated by commas; `*` stands for anything. */
  readonly targets: string;
  /** Virtual tokens of a prefix or prompt. */
  readonly tokens: number;
  /** What virtual tokens begin as: `vocabulary` (random tokens), `text`, or for a prompt `random` numbers. */
  readonly start: 'vocabulary' | 'text' | 'random';
  /** What they begin as with `start` text. */
  readonly text: string;
  /** Whether they are learned through a network: `none`, `mlp` or `lstm`. */
  readonly reparametrization: (typeof reparametrizations)[number];
  /** Inner width of that network. */
  readonly width: number;
}

export const adapterDefaults: AdapterSettings = {
  kind: 'none',
  rank: 8,
  alpha: 16,
  rankStabilized: false,
  dropout: 0,
  targets: 'all-linear',
  tokens: 20,
  start: 'vocabulary',
  text: '',
  reparametrization: 'none',
  width: 128,
};

/** Throws for settings that make no adapter. */
export function assertAdapterSettings(settings: AdapterSettings, at: string): void {
  const fail = (name: keyof AdapterSettings, what: string): never => {
    throw invalidInput(`option ${at}.${name} is ${JSON.stringify(settings[name])}; ${what}`, { at: `${at}.${name}` });
  };
  const oneOf = (name: keyof AdapterSettings, allowed: readonly string[]): void => {
    if (!allowed.includes(settings[name] as string)) fail(name, `there are ${allowed.join(', ')}`);
  };
  oneOf('kind', ['none', ...adapterKinds]);
  oneOf('start', ['vocabulary', 'text', 'random']);
  oneOf('reparametrization', reparametrizations);
  if (settings.reparametrization !== 'none' && (settings.kind === 'lora' || settings.kind === 'none'))
    fail('reparametrization', `it is for virtual tokens, and ${at}.kind is ${JSON.stringify(settings.kind)}`);
  for (const name of ['rank', 'tokens', 'width'] as const)
    if (!Number.isInteger(settings[name]) || settings[name] < 1) fail(name, 'a whole number from 1 is needed');
  if (!(settings.alpha > 0)) fail('alpha', 'a number above 0 is needed');
  if (!(settings.dropout < 1)) fail('dropout', 'a number below 1 is needed');
  if (settings.start === 'text' && settings.text === '')
    fail('text', 'the text that the virtual tokens begin as is needed');
  if (settings.start === 'random' && settings.kind === 'prefix')
    fail('start', 'a prefix begins as what tokens are in the model: vocabulary or text');
}

export interface NewAdapterInputs {
  readonly base: ModelWeights;
  readonly config: DecoderConfig;
  readonly head: DecoderHead;
  readonly seed: number;
  /** Token ids of a text, for virtual tokens that begin as one. */
  readonly encode: (text: string) => readonly number[];
}

/** The adapter that the settings ask for, before its first step; undefined for `none`. */
export async function newAdapter(
  settings: AdapterSettings,
  { base, config, head, seed, encode }: NewAdapterInputs,
): Promise<SavedAdapter | undefined> {
  const random = Random.seeded(seed).fork('adapter');
  const { kind, tokens } = settings;
  switch (kind) {
    case 'none':
      return undefined;
    case 'lora': {
      const { rank, alpha, rankStabilized, dropout } = settings;
      const targets = settings.targets.split(',').map((target) => target.trim());
      const lora = { kind, rank, alpha, rankStabilized, dropout, targets } as const;
      return { config: lora, parameters: initLora(lora, decoderParameters(config, head), random) };
    }
    case 'prefix':
    case 'prompt': {
      if (tokens >= config.maxPositions) {
        throw invalidInput(
          `adapter.tokens: ${tokens} virtual tokens leave no room in the context of ${config.maxPositions}`,
          { at: 'adapter.tokens' },
        );
      }
      const start = startOf(settings, encode);
      const prompt = initPrompt({ tokens }, config, base, start, random);
      const parameters = kind === 'prompt' ? prompt : await keysAndValues(base, config, prompt);
      return { config: { kind, tokens }, parameters };
    }
  }
}

function startOf({ start, text }: AdapterSettings, encode: (text: string) => readonly number[]): PromptStart {
  return start === 'text' ? { from: 'tokens', ids: encode(text) } : { from: start };
}

/** A prefix that begins as a soft prompt: with the keys and values that the model works out for it. */
async function keysAndValues(
  base: ModelWeights,
  config: DecoderConfig,
  prompt: ParameterTree<NdArray>,
): Promise<ParameterTree<NdArray>> {
  const program = await compile({ base, prompt }, (given) => {
    const embeddings = (given.prompt as unknown as { readonly prompt_embeddings: Tensor }).prompt_embeddings;
    return readEmbeddings(given.base, config, reshape(embeddings, [1, ...embeddings.shape]));
  });
  try {
    const { keys, values } = await program.run({ base, prompt });
    return prefixParameters(keys, values);
  } finally {
    await program.dispose();
  }
}

/** The name of the random key in a batch. */
export const dropoutKey = 'dropoutKey';

/** The name of the virtual tokens among an adapter's parameters. */
const virtualName = 'prompt_embeddings';

/** The network that an adapter's virtual tokens are learned through; undefined where there is none. */
export function reparametrizationOf(
  adapter: SavedAdapter | undefined,
  { reparametrization: kind, width }: Pick<AdapterSettings, 'reparametrization' | 'width'>,
  seed: number,
): Reparametrization | undefined {
  if (kind === 'none' || !adapter) return undefined;
  const tokens = adapter.parameters[virtualName] as NdArray | undefined;
  if (!tokens) throw new Error('internal: an adapter without virtual tokens has no network for them');
  return createReparametrization(tokens, { kind, width }, Random.seeded(seed).fork('reparametrization'));
}

export interface TrainingPlan {
  /** What is learned. */
  readonly parameters: ModelWeights;
  /** What stays as it is. */
  readonly frozen: ModelWeights;
  /** The decoder of both. */
  readonly read: (parameters: ParameterTree<Tensor>, frozen: ParameterTree<Tensor>, key?: Tensor) => Adapted;
  /** What goes into the batch of step `n`, where something is drawn at random. */
  readonly randomness: (seed: number, n: number) => Readonly<Record<string, NdArray>>;
  /** What is kept of what was learned: the model, or the adapter's parameters. */
  readonly kept: (parameters: ModelWeights) => Promise<ModelWeights>;
  /** A whole model of what was learned. */
  readonly merged: (parameters: ModelWeights, head: DecoderHead) => ModelWeights;
}

/** All of the model is learned, or, where there is one, the adapter alone, its virtual tokens perhaps through a network. */
export function trainingPlan(
  base: ModelWeights,
  config: DecoderConfig,
  adapter?: SavedAdapter,
  reparametrization?: Reparametrization,
): TrainingPlan {
  if (!adapter) {
    return {
      parameters: base,
      frozen: {},
      read: (weights) => ({ weights, prefix: undefined }),
      randomness: () => ({}),
      kept: (parameters) => Promise.resolve(parameters),
      merged: (parameters) => parameters,
    };
  }
  const { config: own, parameters } = adapter;
  const drops = own.kind === 'lora' && own.dropout > 0;
  return {
    parameters: reparametrization?.parameters ?? parameters,
    frozen: base,
    read: (learned, frozen, key) => {
      const adapted = reparametrization ? { [virtualName]: reparametrization.apply(learned) } : learned;
      return adaptDecoder(frozen, config, adapted, own, key);
    },
    kept: async (learned) =>
      reparametrization ? { [virtualName]: await foldReparametrization(reparametrization, learned) } : learned,
    randomness: (seed, n) =>
      drops ? { [dropoutKey]: randomKey(Random.seeded(seed).fork(`dropout ${n}`).uint32()) } : {},
    merged: (learned, head) => {
      if (own.kind !== 'lora') throw new Error(`internal: a ${own.kind} is no part of the weights`);
      return mergeLora(base, learned, own, decoderParameters(config, head));
    },
  };
}

/** LoRA and the head, which is learned with it. */
export function withHead(adapter: SavedAdapter, { score }: ModelWeights): SavedAdapter {
  if (adapter.config.kind !== 'lora') {
    throw invalidInput(`adapter.kind is ${adapter.config.kind}; a reward model is trained with lora, or none`, {
      at: 'adapter.kind',
    });
  }
  return { ...adapter, parameters: { ...adapter.parameters, score: score! } };
}

/** AdamW for all of the few parameters. */
export function adapterOptimizer({
  clipNorm,
  weightDecay,
}: {
  readonly clipNorm: number;
  readonly weightDecay: number;
}): Optimizer {
  return createOptimizer({ clipNorm, adamW: { weightDecay, beta2: 0.999 } });
}
