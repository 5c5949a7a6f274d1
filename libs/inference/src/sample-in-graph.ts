import {
  argMax,
  cast,
  cumulativeSum,
  div,
  equal,
  lessOrEqual,
  log,
  minimum,
  mul,
  reshape,
  sliceAxis,
  softmax,
  sum,
  takeAlong,
  type Tensor,
  where,
} from '@crucible/tensor';

/**
 * Chooses a token for each row of logits [batch, vocabulary] inside the graph, by inversion: the first token whose
 * cumulative probability exceeds u. Row i uses temperature[i] (0: the most probable token) and uniform[i] in [0, 1).
 * Only ids and log-probabilities leave the graph, not batch × vocabulary logits.
 */
export function sampleInGraph(
  logits: Tensor,
  temperature: Tensor,
  uniform: Tensor,
): { readonly ids: Tensor; readonly logProbabilities: Tensor } {
  const [batch, vocabulary] = logits.shape as [number, number];
  const column = (x: Tensor): Tensor => reshape(x, [batch, 1]);
  const isGreedy = equal(temperature, 0);
  const probabilities = softmax(div(logits, column(where(isGreedy, 1, temperature))));
  const cumulative = cumulativeSum(probabilities);
  const total = sliceAxis(cumulative, 1, vocabulary - 1, vocabulary);
  const before = cast(lessOrEqual(cumulative, mul(column(uniform), total)), 'int32');
  const sampled = minimum(sum(before, { axes: 1 }), vocabulary - 1);
  const ids = where(isGreedy, argMax(logits), sampled);
  return { ids, logProbabilities: reshape(log(takeAlong(probabilities, column(ids))), [batch]) };
}
