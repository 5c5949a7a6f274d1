/**
 * The optimizer of the stages that learn a decoder from examples (pre-training, fine-tuning, reward model): Muon for the
 * matrices inside it, AdamW for the embeddings, the head and the norms, each at its own multiple of the learning rate. PPO,
 * whose steps must stay small, trains everything by AdamW at one rate.
 *
 * Embeddings begin with deviation 1 and are moved by few tokens of a batch, so they take larger steps; the head begins
 * at zero and is moved by every token, so it takes smaller ones. A tied matrix is both, and keeps the plain rate.
 */
import { isInnerMatrix } from '@crucible/nn';
import { createOptimizer, type Optimizer } from '@crucible/optim';

export interface DecoderOptimizerOptions {
  readonly tieEmbeddings: boolean;
  readonly clipNorm: number;
  readonly weightDecay: number;
  /** Default: 10. */
  readonly embeddingRateFactor?: number;
}

const headRateFactor = 0.3;

export function decoderOptimizer({
  tieEmbeddings,
  clipNorm,
  weightDecay,
  embeddingRateFactor = 10,
}: DecoderOptimizerOptions): Optimizer {
  return createOptimizer({
    clipNorm,
    useMuon: isInnerMatrix,
    muon: { weightDecay },
    adamW: { weightDecay },
    rateFactor: (path) => {
      if (tieEmbeddings) return 1;
      if (path.includes('embed_tokens')) return embeddingRateFactor;
      return path.includes('lm_head') ? headRateFactor : 1;
    },
  });
}
