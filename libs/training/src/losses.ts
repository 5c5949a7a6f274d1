/** Losses as functions of symbolic parameters and batches; the stages choose among them. */
import {
  decode,
  type DecoderConfig,
  hiddenRows,
  type KeysAndValues,
  type ParameterTree,
  type Predictions,
  predictionsOf,
  type Recompute,
  scalarScores,
} from '@crucible/nn';
import {
  add,
  argMax,
  cast,
  clamp,
  equal,
  exp,
  gather,
  isTensor,
  less,
  likeliestToken,
  logProbability,
  logSigmoid,
  maximum,
  mul,
  square,
  sub,
  sum,
  type Tensor,
  tokenLogProbability,
} from '@crucible/tensor';

export interface PackedInput {
  readonly ids: Tensor;
  readonly positions: Tensor;
  readonly segments: Tensor;
  readonly branches: Tensor;
  /** Of an adapter. Default: none. */
  readonly prefix?: KeysAndValues | undefined;
  /** Default: none. */
  readonly recompute?: Recompute;
}

/** Predictions for the chosen tokens: `at` int32 [n]. */
export function predictionsAt(
  model: ParameterTree<Tensor>,
  config: DecoderConfig,
  input: PackedInput,
  at: Tensor,
): Predictions {
  return predictionsOf(model, config, hiddenRows(decode(model, config, input).hidden, at));
}

/** Scores of the chosen tokens: `at` int32 [n] → [n]. */
export function scoresAt(model: ParameterTree<Tensor>, config: DecoderConfig, input: PackedInput, at: Tensor): Tensor {
  return scalarScores(model, hiddenRows(decode(model, config, input).hidden, at));
}

/**
 * Cross-entropy in nats, and the share of targets that are the most probable class; both weighted sums. Of a language
 * model's predictions, or of few classes by their logits [n, classes].
 */
export function predictionLoss(
  of: Predictions | Tensor,
  targets: Tensor,
  weights: Tensor,
): { readonly loss: Tensor; readonly accuracy: Tensor } {
  const [best, logProbabilities] = isTensor(of)
    ? [argMax(of), logProbability(of, targets)]
    : [likeliestToken(of.hidden, of.head), tokenLogProbability(of.hidden, of.head, targets)];
  const hit = cast(equal(best, targets), 'float32');
  return { loss: mul(sum(mul(logProbabilities, weights)), -1), accuracy: sum(mul(hit, weights)) };
}

/**
 * Bradley–Terry loss -log σ(r_better - r_worse) (Christiano et al. 2017) over pairs of scored answers: `better` and
 * `worse` int32 [pairs] are indices into `scores` [n]; weighted sums.
 */
export function pairLoss(
  scores: Tensor,
  better: Tensor,
  worse: Tensor,
  weights: Tensor,
): { readonly loss: Tensor; readonly accuracy: Tensor; readonly margin: Tensor } {
  const margin = sub(gather(scores, better), gather(scores, worse));
  const right = cast(less(0, margin), 'float32');
  return {
    loss: mul(sum(mul(logSigmoid(margin), weights)), -1),
    accuracy: sum(mul(right, weights)),
    margin: sum(mul(margin, weights)),
  };
}

/**
 * The clipped policy loss of PPO (Schulman et al. 2017, equation 7) over response tokens; all inputs [tokens], results
 * weighted sums. The log-ratio is held within ±20 before it is exponentiated.
 */
export function policyLoss(
  logProbabilities: Tensor,
  old: { readonly logProbabilities: Tensor; readonly advantages: Tensor; readonly weights: Tensor },
  clip: number,
): { readonly loss: Tensor; readonly approxKl: Tensor; readonly clipFraction: Tensor; readonly ratio: Tensor } {
  const difference = sub(logProbabilities, old.logProbabilities);
  const ratio = exp(clamp(difference, -20, 20));
  const free = mul(mul(old.advantages, -1), ratio);
  const held = mul(mul(old.advantages, -1), clamp(ratio, 1 - clip, 1 + clip));
  const mean = (x: Tensor): Tensor => sum(mul(x, old.weights));
  return {
    loss: mean(maximum(free, held)),
    approxKl: mul(mean(square(difference)), 0.5),
    clipFraction: mean(cast(less(free, held), 'float32')),
    ratio: mean(ratio),
  };
}

/** The clipped value loss of PPO: half the larger of the squared errors with and without clipping; weighted sums. */
export function valueLoss(
  values: Tensor,
  old: { readonly values: Tensor; readonly returns: Tensor; readonly weights: Tensor },
  clip: number,
): { readonly loss: Tensor; readonly clipFraction: Tensor } {
  const held = clamp(values, sub(old.values, clip), add(old.values, clip));
  const free = square(sub(values, old.returns));
  const clipped = square(sub(held, old.returns));
  const mean = (x: Tensor): Tensor => sum(mul(x, old.weights));
  return {
    loss: mul(mean(maximum(free, clipped)), 0.5),
    clipFraction: mean(cast(less(free, clipped), 'float32')),
  };
}
