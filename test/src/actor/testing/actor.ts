/** An actor for tests, over a model that says what the test tells it to. */
import { type ActorRun, openRun, type RunEvent, type RunStart } from '@crucible/actor';
import { createActorService, parseActorConfig, type ActorDependencies } from '@crucible/actor-service';
import type { Bus } from '@crucible/bus';
import {
  type ScriptedServer,
  type ServedAnswer,
  type ServedRequest,
  startScriptedServer,
} from '@crucible/chat-models/testing';
import type { Step } from '@crucible/prompting';
import { ActorService } from '@crucible/protos/actor/v1';
import { type Client, createClient } from '@crucible/rpc';
import type { Service } from '@crucible/service';
import { recordingLogger } from '@crucible/service/testing';

type Answerer = (turn: number, request: ServedRequest) => ServedAnswer;

/** A model server whose answers depend on the question, which is somewhere in the conversation. */
export interface Scripts extends AsyncDisposable {
  readonly server: ScriptedServer;
  /** Answers by turn, from 1; an array has them in order, the last again and again. */
  readonly on: (question: string, answers: readonly ServedAnswer[] | Answerer) => void;
}

export async function startScripts(): Promise<Scripts> {
  const scripts = new Map<string, Answerer>();
  const server = await startScriptedServer((request) => {
    const asked = request.messages.map(({ content }) => content).join('\n');
    // The longest, where one question is part of another.
    const question = [...scripts.keys()].filter((each) => asked.includes(each)).sort((a, b) => b.length - a.length)[0];
    if (question === undefined) return 404;
    const turn = request.messages.filter(({ role }) => role === 'assistant').length + 1;
    return scripts.get(question)!(turn, request);
  });
  return {
    server,
    on: (question, answers) =>
      scripts.set(
        question,
        typeof answers === 'function' ? answers : (turn) => answers[Math.min(turn, answers.length) - 1]!,
      ),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Turns of ReAct: `Search[Ada]`, each a thought and an action. */
export function acting(...actions: readonly string[]): readonly ServedAnswer[] {
  return actions.map((action, i) => `Thought ${i + 1}: I go on.\nAction ${i + 1}: ${action}`);
}

export interface TestActor extends AsyncDisposable {
  readonly service: Service;
  readonly client: Client<typeof ActorService>;
  readonly log: ReturnType<typeof recordingLogger>;
  /** To the end of what is told; `onApproval` answers. */
  readonly run: (start: RunStart, onEvent?: (event: RunEvent, run: ActorRun) => unknown) => Promise<TestRun>;
}

export interface TestRun {
  readonly events: readonly RunEvent[];
  readonly steps: readonly Step[];
  readonly of: <K extends Step['kind']>(kind: K) => Extract<Step, { readonly kind: K }>[];
  readonly runId: string;
}

const nowhere = '127.0.0.1:1';

export async function startActor({
  home,
  scripts,
  config = {},
  ...more
}: {
  readonly home: string;
  readonly scripts: Scripts;
  /** Of the operator's file, beside the model `scripted`. */
  readonly config?: object;
  readonly bus?: Bus;
} & Partial<Omit<ActorDependencies, 'config' | 'log' | 'bus'>>): Promise<TestActor> {
  const log = recordingLogger();
  const models = { scripted: { url: scripts.server.url } };
  const service = await createActorService({
    home,
    policyTarget: nowhere,
    retrieverTarget: nowhere,
    sandboxTarget: nowhere,
    host: '127.0.0.1',
    port: 0,
    bus: undefined,
    ...more,
    config: parseActorConfig(JSON.stringify({ models, ...config }), 'actor.json'),
    log: log.log,
  });
  const client = createClient(ActorService, service.target);
  return {
    service,
    client,
    log,
    run: async (start, onEvent) => {
      const run = openRun(client, 'resume' in start ? start : { model: 'scripted', ...start });
      const events: RunEvent[] = [];
      for await (const event of run) {
        events.push(event);
        await onEvent?.(event, run);
      }
      return testRun(events);
    },
    [Symbol.asyncDispose]: async () => {
      client.close();
      await service.close(0);
    },
  };
}

export function testRun(events: readonly RunEvent[]): TestRun {
  const steps = events.flatMap((event) => (event.kind === 'step' ? [event.step] : []));
  return {
    events,
    steps,
    of: <K extends Step['kind']>(kind: K) =>
      steps.filter((step): step is Extract<Step, { readonly kind: K }> => step.kind === kind),
    runId: events[0]?.kind === 'started' ? events[0].runId : '',
  };
}
