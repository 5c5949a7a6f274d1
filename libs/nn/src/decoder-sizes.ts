import { invalidInput } from '@crucible/foundation';
import type { DecoderSizes } from './decoder-family.ts';

/** Size of one head. */
export function headSize({
  headSize: given,
  hiddenSize,
  heads,
}: Pick<DecoderSizes, 'headSize' | 'hiddenSize' | 'heads'>): number {
  return given ?? hiddenSize / heads;
}

/** Throws unless each of the named sizes is a whole number from 1; `where` names their source. */
export function assertWhole<Name extends string>(
  config: Readonly<Record<Name, number>>,
  names: readonly Name[],
  where: string,
): void {
  for (const name of names) {
    if (!Number.isInteger(config[name]) || config[name] < 1) {
      throw invalidInput(`${where}: ${name} is ${config[name]}; a whole number from 1 is needed`, { at: where });
    }
  }
}

/** Throws unless what every decoder has makes one. `even`: heads must be of an even size. */
export function assertDecoderSizes(config: DecoderSizes, where: string, { even = false } = {}): void {
  const names = ['vocabularySize', 'hiddenSize', 'layers', 'heads', 'keyValueHeads', 'maxPositions'] as const;
  assertWhole(config, names, where);
  const size = headSize(config);
  if (size % (even ? 2 : 1) !== 0) {
    const heads = `${config.heads} heads of an ${even ? 'even' : 'whole'} size`;
    throw invalidInput(
      config.headSize === undefined
        ? `${where}: hiddenSize ${config.hiddenSize} does not divide into ${heads}`
        : `${where}: headSize is ${size}; an ${even ? 'even' : 'whole'} number is needed`,
      { at: where },
    );
  }
  if (config.headSize !== undefined) assertWhole({ headSize: size }, ['headSize'], where);
  if (config.heads % config.keyValueHeads !== 0) {
    throw invalidInput(`${where}: ${config.heads} heads do not divide over ${config.keyValueHeads} key-value heads`, {
      at: where,
    });
  }
}
