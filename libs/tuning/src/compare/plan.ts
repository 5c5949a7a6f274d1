/** The plan of a comparison as a person writes it, and the presets. */
import { labelledTasks, type LabelledTask } from '@crucible/data';
import { invalidInput } from '@crucible/foundation';
import { parseTemplate } from '../template.ts';
import { type MethodName, methodNames, usualSeeds } from '../tune.ts';
import type { LabelWords } from '../verbalizer.ts';
import type { ComparedTask, ComparisonSettings, ModelRole, Shots } from './comparison.ts';

/** Tuning on instructions is compared as a model, before and after: it learns nothing of the task. */
export const comparedMethods: readonly MethodName[] = methodNames.filter((name) => name !== 'instruction');

/** `quick`: minutes; `whole`: under an hour, on two cores with the small models that are made here. */
export const comparisonPresets = {
  quick: {
    methods: [
      'zero-shot',
      'head-only',
      'fine-tuning',
      'prompt',
      'soft-tokens',
      'in-context',
      'lora',
      'soft-prompt',
      'full',
    ],
    shots: [4, 16],
    seeds: usualSeeds.slice(0, 3),
    steps: 40,
    allSteps: 200,
    rows: 16,
    rates: [1],
    testTexts: 200,
    threads: 0,
  },
  whole: {
    methods: comparedMethods,
    shots: [1, 4, 16, 64, 'all'],
    seeds: usualSeeds,
    steps: 60,
    allSteps: 600,
    rows: 16,
    rates: [0.3, 1, 3],
    testTexts: 1000,
    threads: 0,
  },
} as const satisfies Record<string, ComparisonSettings>;

export type ComparisonPreset = keyof typeof comparisonPresets;

/** What a plan file may say; what it does not is the preset's, or the command's. */
export interface ComparisonPlan {
  readonly task?: ComparedTask;
  readonly transfer?: readonly ComparedTask[];
  /** Models of the registry, NAME or NAME@VERSION. */
  readonly encoders?: readonly string[];
  readonly decoders?: readonly string[];
  readonly instructed?: readonly string[];
  readonly corpus?: readonly string[];
  readonly settings: Partial<ComparisonSettings>;
}

const roles = ['encoder', 'decoder', 'instructed'] as const;

/** Reads a plan, JSON; `file` is named in errors, and paths of files are as the plan has them. */
export function parseComparisonPlan(json: string, file: string): ComparisonPlan {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (reason) {
    throw invalidInput(`${file}: it is not JSON: ${(reason as Error).message}`, { at: file, cause: reason });
  }
  const reader = new Reader(file);
  const plan = reader.object(value, '', [
    ...['task', 'transfer', 'encoders', 'decoders', 'instructed', 'corpus'],
    ...Object.keys(comparisonPresets.whole),
  ]);
  const { task, transfer, encoders, decoders, instructed, corpus, ...settings } = plan;
  return {
    ...(task !== undefined && { task: reader.task(task, 'task') }),
    ...(transfer !== undefined && {
      transfer: reader.list(transfer, 'transfer').map((one, i) => reader.task(one, `transfer[${i}]`)),
    }),
    ...(encoders !== undefined && { encoders: reader.texts(encoders, 'encoders') }),
    ...(decoders !== undefined && { decoders: reader.texts(decoders, 'decoders') }),
    ...(instructed !== undefined && { instructed: reader.texts(instructed, 'instructed') }),
    ...(corpus !== undefined && { corpus: reader.texts(corpus, 'corpus') }),
    settings: checkedSettings(settings, (what, at) => reader.fail(what, at)),
  };
}

type Fail = (what: string, at: string) => never;

/** Throws where a setting is none, or makes no sense. */
export function checkedSettings(given: Readonly<Record<string, unknown>>, fail: Fail): Partial<ComparisonSettings> {
  const numbers = (at: string, least: number, isWhole: boolean): void => {
    const list = given[at];
    if (!Array.isArray(list) || list.length === 0) fail('a list of numbers is needed', at);
    for (const one of list as unknown[]) number(one, at, least, isWhole);
    if (new Set(list as unknown[]).size < (list as unknown[]).length) fail('the same stands there twice', at);
  };
  const number = (value: unknown, at: string, least: number, isWhole: boolean): void => {
    const isFit = typeof value === 'number' && (isWhole ? Number.isInteger(value) && value >= least : value > least);
    if (!isFit)
      fail(
        `it is ${JSON.stringify(value)}; a ${isWhole ? `whole number from ${least}` : `number above ${least}`} is needed`,
        at,
      );
  };
  for (const [name, value] of Object.entries(given)) {
    switch (name) {
      case 'methods': {
        const list: readonly unknown[] = Array.isArray(value) ? value : [];
        if (list.length === 0) fail('a list of methods is needed', name);
        const unknown = list.find((one) => !comparedMethods.includes(one as MethodName));
        if (unknown !== undefined)
          fail(`${JSON.stringify(unknown)} is no method; there are ${comparedMethods.join(', ')}`, name);
        break;
      }
      case 'shots': {
        const list: readonly unknown[] = Array.isArray(value) ? value : [];
        if (list.length === 0) fail('a list of numbers, or "all", is needed', name);
        for (const one of list) if (one !== 'all') number(one, name, 1, true);
        break;
      }
      case 'seeds':
        numbers(name, 0, true);
        break;
      case 'rates':
        numbers(name, 0, false);
        break;
      case 'threads':
        number(value, name, 0, true);
        break;
      case 'steps':
      case 'allSteps':
      case 'rows':
      case 'testTexts':
        number(value, name, 1, true);
        break;
      default:
        fail(`it does not exist; there are ${Object.keys(comparisonPresets.whole).join(', ')}`, name);
    }
  }
  return given;
}

/** Examples of each label by rising number, `all` last. */
export function sortedShots(shots: readonly Shots[]): Shots[] {
  const order = (one: Shots): number => (one === 'all' ? Infinity : one);
  return [...new Set(shots)].sort((a, b) => order(a) - order(b));
}

/** Reads untrusted JSON; what is wrong is said with its place. */
class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  fail(what: string, at: string): never {
    throw invalidInput(`${this.#file}${at === '' ? '' : `: ${at}`}: ${what}`, { at: `${this.#file}:${at}` });
  }

  object(value: unknown, at: string, allowed: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return this.fail('an object is needed', at);
    const other = Object.keys(value).find((key) => !allowed.includes(key));
    if (other !== undefined) this.fail(`${other} is not known; there are ${allowed.join(', ')}`, at);
    return value as Record<string, unknown>;
  }

  text(value: unknown, at: string): string {
    return typeof value === 'string' && value !== '' ? value : this.fail('a text is needed', at);
  }

  list(value: unknown, at: string): readonly unknown[] {
    return Array.isArray(value) ? (value as unknown[]) : this.fail('a list is needed', at);
  }

  texts(value: unknown, at: string): string[] {
    return this.list(value, at).map((one, i) => this.text(one, `${at}[${i}]`));
  }

  task(value: unknown, at: string): ComparedTask {
    if (typeof value === 'string') return { name: value, source: { world: this.#world(value, at) } };
    const given = this.object(value, at, ['name', 'world', 'train', 'dev', 'test', 'words', 'templates']);
    if ((given['world'] === undefined) === (given['train'] === undefined))
      this.fail('either world, the name of a built-in task, or train, a file, is needed', at);
    const source =
      given['world'] === undefined
        ? { files: this.#files(given, at) }
        : { world: this.#world(this.text(given['world'], `${at}.world`), `${at}.world`) };
    const name = given['name'] ?? given['world'] ?? (given['train'] as string).split(/[/\\]/).at(-1)!.split('.')[0];
    return {
      name: this.text(name, `${at}.name`),
      source,
      ...(given['words'] !== undefined && { words: this.#words(given['words'], `${at}.words`) }),
      ...(given['templates'] !== undefined && { templates: this.#templates(given['templates'], `${at}.templates`) }),
    };
  }

  #files(given: Readonly<Record<string, unknown>>, at: string) {
    const file = (key: 'train' | 'dev' | 'test') =>
      given[key] === undefined ? {} : { [key]: this.text(given[key], `${at}.${key}`) };
    return { train: this.text(given['train'], `${at}.train`), ...file('dev'), ...file('test') };
  }

  #world(name: string, at: string): LabelledTask {
    if (!Object.hasOwn(labelledTasks, name))
      this.fail(`${name} is no task of the built-in world; there are ${Object.keys(labelledTasks).join(', ')}`, at);
    return name as LabelledTask;
  }

  #words(value: unknown, at: string): LabelWords {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return this.fail('an object is needed', at);
    return Object.fromEntries(
      Object.entries(value).map(([label, words]) => [label, this.texts(words, `${at}.${label}`)]),
    );
  }

  #templates(value: unknown, at: string): Partial<Record<ModelRole, string>> {
    const given = this.object(value, at, roles);
    for (const [role, text] of Object.entries(given)) parseTemplate(this.text(text, `${at}.${role}`));
    return given;
  }
}
