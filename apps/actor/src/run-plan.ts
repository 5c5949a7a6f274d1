/** From what a caller wants to what is done: names are resolved, numbers are checked, and what is not there is said. */
import { createCollectionRetriever, createSandboxRunner } from '@crucible/chat-models';
import type { RunSpec } from '@crucible/actor';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import {
  createStrategy,
  type Example,
  parseExamples,
  resolveLimits,
  runStrategy,
  type Strategy,
  type StrategyOptions,
} from '@crucible/prompting';
import type { RetrieverService } from '@crucible/protos/retriever/v1';
import type { SandboxService } from '@crucible/protos/sandbox/v1';
import type { Client } from '@crucible/rpc';
import type { Models, ResolvedModel } from './models.ts';
import type { RunPlan } from './run-session.ts';
import type { OfferedTool, ToolSources } from './tool-sources.ts';

export interface PlanServices {
  readonly models: Models;
  readonly retriever: Client<typeof RetrieverService>;
  readonly sandbox: Client<typeof SandboxService>;
  readonly tools: ToolSources;
}

export interface ResolvedPlan extends AsyncDisposable {
  readonly plan: RunPlan;
  readonly model: ResolvedModel;
}

const dayMs = 24 * 60 * 60_000;
const askDeadline = 10_000;

/** The most of each; the least is 1, and 0 on the wire is the default. */
const most = {
  samples: 64,
  tools: 128,
  'knowledge.document_ids': 1000,
  rag_passages: 100,
  examples: 1000,
  'react.max_steps': 1000,
  'react.observation_tokens': 100_000,
  'limits.steps': 10_000,
  'limits.time_ms': dayMs,
  'limits.tokens': 100_000_000,
};

/** `model`: what was resolved when the run began; later the newest may be another. */
export async function resolvePlan(
  spec: RunSpec,
  services: PlanServices,
  signal: AbortSignal,
  modelName = spec.model ?? '',
): Promise<ResolvedPlan> {
  assertNumbers(spec);
  const strategy = createStrategy(spec.strategy, strategyOptions(spec));
  const { timeMs, ...limits } = resolveLimits(spec.limits ?? {});
  const { knowledge } = spec;
  if (strategy.needs.includes('retriever') && !knowledge)
    throw new CrucibleError('failed-precondition', `knowledge: ${spec.strategy} searches, and no collection is named`, {
      at: 'knowledge',
    });
  const [model] = await Promise.all([
    services.models.resolve(modelName, spec.wording, signal),
    knowledge && assertCollection(services.retriever, knowledge.collection, signal),
  ]);
  const tools = await openTools(strategy, spec, services, model, signal);
  const { question, answer, system, history, sampling } = spec;
  const plan: RunPlan = {
    strategy,
    task: { question, ...(answer && { answer }), ...(system !== undefined && { system }), ...(history && { history }) },
    options: { limits, ...(sampling && { sampling }) },
    timeMs,
    services: {
      model: model.model,
      ...(knowledge && { retriever: createCollectionRetriever(services.retriever, knowledge) }),
      code: createSandboxRunner(services.sandbox),
    },
    tools: (recorded) => tools?.make(recorded) ?? [],
  };
  try {
    assertPossible(plan);
  } catch (reason) {
    await tools?.[Symbol.asyncDispose]();
    throw reason;
  }
  return { model, plan, [Symbol.asyncDispose]: async () => tools?.[Symbol.asyncDispose]() };
}

/** Nothing begins before its first step is asked for. */
function assertPossible({ strategy, task, options, services, tools }: RunPlan): void {
  const keepPicture = (): never => {
    throw new CrucibleError('internal', 'these tools are not used');
  };
  const offered = (): readonly OfferedTool[] => tools({ ...services, keepPicture });
  runStrategy(strategy, task, { ...services, tools: () => offered().map(({ tool }) => tool) }, options);
}

async function openTools(
  { needs }: Strategy,
  { tools: names, knowledge, pictures = false }: RunSpec,
  services: PlanServices,
  { model }: ResolvedModel,
  signal: AbortSignal,
) {
  if (!needs.includes('tools')) return undefined;
  const isForged = model.wording === 'forged';
  return services.tools.open({ names, hasKnowledge: knowledge !== undefined, isForged, pictures, signal });
}

function strategyOptions({ examples = [], choice, samples, react, ragPassages }: RunSpec): StrategyOptions {
  return {
    examples: checkedExamples(examples),
    ...(choice && { choice }),
    ...(samples !== undefined && { samples }),
    ...(react && { react }),
    ...(ragPassages !== undefined && { rag: { passages: ragPassages } }),
  };
}

/** As the lines of a file: solutions of GSM8K are taken apart, and what is missing is named with its place. */
function checkedExamples(examples: readonly Example[]): readonly Example[] {
  return examples.length === 0
    ? []
    : parseExamples(examples.map((each) => JSON.stringify(each)).join('\n'), 'examples');
}

function assertNumbers(spec: RunSpec): void {
  const { limits = {}, react = {} } = spec;
  const given: Partial<Record<keyof typeof most, number | undefined>> = {
    samples: spec.samples,
    tools: spec.tools?.length,
    'knowledge.document_ids': spec.knowledge?.documents?.length,
    rag_passages: spec.ragPassages,
    examples: spec.examples?.length,
    'react.max_steps': react.maxSteps,
    'react.observation_tokens': react.observationTokens,
    'limits.steps': limits.steps,
    'limits.time_ms': limits.timeMs,
    'limits.tokens': limits.tokens,
  };
  for (const [at, value = 0] of Object.entries(given))
    if (value > most[at as keyof typeof most])
      throw invalidInput(`${at}: ${value} is above ${most[at as keyof typeof most]}`, { at });
}

async function assertCollection(
  retriever: Client<typeof RetrieverService>,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { collections } = await retriever.listCollections({}, { deadlineMs: askDeadline, signal });
  const wanted = name === '' ? 'default' : name;
  if (!collections.some((collection) => collection.name === wanted))
    throw new CrucibleError(
      'not-found',
      `knowledge.collection: there is no ${JSON.stringify(wanted)}; there are ${collections.map((each) => each.name).join(', ') || 'none'}`,
      { at: 'knowledge.collection' },
    );
}
