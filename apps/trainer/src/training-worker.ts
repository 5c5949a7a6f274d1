/** The process that runs a job: one training run on ONNX Runtime. */
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { ModelRegistry, type ModelVersion } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import type { ModelReference } from '@crucible/protos/model/v1';
import { type JobSpec, JobSpecSchema } from '@crucible/protos/trainer/v1';
import { serveWorker } from '@crucible/service';
import {
  defaultPresetForFiles,
  forge,
  type ForgeProgress,
  type ForgeSettings,
  ppoStage,
  pretrainStage,
  readUserData,
  resolvePreset,
  rewardStage,
  sftStage,
  type StageResult,
  worldData,
} from '@crucible/training';
import { pathFromUri, referenceText } from './job-spec.ts';
import type { TrainingMethods } from './worker-protocol.ts';

type Item = TrainingMethods['run']['item'];

interface Host {
  readonly registry: ModelRegistry;
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly report: (progress: ForgeProgress) => void;
  readonly notice: (message: string) => void;
  readonly published: (model: ModelVersion) => Promise<void>;
}

serveWorker<TrainingMethods>({
  run: ({ spec, folder, models }, { signal, emit }) => {
    let last: ForgeProgress = { stage: 'tokenizer', step: 0, steps: 0, metrics: {} };
    const progress = (item: ForgeProgress): void => {
      last = item;
      void emit({ kind: 'progress', ...item } satisfies Item);
    };
    return runSpec(fromJson(JobSpecSchema, spec as JsonValue), {
      registry: new ModelRegistry(models),
      folder,
      signal,
      report: progress,
      notice: (message) => progress({ ...last, message }),
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
        ? await readUserData(files, {
            onInvalid: settings.data.skipInvalidRows ? 'skip' : 'error',
            onNotice: host.notice,
            signal: host.signal,
          })
        : worldData(createWorld({ seed }));
      return forge({ ...host, name, seed, settings, data });
    }
    case 'pretrain': {
      const { name, seed, preset, options = {}, corpusUris } = kind.value;
      const settings = resolvePreset(preset, { pretrain: options });
      return pretrainStage({ ...host, name, seed }, { corpus: paths(corpusUris), settings });
    }
    case 'sft': {
      const { name, seed, baseModel, instructionUris, options } = kind.value;
      const settings = stageSettings('sft', options);
      return sftStage(
        { ...host, name, seed },
        { base: model(baseModel), instructions: paths(instructionUris), settings },
      );
    }
    case 'reward': {
      const { name, seed, baseModel, preferenceUris, options } = kind.value;
      const settings = stageSettings('reward', options);
      return rewardStage(
        { ...host, name, seed },
        { base: model(baseModel), preferences: paths(preferenceUris), settings },
      );
    }
    case 'ppo': {
      const { name, seed, baseModel, rewardModel, promptUris, options } = kind.value;
      const settings = stageSettings('ppo', options);
      const inputs = { base: model(baseModel), reward: model(rewardModel), prompts: paths(promptUris), settings };
      return ppoStage({ ...host, name, seed }, inputs);
    }
    case undefined:
      throw new Error('internal: a spec without a kind was accepted');
  }
}

function stageSettings<S extends 'sft' | 'reward' | 'ppo'>(stage: S, options: JsonObject = {}): ForgeSettings[S] {
  return resolvePreset('', { [stage]: options })[stage];
}
