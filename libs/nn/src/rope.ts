/**
 * Rotary position embedding (Su et al. 2021): which angles positions have. Longer contexts than a model was trained on
 * come by changed frequencies, in the ways and with the numbers of transformers' `rope_parameters`.
 */
import { invalidInput } from '@crucible/foundation';
import { cast, cos, mul, reshape, sin, type Tensor } from '@crucible/tensor';

/**
 * How the frequencies differ from base^(-2i/size). `dynamic` scales them beyond the context that we allow alone, so
 * within it there is no difference.
 */
export type RopeScaling =
  | { readonly type: 'linear' | 'dynamic'; readonly factor: number }
  | {
      /** By wavelength: short ones stay, long ones are divided by `factor` (Llama 3.1). */
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    }
  | {
      /** Peng et al. 2023. */
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalMaxPositions: number;
      /** What cosines and sines are multiplied by. */
      readonly attentionFactor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly truncate: boolean;
    };

export interface RopeOptions {
  /** Size of a head. */
  readonly size: number;
  readonly theta: number;
  readonly scaling?: RopeScaling | undefined;
}

/** Throws when the numbers make no frequencies; `where` names their source. */
export function assertRopeScaling(scaling: RopeScaling, where: string): void {
  const fail = (what: string): never => {
    throw invalidInput(`${where}: ${what}`, { at: where });
  };
  for (const [key, value] of Object.entries(scaling)) {
    if (typeof value === 'number' && !(Number.isFinite(value) && value > 0))
      fail(`rope scaling: ${key} is ${value}; a number above 0 is needed`);
  }
  if (scaling.factor < 1) fail(`rope scaling: factor is ${scaling.factor}; a number from 1 is needed`);
  if (scaling.type === 'llama3' && scaling.highFrequencyFactor <= scaling.lowFrequencyFactor)
    fail('rope scaling: the high-frequency factor must be above the low-frequency one');
}

/** Radians a position, of each of the size / 2 pairs, and what cosines and sines are multiplied by. */
export function ropeFrequencies({ size, theta, scaling }: RopeOptions): {
  readonly frequencies: number[];
  readonly amplitude: number;
} {
  const half = size / 2;
  const plain = Array.from({ length: half }, (_, i) => theta ** (-i / half));
  switch (scaling?.type) {
    case undefined:
    case 'dynamic':
      return { frequencies: plain, amplitude: 1 };
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), amplitude: 1 };
    case 'llama3': {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling;
      const frequencies = plain.map((frequency) => {
        const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
        if (turns < low) return frequency / factor;
        if (turns > high) return frequency;
        const smooth = (turns - low) / (high - low);
        return (1 - smooth) * (frequency / factor) + smooth * frequency;
      });
      return { frequencies, amplitude: 1 };
    }
    case 'yarn': {
      const { factor, originalMaxPositions, betaFast, betaSlow, truncate } = scaling;
      // The pair that makes so many turns over the original context.
      const pairOf = (turns: number): number =>
        (size * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
      const [fast, slow] = [pairOf(betaFast), pairOf(betaSlow)];
      const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
      const high = Math.min(truncate ? Math.ceil(slow) : slow, size - 1);
      const frequencies = plain.map((frequency, i) => {
        const interpolated = Math.min(1, Math.max(0, (i - low) / (high === low ? 0.001 : high - low)));
        return (frequency / factor) * interpolated + frequency * (1 - interpolated);
      });
      return { frequencies, amplitude: scaling.attentionFactor };
    }
  }
}

/** What `rotary` takes for tokens at `positions`, int32 [batch, time]: a row of the tables for each of them. */
export interface Rotation {
  readonly rows: Tensor;
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/**
 * The angles are worked out in the graph, for the tokens that are there: tables of every position that a model allows
 * would take more room than many a model.
 */
export function rotationAt(positions: Tensor, options: RopeOptions): Rotation {
  const { graph } = positions;
  const [batch, time] = positions.shape as [number, number];
  const count = batch * time;
  const { frequencies, amplitude } = ropeFrequencies(options);
  const column = reshape(cast(positions, 'float32'), [count, 1]);
  const angles = mul(column, graph.constant('float32', [1, frequencies.length], Float32Array.from(frequencies)));
  const scaled = (x: Tensor): Tensor => (amplitude === 1 ? x : mul(x, amplitude));
  const rows = graph.constant(
    'int32',
    [batch, time],
    Int32Array.from({ length: count }, (_, i) => i),
  );
  return { rows, cos: scaled(cos(angles)), sin: scaled(sin(angles)) };
}
