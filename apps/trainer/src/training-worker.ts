/** The process that runs a job: one training run on ONNX Runtime. */
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { ModelRegistry, type ModelVersion } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import type { ModelReference } from '@crucible/protos/model/v1';
import { type JobSpec, JobSpecSchema } from '@crucible/protos/trainer/v1';
import { resolveSettings, serveWorker } from '@crucible/service';
import { chooseDevice, type Device, type Precision, useCompileCache } from '@crucible/tensor';
import {
  defaultPresetForFiles,
  forge,
  type ForgeProgress,
  type ForgeSettings,
  mlmStage,
  ppoStage,
  pretrainStage,
  readUserData,
  resolveMlm,
  resolvePreset,
  resolveStage,
  rewardStage,
  sftStage,
  type StageResult,
  worldData,
} from '@crucible/training';
import { defaultsFor, pathFromUri, referenceText } from './job-spec.ts';
import type { TrainingMethods } from './worker-protocol.ts';

type Item = TrainingMethods['run']['item'];

const settings = resolveSettings();

interface Host {
  readonly device: Device;
  readonly precision: Precision;
  readonly registry: ModelRegistry;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly report: (progress: ForgeProgress) => void;
  readonly onNotice: (message: string) => void;
  readonly published: (model: ModelVersion) => Promise<void>;
}

useCompileCache(resolveSettings().cache);

serveWorker<TrainingMethods>({
  run: async ({ spec, folder, models }, { signal, emit }) => {
    const { device, reason } = await chooseDevice(settings.device);
    const job = fromJson(JobSpecSchema, spec as JsonValue);
    const { case: kind = 'forge' } = job.kind;
    let last: ForgeProgress = { stage: kind === 'forge' ? 'tokenizer' : kind, step: 0, steps: 0, metrics: {} };
    const progress = (item: ForgeProgress): void => {
      last = item;
      void emit({ kind: 'progress', ...item } satisfies Item);
    };
    if (settings.device !== 'cpu') progress({ ...last, message: `computing on ${device}: ${reason}` });
    return runSpec(job, {
      device,
      precision: settings.precision,
      registry: new ModelRegistry(models),
      folder,
      signal,
      report: progress,
      onNotice: (message) => progress({ ...last, message }),
      published: ({ name, version, uri, stage, step, parent, sha256 }) =>
        emit({ kind: 'published', model: { name, version, uri, stage, step, parent, sha256 } }),
    });
  },
});

async function runSpec({ kind }: JobSpec, host: Host): Promise<StageResult> {
  const { registry } = host;
  const paths = (uris: readonly string[]): string[] => uris.map(pathFromUri);
  const model = (reference: ModelReference | undefined): ModelVersion => registry.resolve(referenceText(reference!));
  switch (kind.case) {
    case 'forge': {
      const { name, seed, preset, options, corpusUris, instructionUris, preferenceUris } = kind.value;
      const files = {
        corpus: paths(corpusUris),
        instructions: paths(instructionUris),
        preferences: paths(preferenceUris),
      };
      const usesFiles = Object.values(files).some((paths) => paths.length > 0);
      const settings = resolvePreset(preset === '' && usesFiles ? defaultPresetForFiles : preset, options);
      const data = usesFiles
        ? await readUserData(files, { ...host, onInvalid: onInvalid(settings) })
        : worldData(createWorld({ seed }));
      return forge({ ...host, name, seed, settings, data });
    }
    case 'pretrain': {
      const { name, seed, preset, options, corpusUris } = kind.value;
      const settings = resolveStage('pretrain', options, { preset });
      return pretrainStage({ ...host, name, seed }, { corpus: paths(corpusUris), settings });
    }
    case 'mlm': {
      const { name, seed, baseModel, options, corpusUris } = kind.value;
      return mlmStage(
        { ...host, name, seed },
        {
          corpus: paths(corpusUris),
          settings: resolveMlm(options),
          ...(baseModel && { base: model(baseModel) }),
        },
      );
    }
    case 'sft': {
      const { name, seed, baseModel, instructionUris, options } = kind.value;
      const base = model(baseModel);
      const settings = resolveStage('sft', options, defaultsFor(base, host.device));
      return sftStage(
        { ...host, name, seed, onInvalid: onInvalid(settings) },
        { base, instructions: paths(instructionUris), settings: settings.sft },
      );
    }
    case 'reward': {
      const { name, seed, baseModel, preferenceUris, options } = kind.value;
      const base = model(baseModel);
      const settings = resolveStage('reward', options, defaultsFor(base, host.device));
      return rewardStage(
        { ...host, name, seed, onInvalid: onInvalid(settings) },
        { base, preferences: paths(preferenceUris), settings: settings.reward },
      );
    }
    case 'ppo': {
      const { name, seed, baseModel, rewardModel, promptUris, options } = kind.value;
      const base = model(baseModel);
      const settings = resolveStage('ppo', options, defaultsFor(base, host.device));
      return ppoStage(
        { ...host, name, seed, onInvalid: onInvalid(settings) },
        {
          base,
          reward: model(rewardModel),
          prompts: paths(promptUris),
          settings: settings.ppo,
        },
      );
    }
    case undefined:
      throw new Error('internal: a spec without a kind was accepted');
  }
}

function onInvalid({ data }: ForgeSettings): 'error' | 'skip' {
  return data.skipInvalidRows ? 'skip' : 'error';
}
