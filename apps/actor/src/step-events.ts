/**
 * Steps as events for everybody. They are on the disk of the run already, so nobody waits for them: those of a few
 * milliseconds go out together, most often while the model writes. What a crash kept from going out goes out with the resumed
 * run, under the same ids.
 */
import { type Bus, createEvent } from '@crucible/bus';
import { CrucibleError } from '@crucible/foundation';
import type { Step } from '@crucible/prompting';
import type { Logger } from '@crucible/service';

/** Of the content; the run itself has all of it. */
const mostCharacters = 100_000;
/** For which steps are collected. */
const pauseMs = 10;

export interface PublishedRun {
  readonly runId: string;
  readonly createdAt: number;
  /** Steps up to this one need no publishing any more. */
  readonly onPublished: (step: number) => void;
}

interface Waiting {
  readonly run: PublishedRun;
  readonly step: Step;
  readonly time: string;
}

export class StepEvents {
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Resolves once all that went out is published, or given up. */
  #settled: Promise<unknown> = Promise.resolve();

  constructor(bus: Bus, log: Logger) {
    this.#bus = bus;
    this.#log = log;
  }

  publish(run: PublishedRun, step: Step): void {
    this.#waiting.push({ run, step, time: new Date().toISOString() });
    // Of a run that is over, nothing is made up for.
    if (step.kind === 'end') this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), pauseMs);
  }

  /** Resolves once all that was given is published, or given up. */
  async flush(): Promise<void> {
    this.#send();
    await this.#settled;
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting.splice(0);
    const last = new Map(batch.map(({ run, step }) => [run, step.number]));
    this.#settled = Promise.all([this.#settled, ...batch.map((each) => this.#publish(each))]).then(() => {
      for (const [run, step] of last) this.#note(run, step);
    });
  }

  /** What is not noted is published again when the run is resumed. */
  #note({ runId, onPublished }: PublishedRun, step: number): void {
    try {
      onPublished(step);
    } catch (reason) {
      this.#log.warn({ runId, error: CrucibleError.from(reason).message }, 'it was not noted what is published');
    }
  }

  async #publish({ run: { runId, createdAt }, step, time }: Waiting): Promise<void> {
    const tool = step.kind === 'action' && step.tool !== '' ? { tool: step.tool } : {};
    const content = contentOf(step).slice(0, mostCharacters).toWellFormed();
    const data = { runId, strategy: step.strategy, step: step.number, kind: step.kind, content, ...tool };
    const id = `${runId}/${createdAt}/${step.number}`;
    try {
      await this.#bus.publish(createEvent('crucible.agent.step', { id, time, source: '/actor', subject: runId, data }));
    } catch (reason) {
      this.#log.warn({ runId, error: CrucibleError.from(reason).message }, 'an event was not published');
    }
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
