/**
 * The optimizer of the stages that learn a decoder from examples (pre-training, fine-tuning, reward model). `muon`: Muon for
 * the matrices inside it, AdamW for the embeddings, the head and the norms, each at its own multiple of the learning rate.
 * `adamw`: AdamW for everything at one rate, for models that were trained elsewhere. PPO, whose steps must stay small, does
 * the same.
 *
 * Embeddings begin with deviation 1 and are moved by few tokens of a batch, so they take larger steps; the head begins
 * at zero and is moved by every token, so it takes smaller ones. A tied matrix is both, and keeps the plain rate.
 */
import { type DecoderConfig, type DecoderHead, decoderParameters, type ParameterRole } from '@crucible/nn';
import { createOptimizer, type Optimizer } from '@crucible/optim';

export type OptimizerName = 'muon' | 'adamw';

export interface DecoderOptimizerOptions {
  readonly config: DecoderConfig;
  readonly head: DecoderHead;
  /** Default: muon. */
  readonly optimizer?: OptimizerName;
  readonly clipNorm: number;
  readonly weightDecay: number;
  /** Of muon's. Default: 10. */
  readonly embeddingRateFactor?: number;
}

const headRateFactor = 0.3;

export function decoderOptimizer({
  config,
  head,
  optimizer = 'muon',
  clipNorm,
  weightDecay,
  embeddingRateFactor = 10,
}: DecoderOptimizerOptions): Optimizer {
  const adamW = { weightDecay };
  if (optimizer === 'adamw') return createOptimizer({ clipNorm, adamW });
  const roles = new Map<string, ParameterRole>();
  for (const { path, role } of decoderParameters(config, head)) roles.set(path, role);
  return createOptimizer({
    clipNorm,
    useMuon: (path) => roles.get(path) === 'matrix' || roles.get(path) === 'output',
    muon: { weightDecay },
    adamW,
    rateFactor: (path) => {
      if (config.tieEmbeddings) return 1;
      const role = roles.get(path);
      if (role === 'embedding') return embeddingRateFactor;
      return role === 'head' && head.kind === 'language' ? headRateFactor : 1;
    },
  });
}
