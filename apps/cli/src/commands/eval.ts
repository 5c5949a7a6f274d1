import { Command, InvalidArgumentError, Option } from 'commander';
import { loadModel } from '@crucible/checkpoint';
import { createWorld, type Split } from '@crucible/data';
import { invalidInput } from '@crucible/foundation';
import { GenerationEngine, throughputBatch } from '@crucible/inference';
import { useCompileCache } from '@crucible/tensor';
import { loadTokenizer } from '@crucible/tokenizer';
import { type ChatFigures, evaluateOnWorld } from '@crucible/training';
import { print, printJson, settingsFor } from '../context.ts';
import { evalRetrievalCommand } from './eval-retrieval.ts';
import { evalByStrategies, strategiesOnly, type StrategiesOptions } from './eval-strategies.ts';
import { registryOf } from '../registry.ts';
import { parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

interface EvalOptions extends StrategiesOptions {
  readonly split: Split & ('heldout' | 'unseen');
  readonly count: number;
  readonly temperature: number;
}

/** Measures models on questions of the built-in world that they have never seen. */
export function evalCommand(): Command {
  const evaluation = new Command('eval').addCommand(evalRetrievalCommand());
  // Options that both have would be taken from the command within, wherever they stand.
  if (process.argv[process.argv.indexOf('eval') + 1] === 'retrieval') return evaluation;
  return evaluation
    .option('--model <model>', 'NAME or NAME@VERSION (default: every language model)')
    .addOption(
      new Option('--split <split>', 'held-out questions, or ones with unseen names too')
        .choices(['heldout', 'unseen'])
        .default('heldout'),
    )
    .option('--count <number>', 'questions', parseCount, 400)
    .option('--seed <number>', 'seed of the world', parseSeed, 1)
    .option('--temperature <number>', 'of the answers; 0 takes the likeliest', parseTemperature, 0)
    .option(
      '--strategies [list]',
      'ask by strategies, all or those named, as direct,pal,react; what follows goes with it',
      parseList,
    )
    .option('--tasks <list>', 'of the world (default: all)', parseList)
    .option('--limit <number>', 'questions of every task (default: 100)', parseCount)
    .option('--url <url>', 'an OpenAI-compatible API, as http://localhost:8080/v1 (key: $OPENAI_API_KEY)')
    .addOption(
      new Option(
        '--wording <words>',
        'those that forged models know, or instructions in full (default: by the model)',
      ).choices(['forged', 'general']),
    )
    .option('--shots <number>', 'solved examples of few-shot and cot (default: 3, or 8 in general wording)', parseCount)
    .option('--samples <number>', 'of self-consistency (default: 5)', parseCount)
    .option('--parallel <number>', 'questions asked at the same time (default: 8)', parseCount)
    .option('--out <file>', 'keep every result in it as it comes; the same command goes on where it was stopped')
    .option('--json', 'print JSON')
    .action(async (options: EvalOptions, command: Command) => {
      if (options.strategies !== undefined) return evalByStrategies(options, command);
      const strange = strategiesOnly.find((name) => options[name] !== undefined);
      if (strange !== undefined) throw invalidInput(`--${strange} goes with --strategies`, { at: `--${strange}` });
      const settings = settingsFor(command);
      useCompileCache(settings.cache);
      const registry = registryOf(settings);
      const models =
        options.model === undefined
          ? registry.list().filter(({ kind }) => kind === 'language')
          : [registry.resolve(options.model)];
      if (models.length === 0)
        throw invalidInput('there are no language models yet; `crucible forge` makes some', { at: '--model' });
      const results: ({ readonly model: string } & ChatFigures)[] = [];
      for (const { name, version, folder } of models) {
        const model = loadModel(folder);
        if (model.kind !== 'language')
          throw invalidInput(`${name} is a reward model; only language models answer`, { at: '--model' });
        const engine = new GenerationEngine({ maxBatch: throughputBatch });
        try {
          engine.setModel({ weights: model.weights, config: model.config, version });
          const figures = await evaluateOnWorld(
            createWorld({ seed: options.seed }),
            engine,
            loadTokenizer(folder),
            options,
          );
          results.push({ model: `${name}@${version}`, ...figures });
        } finally {
          await engine.dispose();
        }
      }
      if (options.json) {
        printJson({ split: options.split, count: options.count, temperature: options.temperature, results });
        return;
      }
      const tasks = [...new Set(results.flatMap((result) => Object.keys(result.tasks)))].sort();
      const percent = (share: number | undefined): string =>
        share === undefined ? '' : `${(100 * share).toFixed(1)} %`;
      print(
        table([
          ['', ...results.map(({ model }) => model)],
          ['right', ...results.map(({ exact }) => percent(exact))],
          ['verifier', ...results.map(({ score }) => score.toFixed(3))],
          ...tasks.map((task) => [`  ${task}`, ...results.map((result) => percent(result.tasks[task]))]),
        ]),
      );
    });
}

function parseList(given: string): readonly string[] {
  return given.split(',').map((name) => name.trim());
}

function parseTemperature(given: string): number {
  const temperature = Number(given);
  if (!(temperature >= 0 && temperature <= 2)) throw new InvalidArgumentError('it must be a number from 0 to 2');
  return temperature;
}
