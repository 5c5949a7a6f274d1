/** The edge of the policy: requests are checked here, before any work. */
import { invalidInput } from '@crucible/foundation';
import { resolveSampling } from '@crucible/inference';
import type { ClassifyRequest, GenerateRequest } from '@crucible/protos/policy/v1';
import type { LoadedModel, ResolvedModel } from '@crucible/serving';
import type { PolicyEngineMethods } from './engine-protocol.ts';

const mostTemperature = 2;
const mostAlternatives = 20;
const mostStopTokens = 64;
const mostSequences = 1024;
const mostRequestId = 128;

export function resolveGenerateRequest(
  { promptTokenIds: prompt, sampling, topLogprobs, requestId }: GenerateRequest,
  model: LoadedModel,
): Omit<PolicyEngineMethods['generate']['args'], 'name'> {
  assertTokens(prompt, model, 'prompt_token_ids');
  const room = model.contextLength - prompt.length;
  if (room < 1) {
    throw invalidInput(
      `prompt_token_ids: ${prompt.length} tokens leave no room for an answer in the context of ${model.contextLength}`,
      { at: 'prompt_token_ids' },
    );
  }
  const { maxTokens = 0, temperature = 1, topK = 0, topP = 1, seed, stopTokenIds = [] } = sampling ?? {};
  if (maxTokens > room) {
    throw invalidInput(
      `max_tokens: ${maxTokens} is more than the ${room} that the context of ${model.contextLength} leaves after a prompt of ${prompt.length} tokens`,
      { at: 'sampling.max_tokens' },
    );
  }
  assertRange('sampling.temperature', temperature, 0, mostTemperature);
  if (!(topP > 0 && topP <= 1)) {
    throw invalidInput(`sampling.top_p: ${topP} is not above 0 and at most 1`, { at: 'sampling.top_p' });
  }
  assertRange('top_logprobs', topLogprobs, 0, mostAlternatives);
  if (requestId.length > mostRequestId) {
    throw invalidInput(`request_id: it is ${requestId.length} characters long, at most ${mostRequestId} are allowed`, {
      at: 'request_id',
    });
  }
  if (stopTokenIds.length > mostStopTokens) {
    throw invalidInput(`stop_token_ids: ${stopTokenIds.length} are given, at most ${mostStopTokens} are allowed`, {
      at: 'sampling.stop_token_ids',
    });
  }
  return {
    prompt,
    maxTokens: maxTokens === 0 ? undefined : maxTokens,
    sampling: resolveSampling({ temperature, topK, topP, ...(seed === undefined ? {} : { seed }) }),
    stopTokens: stopTokenIds.length === 0 ? model.endTokenIds : stopTokenIds,
    alternatives: topLogprobs,
  };
}

/** What only tells labels apart neither writes nor knows how likely tokens are. */
export function assertWrites({ name, kind }: ResolvedModel): void {
  if (kind === 'language' || kind === 'adapter') return;
  throw invalidInput(`model ${name} is a ${kind} model, which does not write; Classify is what it answers`, {
    at: 'model',
  });
}

const mostInputs = 1024;

export function assertClassifyRequest(
  { inputs }: Pick<ClassifyRequest, 'inputs'>,
  { name, loaded }: ResolvedModel,
): void {
  if ((loaded.labels ?? []).length === 0) {
    throw invalidInput(`model ${name} does not classify: it was not tuned for labels; crucible tune does`, {
      at: 'model',
    });
  }
  if (inputs.length === 0 || inputs.length > mostInputs)
    throw invalidInput(`inputs: ${inputs.length} are given; 1 to ${mostInputs} are allowed`, { at: 'inputs' });
  inputs.forEach(({ text }, i) => {
    const at = `inputs[${i}].text`;
    if (text.trim() === '') throw invalidInput(`${at}: at least one character is needed`, { at });
  });
}

/** Names of adapters are like those of models. */
const adapterPattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export function assertAdapterRequest({ model, adapter }: { readonly model: string; readonly adapter: string }): void {
  if (model === '' || model.includes(':'))
    throw invalidInput(`model ${JSON.stringify(model)}: it names the model that the adapter belongs to`, {
      at: 'model',
    });
  if (!adapterPattern.test(adapter)) {
    throw invalidInput(
      `adapter ${JSON.stringify(adapter)}: 1 to 64 of the characters a-z, 0-9, -, _ and ., the first a letter or digit`,
      { at: 'adapter' },
    );
  }
}

export function assertScoreRequest(
  request: Pick<PolicyEngineMethods['score']['args'], 'sequences' | 'temperature' | 'alternatives'>,
  model: LoadedModel,
): void {
  const { sequences, temperature, alternatives } = request;
  if (sequences.length === 0 || sequences.length > mostSequences) {
    throw invalidInput(`sequences: ${sequences.length} are given; 1 to ${mostSequences} are allowed`, {
      at: 'sequences',
    });
  }
  if (!(temperature > 0 && temperature <= mostTemperature)) {
    throw invalidInput(`temperature: ${temperature} is not above 0 and at most ${mostTemperature}`, {
      at: 'temperature',
    });
  }
  assertRange('top_logprobs', alternatives, 0, mostAlternatives);
  sequences.forEach(({ prompt, completion }, i) => {
    assertTokens(prompt, model, `sequences[${i}].prompt_token_ids`);
    assertTokens(completion, model, `sequences[${i}].completion_token_ids`);
    const length = prompt.length + completion.length;
    if (length > model.contextLength) {
      throw invalidInput(`sequences[${i}]: ${length} tokens are more than the context of ${model.contextLength}`, {
        at: `sequences[${i}]`,
      });
    }
  });
}

function assertTokens(ids: readonly number[], model: LoadedModel, field: string): void {
  if (ids.length === 0) throw invalidInput(`${field}: at least one token is needed`, { at: field });
  const outside = ids.find((id) => id >= model.vocabularySize);
  if (outside !== undefined) {
    throw invalidInput(
      `${field}: token ${outside} is outside of the vocabulary, whose ids go from 0 to ${model.vocabularySize - 1}`,
      {
        at: field,
      },
    );
  }
}

function assertRange(field: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most)) {
    throw invalidInput(`${field}: ${value} is not from ${least} to ${most}`, { at: field });
  }
}
