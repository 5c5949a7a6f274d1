/**
 * The closed catalogue of events: every type, the shape of its data, and the work queues that some types feed.
 * docs/asyncapi.yaml says the same for readers in other languages; a test holds the two together.
 *
 * Data may gain fields: readers let fields pass that they do not know. Types and fields are never renamed or removed.
 */
import { z } from 'zod';

const name = z.string().min(1);
const count = z.int().min(0);
const jobId = name.describe('The job, as the trainer knows it.');
const kind = name.describe('What the job does: forge, pretrain, sft, reward, ppo, or a kind added later.');
const metrics = z.record(z.string(), z.number()).describe('Figures by name: loss, learning_rate, … Finite numbers.');
const model = name.describe('The name of the model in the registry.');
const version = z.int().min(1).describe('The version of the model; versions of a name count up from 1.');
const uri = z
  .string()
  .regex(/^(file|s3):\/\/./, 'must begin with file:// or s3://')
  .describe('Where it is: file:// or s3://.');
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits')
  .describe('Digest of the content, 64 lower-case hexadecimal digits.');
const tokens = z.array(count).describe('Token ids.');
const conversation = z
  .array(z.object({ role: name, content: z.string() }))
  .min(1)
  .describe('The messages up to the answer.');

/** The data of every event type. */
export const eventData = {
  'crucible.job.submitted': z
    .object({
      jobId,
      kind,
      spec: z.record(z.string(), z.unknown()).describe('The specification of the job, in the words of its kind.'),
    })
    .describe('A job waits to be done. Feeds the queue `jobs`.'),
  'crucible.job.started': z
    .object({
      jobId,
      kind,
      attempt: z.int().min(1).describe('How often the job has been started, this time included.'),
    })
    .describe('A worker has begun a job, for the first time or again.'),
  'crucible.job.progress': z
    .object({
      jobId,
      kind,
      stage: name.describe('The stage that runs: tokenizer, pretrain, sft, reward, ppo, …'),
      step: count.describe('Steps of the stage that are done.'),
      steps: count.describe('Steps of the stage in all; 0 while unknown.'),
      metrics,
      message: z.string().optional().describe('For a person.'),
    })
    .describe('A job has come further.'),
  'crucible.job.completed': z
    .object({
      jobId,
      kind,
      outputs: z
        .object({ models: z.array(name).describe('As name@version, in the order of publishing.') })
        .describe('What the job made.'),
      metrics,
    })
    .describe('A job is done.'),
  'crucible.job.failed': z
    .object({
      jobId,
      kind,
      code: name.describe('One of the error codes of libs/foundation: invalid-input, resource-exhausted, …'),
      message: z.string().describe('For a person.'),
    })
    .describe('A job has ended without success and is not tried again.'),
  'crucible.job.cancelled': z
    .object({ jobId, kind, reason: z.string().optional().describe('For a person.') })
    .describe('A job was cancelled before its end.'),
  'crucible.rollout.requested': z
    .object({
      rolloutId: name.describe('The request; the completed event names it again.'),
      jobId,
      model,
      version,
      prompts: z.array(tokens).min(1).describe('Prompts as token ids.'),
      samples: z.int().min(1).describe('Answers to draw for each prompt.'),
      sampling: z
        .object({
          maxTokens: z.int().min(1).describe('The most tokens of an answer.'),
          temperature: z.number().min(0).describe('0: the most probable token always.'),
          topP: z.number().gt(0).max(1).optional().describe('1 by default: all tokens.'),
          seed: count.describe('The same seed draws the same answers from the same weights.'),
        })
        .describe('How to draw.'),
    })
    .describe('Answers of a policy are wanted to learn from. Feeds the queue `rollouts`.'),
  'crucible.rollout.completed': z
    .object({
      rolloutId: name.describe('The request that this answers.'),
      jobId,
      model,
      version: version.describe('The version that the answers were drawn from.'),
      uri: uri.describe('The trajectories: file:// or s3://.'),
      samples: count.describe('Answers in all.'),
      tokens: count.describe('Tokens of the answers in all.'),
      metrics,
    })
    .describe('The answers that were asked for are there.'),
  'crucible.weights.published': z
    .object({
      model,
      version,
      uri: uri.describe('The checkpoint folder: file:// or s3://.'),
      stage: name.describe('The training stage that made the weights: pretrain, sft, reward, ppo, import, …'),
      step: count.describe('The step of the stage after which they were taken.'),
      parent: name.optional().describe('The model that training began from, as name@version.'),
      sha256: sha256.optional(),
    })
    .describe('A model has new weights, ready to be loaded.'),
  'crucible.feedback.rated': z
    .object({
      conversationId: name,
      messageId: name.describe('The answer that was rated.'),
      model,
      version,
      prompt: conversation,
      answer: z.string(),
      rating: z.number().min(-1).max(1).describe('From -1 (bad) to 1 (good).'),
      comment: z.string().optional().describe('In the words of who rated.'),
    })
    .describe('Somebody has rated an answer.'),
  'crucible.feedback.ranked': z
    .object({
      conversationId: name,
      prompt: conversation,
      answers: z
        .array(z.object({ text: z.string(), model, version }))
        .min(2)
        .describe('The best first.'),
      comment: z.string().optional().describe('In the words of who ranked.'),
    })
    .describe('Somebody has put several answers to one prompt in order.'),
  'crucible.ingest.requested': z
    .object({
      jobId: name.describe('The job, as the retriever knows it.'),
      spec: z.record(z.string(), z.unknown()).describe('A crucible.retriever.v1.JobSpec as JSON.'),
    })
    .describe('Documents or an embedder wait to be worked on by the retriever. Feeds the queue `ingests`.'),
  'crucible.document.ingested': z
    .object({
      documentId: name,
      collection: name,
      title: z.string(),
      uri: z.string().optional().describe('Where it came from.'),
      passages: count.describe('Passages it was cut into.'),
      sha256: sha256.optional(),
    })
    .describe('A document can be found by retrieval.'),
  'crucible.document.deleted': z
    .object({ documentId: name, collection: name })
    .describe('A document cannot be found any more.'),
  'crucible.program.executed': z
    .object({
      runId: name.describe('The run, as its caller or the sandbox named it.'),
      boundary: name.describe('What held the program: bubblewrap, pyodide.'),
      outcome: name.describe('ok, error, timeout, memory, output_limit, killed or cancelled.'),
      exitCode: count.optional().describe('Where the program ended by itself.'),
      wallMs: count.describe('Milliseconds in all.'),
      cpuMs: count.describe('Milliseconds of processor time.'),
      peakMemoryBytes: count.describe('The most memory at a time.'),
      outputBytes: count.describe('Bytes of standard output and standard error.'),
    })
    .describe('The sandbox has run a program to its end. What the program was and said is not told.'),
  'crucible.agent.step': z
    .object({
      runId: name.describe('The run of the actor that took the step.'),
      strategy: name.describe('cot, rag, pal, react, …'),
      step: z.int().min(1).describe('Rises within a run; pieces of text, which are not published, count too.'),
      kind: name.describe('prompt, completion, thought, action, observation, program, passages, answer, end, …'),
      content: z.string().describe('For a person, at most 100,000 characters; the run itself has all of it.'),
      tool: name.optional().describe('The tool that an action calls.'),
    })
    .describe('The actor has taken a step of a run.'),
} as const satisfies Record<`crucible.${string}.${string}`, z.ZodObject>;

export type EventType = keyof typeof eventData;

export type EventData<T extends EventType> = z.infer<(typeof eventData)[T]>;

export const eventTypes = Object.keys(eventData) as EventType[];

type FamilyOf<T extends EventType> = T extends `crucible.${infer F}.${string}` ? F : never;

/** A type, all types of a family (`crucible.job.*`), or all (`crucible.>`), written as NATS writes them. */
export type EventPattern = EventType | `crucible.${FamilyOf<EventType>}.*` | 'crucible.>';

/** The types that a pattern stands for. */
export type TypesOf<P extends EventPattern> = P extends 'crucible.>'
  ? EventType
  : P extends `crucible.${infer F}.*`
    ? Extract<EventType, `crucible.${F}.${string}`>
    : P;

/**
 * Work queues: an event of the type is, besides being a fact for every subscriber, a piece of work for one worker of
 * the queue.
 */
export const queues = {
  jobs: 'crucible.job.submitted',
  rollouts: 'crucible.rollout.requested',
  ingests: 'crucible.ingest.requested',
} as const satisfies Record<string, EventType>;

export type QueueName = keyof typeof queues;

export const queueNames = Object.keys(queues) as QueueName[];

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventData, type);
}

/** The queue that events of the type feed. */
export function queueOf(type: EventType): QueueName | undefined {
  return queueNames.find((queue) => queues[queue] === type);
}

/** The types that the patterns stand for, in the order of the catalogue; empty when one of them stands for none. */
export function typesFromPatterns(patterns: readonly string[]): EventType[] {
  const matches = patterns.map((pattern) => eventTypes.filter((type) => matchesPattern(type, pattern)));
  return matches.some((types) => types.length === 0) ? [] : eventTypes.filter((type) => matches.flat().includes(type));
}

function matchesPattern(type: EventType, pattern: string): boolean {
  const family = type.slice(0, type.lastIndexOf('.'));
  return pattern === type || pattern === `${family}.*` || pattern === 'crucible.>';
}
