import { invalidInput } from '@crucible/foundation';

/** Throws unless the `whole` of a stage's batch can be cut into that many equal `parts`; both are options of the stage. */
export function assertDivides<Whole extends string, Parts extends string>(
  stage: string,
  settings: Readonly<Record<Whole | Parts, number>>,
  whole: Whole,
  parts: Parts,
): void {
  const [size, count] = [settings[whole], settings[parts]];
  if (size >= 1 && count >= 1 && Number.isInteger(count) && Number.isInteger(size / count)) return;
  throw invalidInput(`${stage}: ${size} ${whole} do not divide into ${count} ${parts}`, { at: `${stage}.${parts}` });
}
