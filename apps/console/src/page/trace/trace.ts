/**
 * The steps of a run put together for people: what a model was asked and what it wrote are one entry, which grows while
 * it writes; samples that are drawn side by side are groups. Entries are replaced when they change and stay the same
 * objects otherwise, so that what has not changed need not be drawn again.
 */
import type { ChatMessage, Step, ToolCall } from '@crucible/prompting';

type Kind = Step['kind'];
type StepOf<K extends Kind> = Extract<Step, { readonly kind: K }>;

/** One of the answers to one prompt. */
interface Completion {
  readonly text: string;
  /** Undefined: it is being written. */
  readonly finish: StepOf<'completion'>['finish'] | undefined;
  readonly toolCalls: readonly ToolCall[];
}

export interface CallEntry {
  readonly kind: 'call';
  readonly key: number;
  readonly elapsedMs: number;
  readonly call: number;
  readonly purpose: string;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly completions: readonly Completion[];
  /** A later entry says what the text said: its thought, its action, its program. */
  readonly restated: boolean;
}

export type ShownStep = Exclude<Step, { readonly kind: 'prompt' | 'text' | 'completion' | 'end' }>;

export interface StepEntry {
  readonly kind: 'step';
  readonly key: number;
  readonly elapsedMs: number;
  readonly step: ShownStep;
}

export type Entry = CallEntry | StepEntry;

export interface Group {
  readonly kind: 'group';
  readonly key: number;
  readonly sample: readonly number[];
  readonly strategy: string;
  readonly entries: readonly Entry[];
}

export interface TraceView {
  readonly rows: readonly (Entry | Group)[];
  readonly steps: number;
  /** Of the last step. */
  readonly elapsedMs: number;
  /** The run's answer. */
  readonly answer: StepOf<'answer'> | undefined;
  readonly end: StepOf<'end'> | undefined;
  /** What is going on. */
  readonly doing: string;
}

/** Where an entry is: in the rows, or in a group among them. */
interface Slot {
  readonly group: number | undefined;
  readonly index: number;
}

const restating: ReadonlySet<Kind> = new Set(['thought', 'action', 'program', 'answer']);

export class Trace {
  readonly #rows: (Entry | Group)[] = [];
  readonly #groups = new Map<string, number>();
  readonly #calls = new Map<number, Slot>();
  #lastCall = new Map<string, number>();
  #steps = 0;
  #last = 0;
  #elapsedMs = 0;
  #answer: StepOf<'answer'> | undefined;
  #end: StepOf<'end'> | undefined;
  #doing = 'Starting';
  /** Texts that grow, by call and answer, joined when somebody looks. */
  readonly #growing = new Map<number, Map<number, string[]>>();

  /** Steps that have been seen already are passed over: a stream may be taken up again. */
  add(step: Step): void {
    if (step.number <= this.#last) return;
    this.#last = step.number;
    this.#steps++;
    this.#elapsedMs = step.elapsedMs;
    this.#doing = doing(step) ?? this.#doing;
    switch (step.kind) {
      case 'prompt':
        this.#addCall(step);
        break;
      case 'text': {
        const texts = this.#growing.get(step.call) ?? new Map<number, string[]>();
        this.#growing.set(step.call, texts);
        const pieces = texts.get(step.answer);
        if (pieces) pieces.push(step.text);
        else texts.set(step.answer, [step.text]);
        break;
      }
      case 'completion':
        this.#complete(step);
        break;
      case 'end':
        this.#end = step;
        break;
      default:
        if (restating.has(step.kind)) this.#restate(step);
        if (step.kind === 'answer' && step.sample === undefined) this.#answer = step;
        this.#append(step, { kind: 'step', key: step.number, elapsedMs: step.elapsedMs, step });
    }
  }

  /** What there is now; later steps change nothing of it. */
  view(): TraceView {
    for (const [call, texts] of this.#growing) {
      this.#changeCall(call, (entry) => {
        const completions = [...entry.completions];
        for (const [answer, pieces] of texts) {
          const before = completions[answer] ?? blank;
          completions[answer] = { ...before, text: before.text + pieces.join('') };
        }
        return { ...entry, completions: filled(completions) };
      });
    }
    this.#growing.clear();
    return {
      rows: [...this.#rows],
      steps: this.#steps,
      elapsedMs: this.#elapsedMs,
      answer: this.#answer,
      end: this.#end,
      doing: this.#doing,
    };
  }

  get lastStep(): number {
    return this.#last;
  }

  #addCall(step: StepOf<'prompt'>): void {
    const { call, purpose, messages, maxTokens, number: key, elapsedMs } = step;
    const slot = this.#append(step, {
      kind: 'call',
      key,
      elapsedMs,
      call,
      purpose,
      messages,
      maxTokens,
      completions: [],
      restated: false,
    });
    this.#calls.set(call, slot);
    this.#lastCall.set(sampleKey(step), call);
  }

  #complete({ call, answer, text, finish, toolCalls = [] }: StepOf<'completion'>): void {
    // The whole text is in the completion.
    this.#growing.get(call)?.delete(answer);
    this.#changeCall(call, (entry) => {
      const completions = [...entry.completions];
      completions[answer] = { text, finish, toolCalls };
      return { ...entry, completions: filled(completions) };
    });
  }

  #restate(step: Step): void {
    const call = this.#lastCall.get(sampleKey(step));
    if (call === undefined) return;
    this.#changeCall(call, (entry) => (entry.restated ? entry : { ...entry, restated: true }));
  }

  #changeCall(call: number, change: (entry: CallEntry) => CallEntry): void {
    const slot = this.#calls.get(call);
    if (!slot) return;
    const { group, index } = slot;
    if (group === undefined) {
      this.#rows[index] = change(this.#rows[index] as CallEntry);
      return;
    }
    const owner = this.#rows[group] as Group;
    const entries = [...owner.entries];
    entries[index] = change(entries[index] as CallEntry);
    this.#rows[group] = { ...owner, entries };
  }

  #append(step: Step, entry: Entry): Slot {
    if (step.sample === undefined) return { group: undefined, index: this.#rows.push(entry) - 1 };
    const key = sampleKey(step);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { sample, strategy, number } = step;
      group = this.#rows.push({ kind: 'group', key: number, sample, strategy, entries: [] }) - 1;
      this.#groups.set(key, group);
    }
    const owner = this.#rows[group] as Group;
    this.#rows[group] = { ...owner, entries: [...owner.entries, entry] };
    return { group, index: owner.entries.length };
  }
}

/** Of several answers a later one may have begun before an earlier one. */
function filled(completions: readonly (Completion | undefined)[]): readonly Completion[] {
  return Array.from(completions, (each) => each ?? blank);
}

const blank: Completion = { text: '', finish: undefined, toolCalls: [] };

function sampleKey({ sample = [] }: Step): string {
  return sample.join('.');
}

/** What goes on after a step; undefined: the same as before. */
function doing(step: Step): string | undefined {
  switch (step.kind) {
    case 'prompt':
      return 'The model is writing';
    case 'action':
      return `Using ${step.tool}`;
    case 'program':
      return 'Running a program';
    case 'passages':
    case 'observation':
    case 'program-result':
      return 'The model is reading';
    case 'vote':
      return 'Counting votes';
    case 'end':
      return 'Done';
    default:
      return undefined;
  }
}

const knownKinds: ReadonlySet<string> = new Set<Kind>([
  'prompt',
  'text',
  'completion',
  'examples',
  'thought',
  'action',
  'observation',
  'program',
  'program-result',
  'passages',
  'vote',
  'fall-back',
  'notice',
  'answer',
  'end',
]);

/** A step as a gateway sends it; of a kind that this page does not know, or without a number: none. */
export function parseStep(value: unknown): Step | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, number, elapsedMs } = value as Partial<Record<string, unknown>>;
  const isStep =
    typeof kind === 'string' &&
    knownKinds.has(kind) &&
    typeof number === 'number' &&
    Number.isInteger(number) &&
    typeof elapsedMs === 'number';
  return isStep ? (value as Step) : undefined;
}
