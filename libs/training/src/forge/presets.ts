/** Sizes of the model and lengths of the training that a forge can be asked for by name. */
import { invalidInput } from '@crucible/foundation';
import type { LlamaConfig, Recompute } from '@crucible/nn';
import type { Device } from '@crucible/tensor';
import { assertAdapterSettings } from '../adapter-training.ts';
import { assertDivides } from '../assert-divides.ts';
import type { OptimizerName } from '../decoder-optimizer.ts';
import { mlmDefaults, type MlmSettings } from '../mlm.ts';
import { type PpoSettings, ppoDefaults } from '../ppo.ts';
import { type PretrainSettings, pretrainDefaults } from '../pretrain.ts';
import { type RewardSettings, rewardDefaults } from '../reward-model.ts';
import { type SftSettings, sftDefaults } from '../sft.ts';
import type { ForgeStageName } from '../stage.ts';

interface DataSettings {
  /** Leave rows of the user's files out that break the rules, and say how many; otherwise the first is an error. */
  readonly skipInvalidRows: boolean;
}

/** The model without its vocabulary, which the tokenizer decides. */
type ModelShape = Omit<LlamaConfig, 'family' | 'vocabularySize'>;

export interface ForgeSettings {
  readonly data: DataSettings;
  readonly vocabulary: number;
  readonly model: ModelShape;
  readonly pretrain: Omit<PretrainSettings, 'seed'>;
  readonly sft: Omit<SftSettings, 'seed'>;
  readonly reward: Omit<RewardSettings, 'seed'>;
  readonly ppo: Omit<PpoSettings, 'seed'>;
  /** Held-out examples that each of A, B and D is measured on. */
  readonly evaluation: number;
}

const shape = {
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: false,
} as const;

const data: DataSettings = { skipInvalidRows: false };

/** For the built-in world: 1.3 million parameters, eight minutes on two cores. */
const tiny: ForgeSettings = {
  data,
  vocabulary: 2048,
  model: { ...shape, hiddenSize: 128, intermediateSize: 352, layers: 4, heads: 4, keyValueHeads: 2, maxPositions: 512 },
  pretrain: pretrainDefaults,
  sft: sftDefaults,
  reward: rewardDefaults,
  ppo: ppoDefaults,
  evaluation: 320,
};

/** For text that people wrote, a dozen megabytes and more: 4 million parameters, half an hour on two cores. */
const small: ForgeSettings = {
  data,
  vocabulary: 4096,
  model: { ...shape, hiddenSize: 256, intermediateSize: 688, layers: 4, heads: 8, keyValueHeads: 4, maxPositions: 512 },
  pretrain: { ...pretrainDefaults, steps: 1600, rows: 10, time: 256 },
  sft: { ...sftDefaults, steps: 400, rows: 8, time: 384 },
  reward: { ...rewardDefaults, steps: 120, groups: 8, time: 384, learningRate: 0.003 },
  ppo: { ...ppoDefaults, iterations: 30, samples: 64, maxTokens: 48, time: 384 },
  evaluation: 256,
};

/** Every stage in a few steps, to see that all fits together. */
const smoke: ForgeSettings = {
  data,
  vocabulary: 512,
  model: { ...shape, hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 2, keyValueHeads: 1, maxPositions: 384 },
  pretrain: { ...pretrainDefaults, steps: 8, rows: 4, time: 64, warmupSteps: 2, validateEvery: 4 },
  sft: { ...sftDefaults, steps: 6, rows: 2, time: 384, warmupSteps: 2, validateEvery: 6 },
  reward: { ...rewardDefaults, steps: 4, groups: 2, time: 384, warmupSteps: 1, validateEvery: 4 },
  ppo: { ...ppoDefaults, iterations: 2, samples: 4, maxTokens: 8, time: 384, valueOnlyIterations: 0, evaluateEvery: 2 },
  evaluation: 8,
};

export const presets = { tiny, small, smoke } as const satisfies Record<string, ForgeSettings>;

export const defaultPreset = 'tiny';

/** What a forge of a user's own files takes where nothing else is said. */
export const defaultPresetForFiles = 'small';

/**
 * The settings of a preset (empty: `tiny`), with the given options over them: {sft: {steps: 100}}. Throws where they do not
 * exist, are of another type, or do not go together.
 */
export function resolvePreset(name: string, options: Readonly<Record<string, unknown>> = {}): ForgeSettings {
  const wanted = name === '' ? defaultPreset : name;
  if (!Object.hasOwn(presets, wanted)) {
    throw invalidInput(`preset ${wanted} does not exist; there are ${Object.keys(presets).join(', ')}`, {
      at: 'preset',
    });
  }
  const settings = overlay(presets[wanted as keyof typeof presets], options, '') as ForgeSettings;
  for (const stage of ['pretrain', 'sft'] as const) assertDivides(stage, settings[stage], 'rows', 'microBatches');
  assertDivides('reward', settings.reward, 'groups', 'microBatches');
  assertDivides('ppo', settings.ppo, 'samples', 'minibatches');
  assertDivides('ppo', settings.ppo, 'samples', 'answersPerPrompt');
  for (const stage of ['sft', 'reward'] as const) {
    assertOptimizer(settings[stage].optimizer, `${stage}.optimizer`);
    assertAdapterSettings(settings[stage].adapter, `${stage}.adapter`);
  }
  for (const stage of ['pretrain', 'sft'] as const) assertRecompute(settings[stage].recompute, `${stage}.recompute`);
  return settings;
}

/**
 * What differs for a model that was trained elsewhere, and longer: AdamW at the small rates that are usual for it, and
 * rows of the length of its answers.
 */
const trainedElsewhere = {
  sft: { steps: 300, rows: 4, time: 512, optimizer: 'adamw', learningRate: 2e-5, weightDecay: 0.01 },
  reward: { steps: 300, groups: 4, time: 512, optimizer: 'adamw', learningRate: 1e-5, weightDecay: 0.01 },
  ppo: {
    samples: 32,
    maxTokens: 128,
    time: 512,
    policyLearningRate: 2e-6,
    valueLearningRate: 1e-5,
    klCoefficient: 0.05,
  },
} as const satisfies Partial<{ readonly [S in ForgeStageName]: Partial<ForgeSettings[S]> }>;

/**
 * What differs for an adapter, by its kind: AdamW at a rate that suits so few parameters. `ours` is that for models whose
 * weights were made here, which are small.
 */
const adapterRates = {
  lora: { learningRate: 5e-4, ours: 3e-3 },
  prefix: { learningRate: 5e-3, ours: 5e-3 },
  prompt: { learningRate: 1e-2, ours: 3e-2 },
} as const;

/**
 * It is larger, too: on the CPU its rows, or groups of answers, are worked out one at a time, which is no slower there. A
 * graphics card wants many.
 */
function oneAtATime(stage: ForgeStageName, options: Readonly<Record<string, unknown>>): object {
  if (stage === 'sft') return { microBatches: options['rows'] };
  return stage === 'reward' ? { microBatches: options['groups'] } : {};
}

function adapterChanges({ adapter }: Readonly<Record<string, unknown>>, isImported: boolean): object {
  const { kind, reparametrization = 'none' } = (adapter ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof kind !== 'string' || !Object.hasOwn(adapterRates, kind)) return {};
  const { learningRate, ours } = adapterRates[kind as keyof typeof adapterRates];
  const rate = isImported ? learningRate : ours;
  // One step of a network that virtual tokens are learned through moves all of them.
  return { optimizer: 'adamw', learningRate: reparametrization === 'none' ? rate : 3e-3, weightDecay: 0 };
}

export interface StageDefaults {
  /** Of pre-training. Default: `tiny`. */
  readonly preset?: string;
  /** Whether the model to begin from was trained elsewhere. Default: false. */
  readonly isImported?: boolean;
  /** Where it is trained. Default: `cpu`. */
  readonly device?: Device;
}

/**
 * The settings for a stage by itself, whose options come without the stage's name: {steps: 100}. Those of the group `data`
 * are known to every stage.
 */
export function resolveStage(
  stage: ForgeStageName,
  { data, ...own }: Readonly<Record<string, unknown>> = {},
  { preset = '', isImported = false, device = 'cpu' }: StageDefaults = {},
): ForgeSettings {
  const imported = isImported && stage !== 'pretrain' ? trainedElsewhere[stage] : {};
  const adapted = stage === 'sft' || stage === 'reward' ? adapterChanges(own, isImported) : {};
  const options = { ...imported, ...adapted, ...own };
  return resolvePreset(preset, {
    ...(data !== undefined && { data }),
    [stage]: { ...(isImported && device === 'cpu' && oneAtATime(stage, options)), ...options },
  });
}

/** The settings for masked pre-training, with the given options over the defaults. */
export function resolveMlm(options: Readonly<Record<string, unknown>> = {}): MlmSettings {
  const settings = overlay(mlmDefaults, options, '') as MlmSettings;
  assertOptimizer(settings.optimizer, 'optimizer');
  if (!(settings.maskShare > 0 && settings.maskShare < 1)) {
    throw invalidInput(`option maskShare is ${settings.maskShare}; a share above 0 and below 1 is needed`, {
      at: 'maskShare',
    });
  }
  if (settings.time < 3) {
    throw invalidInput(`option time is ${settings.time}; a row holds [CLS], [SEP] and a text between them`, {
      at: 'time',
    });
  }
  return settings;
}

function assertOptimizer(name: string, at: string): void {
  const known: readonly OptimizerName[] = ['muon', 'adamw'];
  if (known.some((each) => each === name)) return;
  throw invalidInput(`option ${at} is ${JSON.stringify(name)}; there are ${known.join(', ')}`, { at });
}

function assertRecompute(given: string, at: string): void {
  const known: readonly Recompute[] = ['none', 'block'];
  if (known.some((each) => each === given)) return;
  throw invalidInput(`option ${at} is ${JSON.stringify(given)}; there are ${known.join(', ')}`, { at });
}

/** Replaces values by given ones of the same type; unknown names and other types are errors that name them. */
function overlay(base: object, options: Readonly<Record<string, unknown>>, path: string): object {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(options)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (!Object.hasOwn(base, key)) {
      throw invalidInput(`option ${at} does not exist; there are ${Object.keys(base).join(', ')}`, { at });
    }
    const old = result[key];
    if (typeof old === 'object' && old !== null) {
      if (typeof value !== 'object' || value === null) throw invalidInput(`option ${at} is a group of options`, { at });
      result[key] = overlay(old, value as Record<string, unknown>, at);
    } else if (typeof value !== typeof old && old !== null) {
      throw invalidInput(`option ${at} is ${JSON.stringify(value)}; a ${typeof old} is needed`, { at });
    } else if (typeof value === 'number' && !(Number.isFinite(value) && value >= 0)) {
      throw invalidInput(`option ${at} is ${value}; a number from 0 is needed`, { at });
    } else {
      result[key] = value;
    }
  }
  return result;
}
