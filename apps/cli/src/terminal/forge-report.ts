/** The table at the end of a forge: what each stage brought. */
import { table } from './format.ts';

export type ForgeFigures = Readonly<Record<string, number>>;

export function forgeReport(figures: ForgeFigures): string {
  const share = (name: string): string => (figures[name] === undefined ? '' : `${(100 * figures[name]).toFixed(1)} %`);
  const number = (name: string, digits: number, sign = false): string => {
    const value = figures[name];
    return value === undefined ? '' : `${sign && value >= 0 ? '+' : ''}${value.toFixed(digits)}`;
  };
  const rows = [
    ['Held out', 'right', 'verifier', 'more'],
    ['A  pre-trained', share('exact_a'), number('score_a', 3), suffix(number('val_bpb_a', 3), ' bits/byte')],
    ['B  fine-tuned', share('exact_b'), number('score_b', 3), ''],
    ['C  reward model', '', '', suffix(share('rm_pair_accuracy'), ' of pairs in order')],
    [
      'D  reinforced',
      share('exact_d'),
      number('score_d', 3),
      figures['reward_gain'] === undefined
        ? ''
        : `reward ${number('reward_gain', 2, true)}, KL ${number('kl', 2)} nats`,
    ],
  ];
  const present = rows.filter((row, i) => i === 0 || row.slice(1).some((cell) => cell !== ''));
  const tasks = taskTable(figures);
  return [table(present), ...(tasks === undefined ? [] : ['', tasks])].join('\n');
}

function suffix(text: string, end: string): string {
  return text === '' ? '' : text + end;
}

/** Share of right answers by task, A to D. */
function taskTable(figures: ForgeFigures): string | undefined {
  const letters = ['a', 'b', 'd'] as const;
  const names = new Set(
    Object.keys(figures).flatMap((key) => {
      const task = /^exact_[abd]\/(.+)$/.exec(key)?.[1];
      return task === undefined ? [] : [task];
    }),
  );
  if (names.size === 0) return undefined;
  const cell = (letter: string, task: string): string => {
    const value = figures[`exact_${letter}/${task}`];
    return value === undefined ? '' : `${(100 * value).toFixed(0)} %`;
  };
  const header = ['Right, by task', ...letters.map((letter) => letter.toUpperCase())];
  return table([header, ...[...names].sort().map((task) => [task, ...letters.map((letter) => cell(letter, task))])]);
}
