/** The edge of the trainer: a submitted spec is checked here, before any work. */
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ModelRegistry, ModelVersion } from '@crucible/checkpoint';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { ModelReference } from '@crucible/protos/model/v1';
import { type ForgeSpec, type JobSpec, JobSpecSchema } from '@crucible/protos/trainer/v1';
import type { Device } from '@crucible/tensor';
import { resolveMlm, resolvePreset, resolveStage, type StageDefaults } from '@crucible/training';
import { isJobId, type JobKind } from './job.ts';

const namePattern = /^[a-z0-9][a-z0-9._-]*$/;
const longestName = 64;
/** A forge adds `-a` to `-d` to its name. */
const longestForgeName = longestName - 2;

export function assertJobId(id: string): void {
  if (!isJobId(id)) {
    throw invalidInput(
      `job_id ${JSON.stringify(id)}: 1 to 64 of the characters a-z, 0-9 and -, the first a letter or digit`,
      { at: 'job_id' },
    );
  }
}

/** A spec that came as JSON, by the queue: checked as a submitted one is. */
export function checkedJsonSpec(json: unknown, registry: ModelRegistry): ReturnType<typeof checkedSpec> {
  let spec: JobSpec;
  try {
    spec = fromJson(JobSpecSchema, json as JsonValue);
  } catch (reason) {
    throw invalidInput(`spec: it is no crucible.trainer.v1.JobSpec: ${(reason as Error).message}`, { at: 'spec' });
  }
  return checkedSpec(spec, registry);
}

/** Throws unless the spec is complete, its options exist, and what it names is there. Returns it as JSON. */
export function checkedSpec(
  spec: JobSpec | undefined,
  registry: ModelRegistry,
): { readonly kind: JobKind; readonly json: unknown } {
  const { kind: chosen } = spec ?? { kind: { case: undefined, value: undefined } };
  if (!spec || chosen.case === undefined)
    throw invalidInput('spec is empty; it says what the job does', { at: 'spec' });
  const field = `spec.${chosen.case}`;
  assertName(chosen.value.name, `${field}.name`, chosen.case === 'forge' ? longestForgeName : longestName);
  const model = (reference: ModelReference | undefined, name: string): ModelVersion =>
    knownModel(reference, registry, `${field}.${name}`);
  const data = (uris: readonly string[], name: string, needed = true): void =>
    assertUris(uris, `${field}.${name}`, needed);
  switch (chosen.case) {
    case 'forge':
      data(chosen.value.corpusUris, 'corpus_uris', false);
      data(chosen.value.instructionUris, 'instruction_uris', false);
      data(chosen.value.preferenceUris, 'preference_uris', false);
      assertForgeFiles(chosen.value, field);
      resolvePreset(chosen.value.preset, chosen.value.options);
      break;
    case 'pretrain':
      data(chosen.value.corpusUris, 'corpus_uris');
      resolveStage('pretrain', chosen.value.options, { preset: chosen.value.preset });
      break;
    case 'mlm':
      if (chosen.value.baseModel) model(chosen.value.baseModel, 'base_model');
      data(chosen.value.corpusUris, 'corpus_uris');
      resolveMlm(chosen.value.options);
      break;
    case 'sft': {
      const base = model(chosen.value.baseModel, 'base_model');
      data(chosen.value.instructionUris, 'instruction_uris');
      resolveStage('sft', chosen.value.options, defaultsFor(base));
      break;
    }
    case 'reward': {
      const base = model(chosen.value.baseModel, 'base_model');
      data(chosen.value.preferenceUris, 'preference_uris');
      resolveStage('reward', chosen.value.options, defaultsFor(base));
      break;
    }
    case 'ppo': {
      const base = model(chosen.value.baseModel, 'base_model');
      model(chosen.value.rewardModel, 'reward_model');
      data(chosen.value.promptUris, 'prompt_uris');
      resolveStage('ppo', chosen.value.options, defaultsFor(base));
    }
  }
  return { kind: chosen.case, json: toJson(JobSpecSchema, spec) };
}

/** What decides the settings of a stage that begins from a model, beside its options. */
export function defaultsFor({ origin }: ModelVersion, device: Device = 'cpu'): StageDefaults {
  return { isImported: origin !== undefined, device };
}

/** The path that a data URI stands for. */
export function pathFromUri(uri: string): string {
  return uri.startsWith('file:') ? fileURLToPath(uri) : uri;
}

function assertName(name: string, at: string, longest: number): void {
  if (!namePattern.test(name) || name.length > longest) {
    throw invalidInput(
      `${at} ${JSON.stringify(name)}: 1 to ${longest} of the characters a-z, 0-9, -, _ and ., the first a letter or digit`,
      { at },
    );
  }
}

function knownModel(reference: ModelReference | undefined, registry: ModelRegistry, at: string): ModelVersion {
  if (!reference) throw invalidInput(`${at} is missing`, { at });
  try {
    return registry.resolve(referenceText(reference));
  } catch (reason) {
    const { code, message } = CrucibleError.from(reason);
    throw new CrucibleError(code, `${at}: ${message}`, { at });
  }
}

/** Files of one's own begin with a corpus: the tokenizer and model A come from it. */
function assertForgeFiles({ corpusUris, instructionUris, preferenceUris }: ForgeSpec, field: string): void {
  const given = instructionUris.length > 0 ? 'instructions' : preferenceUris.length > 0 ? 'preferences' : undefined;
  if (given === undefined || corpusUris.length > 0) return;
  throw invalidInput(`${field}.corpus_uris is empty; with ${given} of one's own a corpus is needed too`, {
    at: `${field}.corpus_uris`,
  });
}

/** `NAME` or `NAME@VERSION`. */
export function referenceText({ name, version }: Pick<ModelReference, 'name' | 'version'>): string {
  return version === 0 ? name : `${name}@${version}`;
}

function assertUris(uris: readonly string[], at: string, needed: boolean): void {
  if (needed && uris.length === 0) throw invalidInput(`${at} is empty; at least one is needed`, { at });
  for (const uri of uris) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(uri) && !uri.startsWith('file:')) {
      throw invalidInput(`${at}: ${uri}: only paths and file: URLs can be read`, { at });
    }
    if (!existsSync(pathFromUri(uri))) throw new CrucibleError('invalid-input', `${at}: ${uri} does not exist`, { at });
  }
}
