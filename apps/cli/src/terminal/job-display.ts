/** Shows a job as it runs: a line a stage, redrawn in place on a terminal, written out now and then elsewhere. */
import { timestampDate } from '@bufbuild/protobuf/wkt';
import { type Job, type JobEvent, JobState } from '@crucible/protos/trainer/v1';
import { bar, compact, duration, styled } from './format.ts';

interface StageLine {
  readonly title: string;
  /** Metrics worth a place on the line, with how to say them. */
  readonly shown: readonly (readonly [metric: string, say: (value: number) => string])[];
}

const plain =
  (label: string, digits = 3) =>
  (value: number) =>
    `${label} ${value.toFixed(digits)}`;

const stageLines: Readonly<Record<string, StageLine>> = {
  tokenizer: { title: 'Tokenizer', shown: [] },
  pretrain: {
    title: 'A  pre-training',
    shown: [
      ['loss', plain('loss')],
      ['val_bpb', (value) => `held-out ${value.toFixed(3)} bits/byte`],
      ['tokens_per_s', (value) => `${compact(value)} tokens/s`],
    ],
  },
  mlm: {
    title: 'Masked words',
    shown: [
      ['loss', plain('loss')],
      ['val_masked_accuracy', (value) => `held-out ${(100 * value).toFixed(0)} % found`],
      ['tokens_per_s', (value) => `${compact(value)} tokens/s`],
    ],
  },
  sft: {
    title: 'B  fine-tuning',
    shown: [
      ['loss', plain('loss')],
      ['exact', (value) => `held-out ${(100 * value).toFixed(0)} % right`],
      ['tokens_per_s', (value) => `${compact(value)} tokens/s`],
    ],
  },
  reward: {
    title: 'C  reward model',
    shown: [
      ['loss', plain('loss')],
      ['val_accuracy', (value) => `held-out pairs ${(100 * value).toFixed(0)} % right`],
    ],
  },
  ppo: {
    title: 'D  reinforcement',
    shown: [
      ['objective/scores', plain('reward', 2)],
      ['objective/kl', plain('KL', 2)],
      ['exact', (value) => `held-out ${(100 * value).toFixed(0)} % right`],
    ],
  },
};

const order = Object.keys(stageLines);

interface Shown {
  readonly stage: string;
  step: number;
  steps: number;
  metrics: Readonly<Record<string, number>>;
  /** Seconds of the job at which the stage began, and was heard of last. */
  began: number;
  last: number;
  /** Step at which the stage was first heard of: more than 0 after a resumption. */
  firstStep: number;
}

export interface JobDisplayOptions {
  readonly stream?: NodeJS.WriteStream;
  /** Stages that will come, in their order. Default: only those that are heard of. */
  readonly expected?: readonly string[];
}

/** Of a terminal that does not tell its width, as some that are recorded or remote. */
const usualColumns = 80;

const shortestBar = 8;
const longestBar = 24;

/** Seconds between lines where the output is no terminal. */
const plainInterval = 10;

export class JobDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #expected: readonly string[];
  readonly #stages = new Map<string, Shown>();
  #current: string | undefined;
  #drawn = 0;
  #lastPlain = -Infinity;

  constructor({ stream = process.stderr, expected = [] }: JobDisplayOptions = {}) {
    this.#stream = stream;
    this.#expected = expected;
  }

  update({ occurredAt, event }: JobEvent): void {
    const seconds = timestampDate(occurredAt!).getTime() / 1000;
    if (event.case === 'stateChanged' && event.value.state === JobState.RUNNING && event.value.attempts > 1) {
      this.#say(`The job goes on from its last checkpoint (start ${event.value.attempts}).`);
    }
    if (event.case !== 'progressed') return;
    const { stage, step, steps, metrics, message } = event.value;
    if (message !== '') this.#say(message);
    if (!Object.hasOwn(stageLines, stage)) return;
    const known = this.#stages.get(stage);
    const shown = known ?? { stage, step, steps, metrics, began: seconds, last: seconds, firstStep: step };
    Object.assign(shown, { step, steps, metrics, last: seconds });
    this.#stages.set(stage, shown);
    const isNew = this.#current !== stage;
    this.#current = stage;
    if (this.#stream.isTTY) this.#redraw();
    else if (isNew || step === steps || seconds - this.#lastPlain >= plainInterval) {
      this.#lastPlain = seconds;
      this.#stream.write(`${this.#lines(shown, Infinity).join('\n')}\n`);
    }
  }

  /** Leaves the lines where they are; what is written next comes below. */
  finish(job: Job): void {
    if (job.finishedAt && job.startedAt) {
      const seconds = (timestampDate(job.finishedAt).getTime() - timestampDate(job.startedAt).getTime()) / 1000;
      this.#say(`${job.state === JobState.SUCCEEDED ? 'Done' : 'Ended'} after ${duration(seconds)}.`);
    }
    this.#drawn = 0;
  }

  #say(text: string): void {
    this.#clear();
    this.#stream.write(`${text}\n`);
    if (this.#stream.isTTY) this.#redraw();
  }

  #clear(): void {
    if (this.#stream.isTTY && this.#drawn > 0) this.#stream.write(`${escape}[${this.#drawn}A${escape}[0J`);
    this.#drawn = 0;
  }

  #redraw(): void {
    this.#clear();
    const waiting = this.#expected.filter((stage) => !this.#stages.has(stage));
    const names = [...this.#stages.keys(), ...waiting].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    const columns = (this.#stream.columns || usualColumns) - 1;
    const lines = names.flatMap((name) => {
      const shown = this.#stages.get(name);
      if (shown) return this.#lines(shown, columns);
      return [styled('dim', `  ${stageLines[name]!.title}`, this.#stream)];
    });
    this.#stream.write(`${lines.map((line) => cutVisible(line, columns)).join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** One line where that holds all, else the figures on a second. */
  #lines({ stage, step, steps, metrics, began, last, firstStep }: Shown, columns: number): string[] {
    const { title, shown } = stageLines[stage]!;
    const isDone = step >= steps && steps > 0;
    const share = steps === 0 ? 0 : step / steps;
    const elapsed = last - began;
    const rate = elapsed > 0 ? (step - firstStep) / elapsed : 0;
    const left = !isDone && rate > 0 ? ` (${duration((steps - step) / rate)} left)` : '';
    const said = shown.flatMap(([metric, say]) => (metrics[metric] === undefined ? [] : [say(metrics[metric])]));
    const figures = said.length === 0 ? '' : `  ${said.join('  ')}`;
    const counted = `${compact(step)}/${compact(steps)}`.padStart(11);
    const before = `${title.padEnd(17)} `;
    const after = ` ${counted}  ${duration(elapsed)}${left}`;
    const mark = isDone ? styled('green', '✓', this.#stream) : styled('yellow', '▸', this.#stream);
    const draw = (room: number, end: string): string =>
      `${mark} ${before}${bar(share, Math.max(shortestBar, Math.min(longestBar, room)))}${after}${end}`;
    const room = columns - 2 - before.length - after.length;
    const roomBeside = room - figures.length;
    if (roomBeside >= shortestBar) return [draw(roomBeside, figures)];
    return [draw(room, ''), `${' '.repeat(before.length)}${figures}`];
  }
}

const escape = '\u001b';
const escapeSequence = new RegExp(`(${escape}\\[[0-9;]*m)`);

/** Cuts a line to the terminal's width; escape sequences take no place. */
function cutVisible(line: string, width: number): string {
  let visible = 0;
  let result = '';
  for (const part of line.split(escapeSequence)) {
    if (part.startsWith(escape)) {
      result += part;
      continue;
    }
    const room = Math.max(0, width - visible);
    result += part.slice(0, room);
    visible += part.length;
  }
  return result;
}
