/** The process that runs a job: one training run on ONNX Runtime. */
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { ModelRegistry, type ModelVersion } from '@crucible/checkpoint';
import { createWorld } from '@crucible/data';
import type { ModelReference } from '@crucible/protos/model/v1';
import { type JobSpec, JobSpecSchema } from '@crucible/protos/trainer/v1';
import { serveWorker } from '@crucible/service';
import {
  forge,
  type ForgeData,
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
      void emit({ kind: 'progress', ...item, message: item.message } satisfies Item);
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

function runSpec({ kind }: JobSpec, host: Host): Promise<StageResult> {
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
      return runForge(name, seed, resolvePreset(preset, options), files, host);
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

async function runForge(
  name: string,
  seed: number,
  settings: ForgeSettings,
  files: {
    readonly corpus: readonly string[];
    readonly instructions: readonly string[];
    readonly preferences: readonly string[];
  },
  host: Host,
): Promise<StageResult> {
  const usesOwnFiles = files.corpus.length + files.instructions.length + files.preferences.length > 0;
  const data: ForgeData = usesOwnFiles
    ? await readUserData(files, { onNotice: host.notice, signal: host.signal })
    : worldData(createWorld({ seed }));
  return forge({ ...host, name, seed, settings, data });
}

function stageSettings<S extends 'sft' | 'reward' | 'ppo'>(stage: S, options: JsonObject = {}): ForgeSettings[S] {
  return resolvePreset('', { [stage]: options })[stage];
}
