/** The report of a comparison: every sentence with a figure follows from the results. */
import type { Block, Report } from '../report/document.ts';
import type { PlotSeries } from '../report/plot.ts';
import { type ClassificationFigures, type Difference, differenceOverTexts, type Share } from '../metrics.ts';
import { methods, type MethodName } from '../tune.ts';
import { comparedShots, instructionPairs, mainModels, methodsOf } from './cells.ts';
import type { Cell, CellResult, ComparedModel, Comparison, ModelRole, Shots } from './comparison.ts';
import {
  accuracyOver,
  bits,
  choose,
  comparedWords,
  curveOf,
  differenceOf,
  isShown,
  majorityOf,
  meanOf,
  signed,
} from './findings.ts';
import { sortedShots } from './plan.ts';

/** What the results do not say of themselves. */
export interface ComparisonFacts {
  readonly labels: readonly string[];
  readonly texts: { readonly train: number; readonly test: number };
  /** Test texts that occur elsewhere. */
  readonly contamination: readonly { readonly where: string; readonly found: number; readonly examined: number }[];
  /** ISO 8601. */
  readonly date: string;
}

export interface ComparisonOutcome {
  readonly comparison: Comparison;
  readonly facts: ComparisonFacts;
  readonly results: readonly CellResult[];
  readonly rates: readonly CellResult[];
  readonly failed: readonly { readonly cell: Cell; readonly message: string }[];
  readonly all: number;
}

export function comparisonReport(outcome: ComparisonOutcome): Report {
  const view = new View(outcome);
  const { comparison, facts, results, rates, all } = outcome;
  const done = results.length + rates.length;
  return {
    title: 'What differs between the ways to tune?',
    question: `A new head, a prompt in words, a learned soft prompt, an adapter, or tuning on instructions: which one does best at “${comparison.task.name}”, with how many examples, and at what cost?`,
    answer: view.answer(),
    blocks: [
      ...view.setting(),
      ...view.curves(),
      ...view.headAgainstPrompt(),
      ...view.sameParameters(),
      ...view.instructions(),
      ...view.sizes(),
      ...view.cost(),
      ...view.forgetting(),
      ...view.caveats(),
    ],
    footer: `Made by crucible compare on ${facts.date.slice(0, 10)} from ${done} of ${all} trainings. Every sentence with a figure is computed from them.`,
  };
}

class View {
  readonly #outcome: ComparisonOutcome;
  readonly #few: Shots;
  readonly #shots: readonly Shots[];

  constructor(outcome: ComparisonOutcome) {
    this.#outcome = outcome;
    const { shots } = outcome.comparison.settings;
    this.#few = comparedShots(shots);
    this.#shots = sortedShots(shots);
  }

  answer(): string[] {
    if (this.#results.length === 0) return ['Nothing has been measured yet.'];
    const sentences = [
      ...this.#noneBeatsMajority(),
      ...this.#headOrPrompt(),
      ...this.#best(),
      ...this.#softPrompt(),
      ...this.#zeroShot(),
      ...this.#cross(),
      ...this.#forgotten(),
    ];
    const missing = this.#outcome.all - this.#results.length - this.#outcome.rates.length;
    if (missing > 0) sentences.push(`This is a part: ${missing} of ${this.#outcome.all} trainings are not done.`);
    return sentences;
  }

  setting(): Block[] {
    const { comparison, facts } = this.#outcome;
    const { settings, models, task } = comparison;
    const { seeds, steps, allSteps, rows, rates } = settings;
    const isSwept = rates.length > 1;
    const used = this.#methods();
    return [
      heading('What was compared', 'compared'),
      paragraph(
        `The task is ${task.name}: ${facts.labels.length} labels (${facts.labels.join(', ')}), ${facts.texts.train} texts to learn from, ${facts.texts.test} to measure on, of which the most frequent label has ${shareText(majorityOf(this.#results))}. Every method saw the same texts: k examples of each label, drawn by ${seeds.length === 1 ? 'one seed' : `${seeds.length} seeds`} that all methods share.`,
      ),
      {
        kind: 'table',
        caption: 'The models.',
        words: 2,
        head: ['model', 'is', 'parameters'],
        rows: models.map(({ name, role }) => [name, roleNames[role], sizeText(this.#parametersOf(name))]),
      },
      {
        kind: 'table',
        caption: `The ways. Learned numbers are those of the run with ${this.#few} examples of each label.`,
        words: 3,
        head: ['way', 'of', 'learns', 'numbers learned', 'of all'],
        rows: used.map(({ method, role }) => {
          const [one] = choose(this.#results, { part: 'curve', role, method });
          return [
            method,
            role === 'encoder' ? 'the encoder' : 'the language model',
            methods[method].learns,
            one ? whole(one.trainedParameters) : '–',
            one ? percent(one.trainedParameters / one.allParameters) : '–',
          ];
        }),
      },
      paragraph(
        `The budget of every way is the same: ${steps} steps of ${rows} examples from few examples, ${allSteps} steps from all. ${isSwept ? `Each got its learning rate from the same number of tries (${rates.join(', ')} times the usual one), with ${this.#few} examples of each label of a draw of its own, by dev texts${this.#shots.includes('all') && this.#few !== 'all' ? ', and another for all of the data in the same way' : ''}; so every figure rests on more labelled texts than its k.` : 'Each has the usual learning rate of its kind; none was searched for.'} The weights after the last step were measured; no best ones were picked on the way.`,
      ),
      paragraph(
        'Intervals are 95 % and hold two doubts: which examples were drawn to learn from (over the seeds, Student’s t) and which texts were drawn to measure on (over the texts); the squares of both are added. Of a single run there is only the second, by Wilson. Differences are of pairs: runs of the same seed, and so the same examples, on the same texts. “No difference was shown” means that the interval holds 0. Many comparisons are made on this page, and nothing is corrected for that: one in twenty intervals misses by chance.',
      ),
    ];
  }

  curves(): Block[] {
    const plots = (['encoder', 'decoder'] as const).flatMap((role): Block[] => {
      const series = this.#methods()
        .filter((one) => one.role === role)
        .map(({ method }) => ({ method, points: curveOf(this.#results, { role, method }) }))
        .filter(({ points }) => points.length > 0);
      if (series.length === 0) return [];
      const places = sortedShots(series.flatMap(({ points }) => points.map(({ shots }) => shots)));
      return [
        {
          kind: 'plot',
          caption: `Accuracy of ${role === 'encoder' ? 'the encoder' : 'the language model'} by the number of examples; bars are 95 % intervals.`,
          plot: {
            ...{ kind: 'lines', xName: 'examples of each label', yName: 'accuracy' },
            xs: places.map((shots) => ({ label: String(shots) })),
            series: series.map(({ method, points }): PlotSeries => ({
              name: method,
              points: points.map(({ shots, value, low, high }) => ({ x: places.indexOf(shots), value, low, high })),
            })),
            reference: { name: 'most frequent label', value: majorityOf(this.#results) },
          },
        },
      ];
    });
    if (plots.length === 0) return [];
    return [heading('By the number of examples', 'examples'), ...plots, this.#curveTable()];
  }

  headAgainstPrompt(): Block[] {
    const pairs = this.#headAndPrompt();
    if (pairs.length === 0) return [];
    return [
      heading('A new head or a prompt in words?', 'head-or-prompt'),
      paragraph(
        'Both change all of the encoder with the same examples and steps. A new head begins at random; a prompt asks the head that the encoder was pre-trained with.',
      ),
      {
        kind: 'plot',
        caption:
          'How much better the prompt is than a new head (right of 0: the prompt), by the number of examples of each label; pairs of the same seed.',
        plot: {
          ...{ kind: 'intervals', xName: 'difference of accuracy', yName: '' },
          xs: pairs.map(({ shots }) => ({ label: shotsText(shots) })),
          series: [{ name: 'prompt − fine-tuning', points: pairs.map(({ difference }, x) => ({ x, ...difference })) }],
        },
      },
      {
        kind: 'list',
        items: pairs.map(
          ({ shots, difference }) =>
            `With ${shotsText(shots)}, ${comparedWords('prompt', 'fine-tuning', difference)}; ${overText(difference)}.`,
        ),
      },
    ];
  }

  sameParameters(): Block[] {
    const cells = this.#results.filter(({ cell }) => cell.part === 'parameters');
    if (cells.length === 0) return [];
    const names = [...new Set(cells.map(({ cell }) => cell.method))];
    const series = names.map((method) => ({ method, own: choose(cells, { method }) }));
    const best = series.toSorted((a, b) => accuracyOver(b.own)!.value - accuracyOver(a.own)!.value);
    const difference = best.length > 1 ? differenceOf(best[0]!.own, best[1]!.own) : undefined;
    return [
      heading('With the same number of parameters', 'parameters'),
      {
        kind: 'table',
        caption: `Adapters of the language model with about as many parameters each, with ${shotsText(this.#few)}.`,
        head: ['way', 'size', 'numbers learned', 'accuracy', '95 %'],
        rows: series.map(({ method, own }) => {
          const { trainedParameters, cell } = own[0]!;
          const accuracy = accuracyOver(own)!;
          const size = method === 'lora' ? `rank ${cell.size}` : `${cell.size} tokens`;
          return [method, size, whole(trainedParameters), accuracy.value.toFixed(2), rangeText(accuracy)];
        }),
      },
      ...(difference ? [paragraph(`${capital(comparedWords(best[0]!.method, best[1]!.method, difference))}.`)] : []),
    ];
  }

  instructions(): Block[] {
    const asked = this.#zeroShotRows();
    const cross = this.#crossRows();
    if (asked.length === 0 && cross.length === 0) return [];
    return [
      heading('Before and after tuning on instructions', 'instructions'),
      ...(asked.length > 0
        ? [
            {
              kind: 'table' as const,
              caption: 'Asked without any example. Differences are over the same texts.',
              head: ['task', 'before', 'after', 'after − before', '95 %'],
              rows: asked.map(({ task, before, after, difference }) => [
                task,
                before.toFixed(2),
                after.toFixed(2),
                signed(difference.value),
                rangeText(difference),
              ]),
            },
          ]
        : []),
      ...(cross.length > 0
        ? [
            {
              kind: 'table' as const,
              caption: `A soft prompt learned on each of the two models, with ${shotsText(this.#few)}.`,
              head: ['model', 'accuracy', '95 %', 'seeds'],
              rows: cross.map(({ name, accuracy }) => [
                name,
                accuracy.value.toFixed(2),
                rangeText(accuracy),
                String(accuracy.count),
              ]),
            },
          ]
        : []),
      { kind: 'list', items: [...this.#zeroShot(), ...this.#cross()] },
    ];
  }

  sizes(): Block[] {
    const { models } = this.#outcome.comparison;
    const main = Object.values(mainModels(this.#outcome.comparison));
    const others = models.filter((model) => !main.includes(model));
    if (others.length === 0) return [];
    const plots = (['encoder', 'decoder'] as const).flatMap((role): Block[] => {
      const own = models.filter((model) => model.role === role);
      if (own.length < 2) return [];
      const sized = own
        .map(({ name }) => ({ name, parameters: this.#parametersOf(name) }))
        .toSorted((a, b) => a.parameters - b.parameters);
      const series = methodsOf(role, this.#outcome.comparison.settings).flatMap((method): PlotSeries[] => {
        const points = sized.flatMap(({ name }, x) => {
          const found = this.#results.filter(
            ({ cell }) =>
              cell.model === name &&
              cell.method === method &&
              cell.size === undefined &&
              cell.asked === undefined &&
              (cell.shots === this.#few || cell.shots === 0),
          );
          const learned = found.filter(({ cell }) => cell.shots === this.#few);
          const accuracy = accuracyOver(
            learned.length > 0 && method !== 'in-context' ? learned : found.filter(({ cell }) => cell.shots === 0),
          );
          return accuracy ? [{ x, ...accuracy }] : [];
        });
        return points.length > 1 ? [{ name: method, points }] : [];
      });
      if (series.length === 0) return [];
      return [
        {
          kind: 'plot',
          caption: `${role === 'encoder' ? 'Encoders' : 'Language models'} by size, with ${shotsText(this.#few)}; zero-shot and in-context without any.`,
          plot: {
            ...{ kind: 'lines', xName: 'parameters', yName: 'accuracy', series },
            xs: sized.map(({ parameters }) => ({ label: compact(parameters) })),
            reference: { name: 'most frequent label', value: majorityOf(this.#results) },
          },
        },
      ];
    });
    const all = [...plots, ...this.#instructedBySize()];
    return all.length === 0 ? [] : [heading('By the size of the model', 'size'), ...all];
  }

  #instructedBySize(): Block[] {
    const sized = this.#instructed()
      .map((pair) => ({ ...pair, parameters: this.#parametersOf(pair.name) }))
      .toSorted((a, b) => a.parameters - b.parameters);
    if (sized.length < 2) return [];
    const series = (['before', 'after'] as const).map((when): PlotSeries => ({
      name: `${when} instructions`,
      points: sized.map((pair, x) => ({ x, ...pair[when].figures.accuracy })),
    }));
    return [
      {
        kind: 'plot',
        caption: 'Language models by size, asked without examples, before and after tuning on instructions.',
        plot: {
          ...{ kind: 'lines', xName: 'parameters', yName: 'accuracy', series },
          xs: sized.map(({ parameters }) => ({ label: compact(parameters) })),
          reference: { name: 'most frequent label', value: majorityOf(this.#results) },
        },
      },
      {
        kind: 'list',
        items: sized.map(({ parameters, before, after }) => {
          const difference = differenceOverTexts(bits(after.right), bits(before.right));
          return `With ${compact(parameters)} parameters: ${before.figures.accuracy.value.toFixed(2)} before, ${after.figures.accuracy.value.toFixed(2)} after; ${changeWords(difference)}.`;
        }),
      },
    ];
  }

  cost(): Block[] {
    const rows = this.#methods().flatMap(({ method, role }) => {
      const all = choose(this.#results, { part: 'curve', role, method });
      const few = all.filter(({ cell }) => cell.shots === this.#few);
      const own = few.length > 0 ? few : all.filter(({ cell }) => cell.shots === 0);
      const [one] = own;
      if (!one) return [];
      const memory = Math.max(...own.map(({ memoryBytes = NaN }) => memoryBytes));
      return [
        [
          method,
          whole(one.trainedParameters),
          one.steps === 0 ? '–' : String(Number(one.learningRate.toPrecision(2))),
          (meanOf(own, ({ trainSeconds }) => trainSeconds) ?? 0).toFixed(1),
          Number.isFinite(memory) ? String(Math.round(memory / 2 ** 20)) : '–',
        ],
      ];
    });
    return rows.length === 0
      ? []
      : [
          heading('What it costs', 'cost'),
          {
            kind: 'table',
            caption: `With ${shotsText(this.#few)}: seconds of training on this machine, the compilation of its program included, and the most memory that the process had by then, in MiB. The model itself is part of the memory of all.`,
            head: ['way', 'numbers learned', 'learning rate', 'seconds', 'memory'],
            rows,
          },
        ];
  }

  forgetting(): Block[] {
    const rows = this.#forgetting();
    if (rows.length === 0) return [];
    const { transfer } = this.#outcome.comparison;
    const others = transfer.map(({ name }) => name);
    return [
      heading('What is forgotten, and what carries over', 'forgetting'),
      paragraph(
        'The base task is what the model was pre-trained for: nats a token of held-out text, lower is better. Adapters are measured in their place; taken off, they leave the model as it was. Other tasks were learned by nothing; those with the same labels are done by what was tuned, others by label words of their own.',
      ),
      {
        kind: 'table',
        caption: 'After tuning; in the rows without examples, before.',
        head: ['way', 'examples', 'base task', ...others],
        rows: rows.map(({ result }) => [
          `${result.cell.method}${result.model === 'instructed' ? ' (instructed)' : ''}`,
          String(result.cell.shots),
          result.baseLoss!.toFixed(2),
          ...others.map((name) => {
            const found = result.transfer?.find(({ task }) => task === name);
            return found ? `${found.accuracy.value.toFixed(2)}${found.by === 'trained' ? '' : ' (words)'}` : '–';
          }),
        ]),
      },
      ...(this.#forgotten().length > 0 ? [paragraph(this.#forgotten().join(' '))] : []),
    ];
  }

  caveats(): Block[] {
    const { facts, failed, rates, comparison, all } = this.#outcome;
    const { settings } = comparison;
    const items: string[] = [];
    const half = 1.96 * Math.sqrt(0.25 / Math.max(1, facts.texts.test));
    items.push(
      `${facts.texts.test} texts were measured on: a share near one half is known to about ±${half.toFixed(2)}, whatever the seeds say.`,
    );
    for (const { where, found, examined } of facts.contamination)
      if (found > 0)
        items.push(`${found} of ${examined} texts that were measured on occur in ${where}: the figures are too good.`);
    if (facts.contamination.length > 0 && facts.contamination.every(({ found }) => found === 0))
      items.push(
        `None of the texts that were measured on was found in ${facts.contamination.map(({ where }) => where).join(', ')}.`,
      );
    const below = this.#methods().filter(({ method, role }) => {
      const points = curveOf(this.#results, { role, method }).filter(({ shots }) => shots !== 0);
      return points.length > 0 && points.every(({ low }) => !(low > majorityOf(this.#results)));
    });
    if (below.length > 0)
      items.push(
        `Not shown to do better than the most frequent label with any number of examples: ${below.map(({ method }) => method).join(', ')}.`,
      );
    const constant = this.#methods().filter(({ method, role }) => {
      const own = choose(this.#results, { part: 'curve', role, method });
      return own.length > 0 && own.every(({ figures }) => saysTheSame(figures));
    });
    if (constant.length > 0)
      items.push(
        `Said the same label of at least 19 in 20 texts, however many examples there were: ${constant.map(({ method }) => method).join(', ')}.`,
      );
    const largest = Math.max(0, ...comparison.models.map(({ name }) => this.#parametersOf(name)));
    if (largest > 0)
      items.push(
        `The largest model here has ${compact(largest)} parameters. In the literature, soft prompts and tuning on instructions begin to help in models some thousand times as large; what is not seen here is not disproved.`,
      );
    const atEdge = this.#atEdge();
    if (atEdge.length > 0)
      items.push(
        `The learning rate that was chosen lies at the edge of those tried for ${atEdge.join(', ')}: a better one may lie beyond.`,
      );
    if (settings.seeds.length < 3)
      items.push('There are fewer than three seeds: intervals over them are wide, or none.');
    if (failed.length > 0)
      items.push(
        `${failed.length} of ${all} trainings failed, the first (${nameOf(failed[0]!.cell)}) with: ${failed[0]!.message}`,
      );
    if (rates.length > 0)
      items.push(`${rates.length} of the trainings looked for learning rates and are in no figure.`);
    return [heading('What to keep in mind', 'caveats'), { kind: 'list', items }];
  }

  get #results(): readonly CellResult[] {
    return this.#outcome.results;
  }

  /** Those with results of the models that all are compared on, encoders' first. */
  #methods(): { readonly method: MethodName; readonly role: 'encoder' | 'decoder' }[] {
    return (['encoder', 'decoder'] as const).flatMap((role) =>
      methodsOf(role, this.#outcome.comparison.settings)
        .filter((method) => choose(this.#results, { part: 'curve', role, method }).length > 0)
        .map((method) => ({ method, role })),
    );
  }

  /** Of the model alone; 0 where nothing of it is measured. */
  #parametersOf(name: string): number {
    const own = this.#results.filter(({ cell }) => cell.model === name);
    const exact = own.flatMap(({ cell: { method }, allParameters, trainedParameters }) => {
      if (wholeMethods.has(method)) return [allParameters];
      return adapterMethods.has(method) ? [allParameters - trainedParameters] : [];
    });
    return exact[0] ?? Math.max(0, ...own.map(({ allParameters }) => allParameters));
  }

  #curveTable(): Block {
    const rows = this.#methods().map(({ method, role }) => {
      const points = curveOf(this.#results, { role, method });
      return [
        method,
        ...[0 as Shots, ...this.#shots].map((shots) => {
          const point = points.find((one) => one.shots === shots);
          return point ? `${point.value.toFixed(2)} ±${((point.high - point.low) / 2).toFixed(2)}` : '';
        }),
      ];
    });
    return {
      kind: 'table',
      repeats: true,
      caption: 'Accuracy, and half of its 95 % interval, by examples of each label.',
      head: ['way', '0', ...this.#shots.map(String)],
      rows,
    };
  }

  #headAndPrompt() {
    return this.#shots.flatMap((shots) => {
      const of = (method: MethodName): CellResult[] =>
        choose(this.#results, { part: 'curve', role: 'encoder', method, shots });
      const difference = differenceOf(of('prompt'), of('fine-tuning'));
      return difference ? [{ shots, difference }] : [];
    });
  }

  #headOrPrompt(): string[] {
    const pairs = this.#headAndPrompt();
    const at = pairs.find(({ shots }) => shots === this.#few) ?? pairs[0];
    if (!at) return [];
    const first = `With ${shotsText(at.shots)}, ${comparedWords('a prompt', 'a new head', at.difference)}.`;
    const others = pairs.filter((pair) => pair !== at);
    if (others.length === 0) return [first];
    const groups = [
      ['the prompt is better', others.filter(({ difference }) => difference.low > 0)],
      ['the new head is better', others.filter(({ difference }) => difference.high < 0)],
      ['no difference was shown', others.filter(({ difference }) => !isShown(difference))],
    ] as const;
    const said = groups
      .filter(([, own]) => own.length > 0)
      .map(
        ([what, own]) => `${what} with ${listed(own.map(({ shots }) => (shots === 'all' ? 'all' : String(shots))))}`,
      );
    return [first, `Of the other numbers of examples, ${listed(said)}.`];
  }

  /** Where no way is shown to do better than saying always the same, what they differ by means little. */
  #noneBeatsMajority(): string[] {
    const majority = majorityOf(this.#results);
    const points = this.#methods().flatMap(({ method, role }) => curveOf(this.#results, { role, method }));
    if (points.length === 0 || points.some(({ low }) => low > majority)) return [];
    return [
      `No way is shown to do better than saying the most frequent label of every text, which is right on ${majority.toFixed(2)}; what the ways differ by here says little about them.`,
    ];
  }

  /** Of all ways, which has the best figure, and whether it is shown to be better than the next. */
  #best(): string[] {
    const places = sortedShots([this.#few, this.#shots.at(-1)!]).filter((shots) => this.#shots.includes(shots));
    return places.flatMap((shots) => {
      const ranked = this.#methods()
        .map(({ method, role }) => ({ method, own: choose(this.#results, { part: 'curve', role, method, shots }) }))
        .filter(({ own }) => own.length > 0)
        .toSorted((a, b) => accuracyOver(b.own)!.value - accuracyOver(a.own)!.value);
      const [first, second] = ranked;
      if (!first || !second) return [];
      const accuracy = accuracyOver(first.own)!;
      const difference = differenceOf(first.own, second.own);
      const lead = `With ${shotsText(shots)} the best of ${ranked.length} ways is ${first.method}, at ${accuracy.value.toFixed(2)} (${rangeText(accuracy)})`;
      if (!difference) return [`${lead}.`];
      const isSure = difference.low > 0;
      return [
        `${lead}, ${isSure ? `ahead of ${second.method} by ${signed(difference.value)} (${rangeText(difference)})` : `and is not shown to be better than ${second.method}, at ${accuracyOver(second.own)!.value.toFixed(2)}`}.`,
      ];
    });
  }

  #softPrompt(): string[] {
    const of = (method: MethodName): CellResult[] =>
      choose(this.#results, { part: 'curve', role: 'decoder', method, shots: this.#few });
    const soft = of('soft-prompt');
    const [one] = soft;
    const against = (['full', 'lora'] as const).find((method) => of(method).length > 0);
    if (!one) return [];
    const share = `A soft prompt learns ${percent(one.trainedParameters / one.allParameters)} of the numbers`;
    if (!against) return [`${share}.`];
    const difference = differenceOf(soft, of(against))!;
    return [
      `${share}; with ${shotsText(this.#few)}, ${comparedWords('it', against === 'full' ? 'tuning all of the model' : 'LoRA', difference)}.`,
    ];
  }

  /** Answers without examples, of each pair of a language model and of what tuning on instructions made of it. */
  #instructed() {
    return instructionPairs(this.#outcome.comparison).flatMap(({ base, instructed }) => {
      if (!base) return [];
      const of = ({ name }: ComparedModel, asked?: ModelRole): CellResult[] =>
        choose(this.#results, { model: name, method: 'in-context', shots: 0, ...(asked && { asked }) });
      const [plain] = of(base);
      const [after] = of(instructed);
      // Of the two templates that the base was asked with, the better: it is not to lose by the way it was asked.
      const [before] = [...of(base), ...of(base, 'instructed')].toSorted(
        (a, b) => b.figures.accuracy.value - a.figures.accuracy.value,
      );
      return before && after ? [{ name: base.name, plain, before, after }] : [];
    });
  }

  #zeroShotRows() {
    const { task } = this.#outcome.comparison;
    const main = mainModels(this.#outcome.comparison).decoder;
    const pair = this.#instructed().find(({ name }) => name === main?.name);
    if (!pair) return [];
    const { plain, before, after } = pair;
    const rows = [
      {
        task: task.name,
        before: before.figures.accuracy.value,
        after: after.figures.accuracy.value,
        pair: [after.right, before.right] as const,
      },
    ];
    for (const { task: name, accuracy, right } of after.transfer ?? []) {
      const own = plain?.transfer?.find((one) => one.task === name);
      if (own)
        rows.push({ task: name, before: own.accuracy.value, after: accuracy.value, pair: [right, own.right] as const });
    }
    return rows
      .filter(({ pair: [a, b] }) => a.length === b.length)
      .map(({ pair: [a, b], ...row }) => ({ ...row, difference: differenceOverTexts(bits(a), bits(b)) }));
  }

  #zeroShot(): string[] {
    return this.#zeroShotRows().map(
      ({ task, before, after, difference }) =>
        `Asked about ${task} without examples, the language model is right on ${before.toFixed(2)} before and ${after.toFixed(2)} after tuning on instructions: ${changeWords(difference)}.`,
    );
  }

  #crossRows() {
    const main = mainModels(this.#outcome.comparison);
    const shots = this.#few;
    const on = (role: 'decoder' | 'instructed'): CellResult[] =>
      choose(this.#results, { part: role === 'decoder' ? 'curve' : 'cross', role, method: 'soft-prompt', shots });
    return (['decoder', 'instructed'] as const).flatMap((role) => {
      const own = on(role);
      const accuracy = accuracyOver(own);
      return accuracy && main.instructed ? [{ name: `${main[role]!.name} (${roleNames[role]})`, accuracy, own }] : [];
    });
  }

  #cross(): string[] {
    const [base, instructed] = this.#crossRows();
    if (!base || !instructed) return [];
    const difference = differenceOf(instructed.own, base.own);
    if (!difference) return [];
    return [
      `${capital(comparedWords('a soft prompt on the model tuned on instructions', 'one on the model before', difference))}.`,
    ];
  }

  #forgetting(): { readonly result: CellResult; readonly before: number | undefined }[] {
    const measured = this.#results.filter(({ baseLoss }) => baseLoss !== undefined);
    return measured.map((result) => ({
      result,
      before: measured.find(({ cell }) => cell.shots === 0 && cell.model === result.cell.model)?.baseLoss,
    }));
  }

  #forgotten(): string[] {
    return (['encoder', 'decoder'] as const).flatMap((role) => {
      const rows = this.#forgetting()
        .filter(
          ({ result, before }) =>
            result.model === role &&
            result.cell.shots !== 0 &&
            before !== undefined &&
            result.cell.method !== 'in-context',
        )
        .map(({ result, before }) => ({ result, rise: result.baseLoss! - before! }))
        .toSorted((a, b) => b.rise - a.rise);
      const [most] = rows;
      const least = rows.at(-1);
      if (!most || !least) return [];
      const name = role === 'encoder' ? 'The encoder' : 'The language model';
      const words = ({ result, rise }: typeof most): string =>
        `${result.cell.method} with ${shotsText(result.cell.shots)} (${rise < 0 ? '−' : '+'}${Math.abs(rise).toFixed(2)} nats a token)`;
      return [
        rows.length === 1
          ? `${name}’s base task changed by ${words(most)}.`
          : `${name}’s base task suffered the most from ${words(most)} and the least from ${words(least)}.`,
      ];
    });
  }

  #atEdge(): string[] {
    const { rates } = this.#outcome.comparison.settings;
    if (rates.length < 2) return [];
    const [least, most] = [Math.min(...rates), Math.max(...rates)];
    return this.#methods()
      .filter(({ method, role }) => {
        const own = choose(this.#results, { part: 'curve', role, method }).filter(({ cell }) => cell.shots !== 0);
        return own.some(({ steps, cell }) => steps > 0 && (cell.rate === least || cell.rate === most));
      })
      .map(({ method }) => method);
  }
}

const roleNames: Readonly<Record<ModelRole, string>> = {
  encoder: 'encoder',
  decoder: 'language model, pre-trained',
  instructed: 'language model, tuned on instructions',
};

/** Of these, all that there is is the model. */
const wholeMethods: ReadonlySet<MethodName> = new Set(['full', 'zero-shot', 'in-context']);
/** What these learn stands beside the model, and is no part of it. */
const adapterMethods: ReadonlySet<MethodName> = new Set(['lora', 'prefix', 'soft-prompt', 'soft-tokens']);

/** Of a model that nothing has been measured of yet, its size is not known here. */
function sizeText(parameters: number): string {
  return parameters === 0 ? 'not measured yet' : whole(parameters);
}

function saysTheSame({ confusion, count }: ClassificationFigures): boolean {
  const said = confusion[0]!.map((_label, i) => confusion.reduce((sum, row) => sum + row[i]!, 0));
  return Math.max(...said) >= 0.95 * count;
}

function heading(text: string, id: string): Block {
  return { kind: 'heading', text, id };
}

function paragraph(text: string): Block {
  return { kind: 'text', text };
}

function shotsText(shots: Shots): string {
  if (shots === 'all') return 'all of the data';
  return shots === 1 ? 'one example of each label' : `${shots} examples of each label`;
}

function overText({ seeds, texts }: Difference): string {
  return seeds === 1 ? `over ${texts} texts` : `over ${seeds} seeds and ${texts} texts`;
}

function rangeText({ low, high }: Pick<Share, 'low' | 'high'>): string {
  return Number.isFinite(low) ? `${signed(low)} to ${signed(high)}` : '–';
}

/** `better by 0.07 (0.02 to 0.12)`, or that no difference was shown. */
function changeWords(difference: Difference): string {
  if (!isShown(difference)) return `no difference was shown (${rangeText(difference)})`;
  return `${difference.value > 0 ? 'better' : 'worse'} by ${comparedSize(difference)}`;
}

function comparedSize({ value, low, high }: Share): string {
  const ends = [Math.abs(low), Math.abs(high)].sort((a, b) => a - b);
  return `${Math.abs(value).toFixed(2)} (${ends[0]!.toFixed(2)} to ${ends[1]!.toFixed(2)})`;
}

function shareText(share: number): string {
  return share.toFixed(2);
}

function percent(share: number): string {
  return share === 0 ? '0 %' : share >= 0.9995 ? '100 %' : `${Number((100 * share).toPrecision(2))} %`;
}

function whole(count: number | undefined): string {
  return count === undefined ? '–' : Math.round(count).toLocaleString('en');
}

/** 12,345 as 12k. */
function compact(count: number): string {
  if (count >= 1e6) return `${Number((count / 1e6).toPrecision(2))}M`;
  return count >= 1e3 ? `${Number((count / 1e3).toPrecision(2))}k` : String(count);
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function capital(sentence: string): string {
  return sentence.replace(/^./u, (first) => first.toUpperCase());
}

function nameOf({ model, method, shots, seed }: Cell): string {
  return `${method} of ${model}, ${shotsText(shots)}, seed ${seed}`;
}
