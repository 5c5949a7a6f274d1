/** The optimizer of what is learned of an encoder: Muon for the matrices inside it, or AdamW for everything. */
import type { ParameterRole, ParameterSpec } from '@crucible/nn';
import { createOptimizer, type Optimizer } from '@crucible/optim';
import type { OptimizerName } from './decoder-optimizer.ts';

export interface EncoderOptimizerOptions {
  readonly parameters: Iterable<ParameterSpec>;
  readonly optimizer: OptimizerName;
  readonly clipNorm: number;
  readonly weightDecay: number;
}

/** A tied embedding matrix is the head too and keeps the plain rate. */
export function encoderOptimizer({ parameters, optimizer, clipNorm, weightDecay }: EncoderOptimizerOptions): Optimizer {
  const adamW = { weightDecay };
  if (optimizer === 'adamw') return createOptimizer({ clipNorm, adamW: { ...adamW, beta2: 0.999 } });
  const roles = new Map<string, ParameterRole>(Array.from(parameters, ({ path, role }) => [path, role]));
  return createOptimizer({
    clipNorm,
    useMuon: (path) => roles.get(path) === 'matrix' || roles.get(path) === 'output',
    muon: { weightDecay },
    adamW,
  });
}
