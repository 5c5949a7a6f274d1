/** Steps as events for everybody. */
import { type Bus, createEvent } from '@crucible/bus';
import { CrucibleError } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';

/** Of the content; the run itself has all of it. */
const mostCharacters = 100_000;

export class StepEvents {
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #underway = new Set<Promise<void>>();

  constructor(bus: Bus, log: Logger) {
    this.#bus = bus;
    this.#log = log;
  }

  publish(runId: string, step: Step): void {
    const tool = step.kind === 'action' && step.tool !== '' ? { tool: step.tool } : {};
    const content = contentOf(step).slice(0, mostCharacters).toWellFormed();
    const data = { runId, strategy: step.strategy, step: step.number, kind: step.kind, content, ...tool };
    const published = this.#bus
      .publish(createEvent('crucible.agent.step', { source: '/actor', subject: runId, data }))
      .then(
        () => undefined,
        (reason: unknown) =>
          this.#log.warn({ runId, error: CrucibleError.from(reason).message }, 'an event was not published'),
      )
      .finally(() => this.#underway.delete(published));
    this.#underway.add(published);
  }

  /** Resolves once all that was given is published, or given up. */
  async flush(): Promise<void> {
    await Promise.all(this.#underway);
  }
}

/** For a person who follows. */
function contentOf(step: Step): string {
  switch (step.kind) {
    case 'prompt':
      return step.messages.at(-1)?.content ?? '';
    case 'text':
    case 'completion':
    case 'thought':
    case 'observation':
    case 'answer':
      return step.text;
    case 'examples':
      return step.chosen.join('\n');
    case 'action':
      return JSON.stringify(step.input);
    case 'program':
      return step.program;
    case 'program-result':
      return step.value ?? `${step.stdout}${step.stderr}`;
    case 'passages':
      return step.query;
    case 'vote':
      return step.votes.map(({ key, count }) => `${key}: ${count}`).join('\n');
    case 'fall-back':
      return `${step.to}: ${step.reason}`;
    case 'notice':
      return `${step.what}: ${step.text}`;
    case 'end':
      return step.error ? `${step.reason}: ${step.error.message}` : step.reason;
  }
}
