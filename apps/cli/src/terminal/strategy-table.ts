/** What strategies come to, for people: a block a task, and which differences are more than chance. */
import type { StrategiesPlan, StrategyCell, StrategySummary } from '@crucible/evaluation';
import { table } from './format.ts';

export function strategyTable(
  model: string,
  { cells, comparisons }: StrategySummary,
  leftOut: StrategiesPlan['leftOut'],
): string {
  const percent = (share: number): string => (100 * share).toFixed(1);
  const beaten = ({ task, strategy }: StrategyCell): string[] =>
    comparisons.flatMap(({ first, second, onlyFirst, onlySecond, significant, ...of }) => {
      if (!significant || of.task !== task) return [];
      if (first === strategy && onlyFirst > onlySecond) return [second];
      return second === strategy && onlySecond > onlyFirst ? [first] : [];
    });
  const lines: { readonly figures: readonly string[]; readonly words: string }[] = [
    ...Map.groupBy(cells, ({ task }) => task),
  ].flatMap(([task, own]) => {
    const counts = [...new Set(own.map(({ questions }) => questions))].sort((a, b) => a - b);
    return [
      { figures: [`${task}, ${counts.join(' to ')} questions`, '', '', '', '', ''], words: '' },
      ...own.map((cell) => {
        const others = beaten(cell);
        return {
          figures: [
            `  ${cell.strategy}`,
            percent(cell.accuracy),
            `${percent(cell.low)} to ${percent(cell.high)}`,
            cell.tokens.toFixed(0),
            cell.calls.toFixed(1),
            cell.seconds.toFixed(2),
          ],
          words: others.length > 1 && others.length === own.length - 1 ? 'all others' : others.join(', '),
        };
      }),
    ];
  });
  const head = { figures: [model, 'right %', '95 % interval', 'tokens', 'calls', 'seconds'], words: 'better than' };
  const all = [head, ...lines];
  // Figures stand right, the words behind them left.
  const columns = table(all.map(({ figures }) => figures)).split('\n');
  const width = Math.max(...columns.map((line) => line.length));
  const failed = cells
    .filter((cell) => cell.failed > 0)
    .map(({ task, strategy, failed: count, questions }) => `${strategy} on ${task} ${count} of ${questions}`);
  const missing = [...Map.groupBy(leftOut, ({ strategy, reason }) => `${strategy}: ${reason}`)].map(
    ([what, tasks]) => `${what} (${tasks.map(({ task }) => task).join(', ')})`,
  );
  return [
    ...columns.map((line, i) => `${line.padEnd(width)}  ${all[i]!.words}`.trimEnd()),
    '',
    "Tokens, calls to the model and seconds are means of a question. Better: by McNemar's exact test on the same questions,",
    'at 5 % for all pairs of a task together (Holm).',
    ...(failed.length === 0 ? [] : ['', `Refused by the model, and counted as wrong: ${failed.join(', ')}`]),
    ...(missing.length === 0 ? [] : ['', ...missing.map((line) => `Not asked: ${line}`)]),
  ].join('\n');
}
