/** Which task the next instruction is of: in proportion to how many examples there are, up to a cap (Raffel et al. 2020). */
import { invalidInput, type Random } from '@crucible/foundation';
import type { Instruction, InstructionTask } from './instruction-task.ts';

/** Shares that add up to one: of a task with more than `cap` examples only so many count. */
export function mixtureShares(sizes: readonly number[], cap: number): number[] {
  if (!(cap >= 1)) throw invalidInput(`cap is ${cap}; a number from 1 is needed`, { at: 'cap' });
  const counted = sizes.map((size) => Math.min(size, cap));
  const total = counted.reduce((sum, count) => sum + count, 0);
  if (total === 0) throw invalidInput('instructions: there is none to learn from', { at: 'instructions' });
  return counted.map((count) => count / total);
}

/** Draws instructions of a mixture. */
export function createMixture(
  tasks: readonly InstructionTask[],
  cap: number,
): { readonly shares: readonly number[]; readonly draw: (random: Random) => Instruction } {
  const shares = mixtureShares(
    tasks.map(({ size }) => size),
    cap,
  );
  return { shares, draw: (random) => tasks[random.weighted(shares)]!.draw(random) };
}

export interface HeldOutClusters {
  readonly seen: readonly InstructionTask[];
  readonly unseen: readonly InstructionTask[];
}

/**
 * Parts tasks by their clusters; those that have texts of a cluster that is held out are in neither part. Throws for a cluster that does not exist, and where nothing is left to learn from.
 */
export function holdOut(tasks: readonly InstructionTask[], clusters: readonly string[]): HeldOutClusters {
  const known = [...new Set(tasks.map(({ cluster }) => cluster))];
  const missing = clusters.find((cluster) => !known.includes(cluster));
  if (missing !== undefined)
    throw invalidInput(`hold-out: there is no cluster ${JSON.stringify(missing)}; there are ${known.join(', ')}`, {
      at: 'hold-out',
    });
  const unseen = tasks.filter(({ cluster }) => clusters.includes(cluster));
  const seen = tasks.filter(
    ({ cluster, related = [] }) => ![cluster, ...related].some((each) => clusters.includes(each)),
  );
  if (seen.length === 0)
    throw invalidInput(`hold-out: all of ${known.join(', ')} are held out; nothing is left to learn from`, {
      at: 'hold-out',
    });
  return { seen, unseen };
}
