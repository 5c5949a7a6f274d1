/** The grid of a comparison: which trainings it takes. */
import { methods, type MethodName } from '../tune.ts';
import type { Cell, CellPart, ComparedModel, Comparison, ComparisonSettings, ModelRole, Shots } from './comparison.ts';
import { sortedShots } from './plan.ts';

/** Solved examples of each label that are shown at most: more do not fit small contexts. */
const mostShown = 4;
/** Where sizes, numbers of parameters and models are compared, and learning rates are looked for: examples of each label. */
const usualShots = 16;
/** Draws the examples that learning rates are looked for with. */
const rateSeed = 7;

/** Virtual tokens and ranks with which adapters of a decoder have about as many parameters as one another. */
export interface EqualSizes {
  readonly parameters: number;
  readonly tokens: Readonly<Partial<Record<MethodName, number>>>;
}

export function methodsOf(role: ModelRole, { methods: chosen }: Pick<ComparisonSettings, 'methods'>): MethodName[] {
  const kind = role === 'encoder' ? 'masked-language' : 'language';
  return chosen.filter((name) => methods[name].of === kind);
}

export function learns(method: MethodName): boolean {
  return methods[method].rates[0] > 0;
}

/** The models that all methods are compared on, by role. */
export function mainModels({ models }: Pick<Comparison, 'models'>): Partial<Record<ModelRole, ComparedModel>> {
  const first = (role: ModelRole): ComparedModel | undefined => models.find((model) => model.role === role);
  const [encoder, decoder, instructed] = (['encoder', 'decoder', 'instructed'] as const).map(first);
  return { ...(encoder && { encoder }), ...(decoder && { decoder }), ...(instructed && { instructed }) };
}

/**
 * The models that were tuned on instructions, each with the language model that it was made of: the one at the same place among
 * those of its kind.
 */
export function instructionPairs({
  models,
}: Pick<Comparison, 'models'>): { readonly base: ComparedModel | undefined; readonly instructed: ComparedModel }[] {
  const bases = models.filter(({ role }) => role === 'decoder');
  return models.filter(({ role }) => role === 'instructed').map((instructed, i) => ({ base: bases[i], instructed }));
}

/** What single figures are compared at: 16 examples of each label, or the nearest number that is asked for. */
export function comparedShots(shots: readonly Shots[]): Shots {
  const few = shots.filter((one): one is number => one !== 'all');
  return few.toSorted((a, b) => Math.abs(a - usualShots) - Math.abs(b - usualShots))[0] ?? 'all';
}

/** Whether it is measured what a training has done to the base task and to others: by one seed, with few examples and with all. */
export function measuresBase({ part, shots, seed }: Cell, { seeds, shots: all }: ComparisonSettings): boolean {
  const isShown = shots === 0 || shots === 'all' || shots === comparedShots(all);
  return (part === 'curve' || part === 'cross') && seed === seeds[0] && isShown;
}

/**
 * What a learning rate is looked for with: a few examples, for all figures of few, and all of them. A rate that is good for the
 * few steps of the former may be one at which the latter's many come to nothing.
 */
function ratedShots(cell: Shots, shots: readonly Shots[]): Shots {
  return cell === 'all' ? 'all' : comparedShots(shots);
}

/** Trainings that look for learning rates; none where only one is tried. */
export function rateCells(comparison: Comparison): Cell[] {
  const { rates, shots } = comparison.settings;
  if (rates.length < 2) return [];
  const main = Object.values(mainModels(comparison));
  return comparison.models.flatMap((model) => {
    const { name, role } = model;
    const isWhole = main.includes(model) && role !== 'instructed';
    const rated = new Set(isWhole ? sortedShots(shots).map((one) => ratedShots(one, shots)) : [comparedShots(shots)]);
    return methodsOf(role, comparison.settings)
      .filter((method) => learns(method) && isWanted(comparison, name, role, method))
      .flatMap((method) =>
        [...rated].flatMap((own) =>
          rates.map((rate): Cell => ({ part: 'rate', model: name, method, shots: own, seed: rateSeed, rate })),
        ),
      );
  });
}

/** What is measured, with the learning rates that were found. */
export function measuredCells(
  comparison: Comparison,
  rateOf: (model: string, method: MethodName, shots: Shots) => number,
  equal: EqualSizes | undefined,
): Cell[] {
  const { settings } = comparison;
  const { seeds } = settings;
  const shots = sortedShots(settings.shots);
  const few = comparedShots(shots);
  const main = mainModels(comparison);
  const make = (part: CellPart, model: ComparedModel, method: MethodName, k: Shots, seed: number): Cell => ({
    ...{ part, model: model.name, method, shots: k, seed },
    rate: learns(method) ? rateOf(model.name, method, ratedShots(k, settings.shots)) : 1,
  });
  const firstSeed = seeds[0]!;
  const cells: Cell[] = [];

  for (const model of [main.encoder, main.decoder]) {
    if (!model) continue;
    for (const method of methodsOf(model.role, settings)) {
      if (!learns(method)) {
        cells.push(make('curve', model, method, 0, firstSeed));
        if (method === 'in-context')
          for (const k of shots)
            if (k !== 'all' && k <= mostShown)
              cells.push(...seeds.map((seed) => make('curve', model, method, k, seed)));
        continue;
      }
      for (const k of shots) cells.push(...seeds.map((seed) => make('curve', model, method, k, seed)));
    }
  }

  if (main.decoder && equal) {
    for (const [method, size] of Object.entries(equal.tokens) as [MethodName, number][])
      cells.push(...seeds.map((seed) => ({ ...make('parameters', main.decoder!, method, few, seed), size })));
  }

  if (settings.methods.includes('in-context')) {
    for (const { base, instructed } of instructionPairs(comparison)) {
      const part = instructed === main.instructed ? 'cross' : 'size';
      cells.push(make(part, instructed, 'in-context', 0, firstSeed));
      if (base) cells.push({ ...make(part, base, 'in-context', 0, firstSeed), asked: 'instructed' });
    }
  }
  if (main.instructed && settings.methods.includes('soft-prompt'))
    cells.push(...seeds.map((seed) => make('cross', main.instructed!, 'soft-prompt', few, seed)));

  for (const model of comparison.models) {
    if (Object.values(main).includes(model) || model.role === 'instructed') continue;
    for (const method of methodsOf(model.role, settings).filter((name) => sizeMethods.includes(name)))
      cells.push(
        ...(learns(method) ? seeds : [firstSeed]).map((seed) =>
          make('size', model, method, learns(method) ? few : 0, seed),
        ),
      );
  }
  return cells;
}

/** What the models that differ in size are compared by. */
const sizeMethods: readonly MethodName[] = ['fine-tuning', 'prompt', 'zero-shot', 'in-context', 'soft-prompt', 'full'];

/** Whether a model is measured with a method that learns. */
function isWanted(comparison: Comparison, name: string, role: ModelRole, method: MethodName): boolean {
  const isMain = mainModels(comparison)[role]?.name === name;
  if (role === 'instructed') return isMain && method === 'soft-prompt';
  return isMain || sizeMethods.includes(method);
}
