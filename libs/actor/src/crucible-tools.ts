/** What Crucible can do for other models: `retrieve`, `run_python` and `ask`, over its services. */
import { createCollectionRetriever, createSandboxRunner } from '@crucible/chat-models';
import { CrucibleError } from '@crucible/foundation';
import { createPythonTool, type Passage, type Step, strategyNames, type Tool } from '@crucible/prompting';
import type { ActorService } from '@crucible/protos/actor/v1';
import type { RetrieverService } from '@crucible/protos/retriever/v1';
import type { SandboxService } from '@crucible/protos/sandbox/v1';
import type { Client } from '@crucible/rpc';
import { openRun } from './open-run.ts';
import type { RunSpec } from './run-spec.ts';

export interface CrucibleClients {
  readonly actor: Client<typeof ActorService>;
  readonly retriever: Client<typeof RetrieverService>;
  readonly sandbox: Client<typeof SandboxService>;
}

const defaultPassages = 5;
const mostPassages = 20;

const collection = { type: 'string', description: 'of documents; default: "default"' } as const;

export function createCrucibleTools({ actor, retriever, sandbox }: CrucibleClients): Tool[] {
  const python = createPythonTool(createSandboxRunner(sandbox));
  return [
    {
      name: 'retrieve',
      description: 'finds passages of the documents in Crucible, best first, with the places they come from',
      parameters: {
        type: 'object',
        properties: {
          query: { type: 'string', minLength: 1 },
          collection,
          limit: { type: 'integer', minimum: 1, maximum: mostPassages, description: `default: ${defaultPassages}` },
        },
        required: ['query'],
        additionalProperties: false,
      },
      run: async ({ query, collection: name = '', limit = defaultPassages }, { signal }) => {
        const search = createCollectionRetriever(retriever, { collection: String(name) }).search;
        const passages = await search(String(query), { limit: Number(limit), signal });
        return { text: passages.length === 0 ? 'Nothing was found.' : passages.map(shown).join('\n\n'), passages };
      },
    },
    {
      name: 'run_python',
      description:
        'runs a Python program in a sandbox, without network, and shows what it prints, or the value of its last line; nothing is kept between runs',
      parameters: {
        type: 'object',
        properties: { code: { type: 'string', minLength: 1 } },
        required: ['code'],
        additionalProperties: false,
      },
      run: ({ code }, options) => python.run({ expression: code }, options),
    },
    {
      name: 'ask',
      description: 'asks a model of Crucible by a strategy, and shows its answer',
      parameters: {
        type: 'object',
        properties: {
          question: { type: 'string', minLength: 1 },
          strategy: { type: 'string', enum: [...strategyNames], description: 'default: direct' },
          model: { type: 'string', description: 'default: the newest' },
          collection: { ...collection, description: 'that rag and react search; default: none' },
        },
        required: ['question'],
        additionalProperties: false,
      },
      run: async (input, { signal }) => {
        // It fits the schema.
        const { question, strategy = 'direct', model, collection: name } = input as Readonly<Record<string, string>>;
        const spec = { question: question!, strategy, ...(model !== undefined && { model }) };
        const knowledge = name === undefined ? {} : { knowledge: { collection: name } };
        return { text: await answerTo(actor, { ...spec, ...knowledge }, signal) };
      },
    },
  ];
}

function shown({ document, text, start, end }: Passage, i: number): string {
  const title = document.title === '' ? '' : `${document.title}, `;
  return `[${i + 1}] (${title}${document.id}, ${start}-${end}) ${text}`;
}

async function answerTo(actor: CrucibleClients['actor'], spec: RunSpec, signal: AbortSignal): Promise<string> {
  const run = openRun(actor, spec, { signal });
  let answer: Extract<Step, { readonly kind: 'answer' }> | undefined;
  let end: Extract<Step, { readonly kind: 'end' }> | undefined;
  for await (const event of run) {
    // Whoever asks over MCP is a model; it allows nothing.
    if (event.kind === 'approval') run.decide(event.callId, { approved: false, reason: 'nobody is there to allow it' });
    else if (event.kind === 'step' && event.step.kind === 'answer') answer = event.step;
    else if (event.kind === 'step' && event.step.kind === 'end') end = event.step;
  }
  if (end?.error) throw new CrucibleError(end.error.code, end.error.message);
  if (answer === undefined || answer.text === '')
    throw new CrucibleError('failed-precondition', `no answer came out (${end?.reason ?? 'broken off'})`);
  return answer.partial ? `${answer.text}\n(broken off: ${end?.reason ?? ''})` : answer.text;
}
