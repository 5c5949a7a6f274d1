import { invalidInput } from '@crucible/foundation';

/** Share of the peak learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

export interface WarmupDecay {
  /** Steps of the whole run. */
  readonly steps: number;
  /** Steps of linear rise from 0. Default: 0. */
  readonly warmup?: number;
  /** Share of the steps, at the end, over which the rate falls. Default: 1, the whole run after the warm-up. */
  readonly decayShare?: number;
  /** Form of the fall. Default: `cosine`. */
  readonly shape?: 'cosine' | 'linear';
  /** Share of the peak at the end. Default: 0. */
  readonly final?: number;
}

/** Linear warm-up, a plateau, then a fall (Loshchilov & Hutter 2017; with a plateau: Hu et al. 2024, MiniCPM). */
export function warmupDecay({ steps, warmup = 0, decayShare = 1, shape = 'cosine', final = 0 }: WarmupDecay): Schedule {
  if (!(steps >= 1 && warmup >= 0 && warmup <= steps)) {
    throw invalidInput(`schedule: ${warmup} warm-up steps do not fit into ${steps}`);
  }
  for (const [name, share] of Object.entries({ decayShare, final })) {
    if (!(share >= 0 && share <= 1)) throw invalidInput(`schedule: ${name} is ${share}; a share from 0 to 1 is needed`);
  }
  const decayStart = Math.max(warmup, steps - Math.round(decayShare * steps));
  return (step) => {
    if (step < warmup) return (step + 1) / warmup;
    if (step < decayStart) return 1;
    const progress = Math.min(1, (step - decayStart) / Math.max(1, steps - decayStart));
    const fall = shape === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
    return final + (1 - final) * fall;
  };
}
