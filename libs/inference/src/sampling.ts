/** How the next token is chosen, and the choice itself on the host. */
import { invalidInput, philox } from '@crucible/foundation';

export interface Sampling {
  /** 0 takes the most probable token, as below 1e-5; above, logits are divided by it. Default: 1. */
  readonly temperature?: number;
  /** Only the k most probable tokens; 0 means all. Default: 0. */
  readonly topK?: number;
  /** Only the smallest set of tokens whose probabilities reach p (Holtzman et al. 2020). Default: 1, all. */
  readonly topP?: number;
  /** The same seed, prompt and weights give the same answer, whatever else runs. Default: random. */
  readonly seed?: number;
}

export type ResolvedSampling = Required<Sampling>;

export function resolveSampling(given: Sampling = {}): ResolvedSampling {
  const { temperature = 1, topK = 0, topP = 1, seed = Math.floor(Math.random() * 2 ** 48) } = given;
  if (!(temperature >= 0 && temperature <= 100)) fail('temperature', temperature, 'from 0 to 100');
  if (!Number.isInteger(topK) || topK < 0) fail('top_k', topK, 'a whole number from 0');
  if (!(topP > 0 && topP <= 1)) fail('top_p', topP, 'above 0 and at most 1');
  if (!Number.isSafeInteger(seed) || seed < 0) fail('seed', seed, 'a whole number from 0 to 2^53 - 1');
  // Smaller ones would make float32 logits infinite.
  return { temperature: temperature < 1e-5 ? 0 : temperature, topK, topP, seed };
}

function fail(field: string, value: number, allowed: string): never {
  throw invalidInput(`${field} is ${value}; it must be ${allowed}`, { at: field });
}

/** Whether choosing needs no more than the distribution as it is, so that the graph can do it. */
export function isPlain({ topK, topP }: ResolvedSampling): boolean {
  return topK === 0 && topP === 1;
}

const block = new Uint32Array(4);

/** The random number for the n-th token of an answer, in [0, 1): depends on the seed and n alone, exact in float32. */
export function uniformAt(seed: number, n: number): number {
  philox([seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0], n, 0, 0x73616d70, 0, block);
  return (block[0]! >>> 8) / 2 ** 24;
}

export interface Choice {
  readonly id: number;
  /** Natural logarithm of the token's probability at the temperature, before top-k and top-p; at temperature 0, of the plain softmax. */
  readonly logProbability: number;
}

/** Chooses from logits [vocabulary] with the uniform number `u`. */
export function chooseToken(logits: Float32Array, sampling: ResolvedSampling, u: number): Choice {
  const logProbabilities = logSoftmaxAt(logits, sampling.temperature === 0 ? 1 : sampling.temperature);
  if (sampling.temperature === 0) {
    const id = argMaxOf(logits);
    return { id, logProbability: logProbabilities[id]! };
  }
  const kept = keptTokens(logProbabilities, sampling);
  let total = 0;
  for (const id of kept) total += Math.exp(logProbabilities[id]!);
  let left = u * total;
  let chosen = kept[kept.length - 1]!;
  for (const id of kept) {
    left -= Math.exp(logProbabilities[id]!);
    if (left < 0) {
      chosen = id;
      break;
    }
  }
  return { id: chosen, logProbability: logProbabilities[chosen]! };
}

/** The `count` most probable tokens with their log-probabilities, most probable first. */
export function topTokens(logits: Float32Array, temperature: number, count: number): Choice[] {
  const logProbabilities = logSoftmaxAt(logits, temperature === 0 ? 1 : temperature);
  return byProbability(logProbabilities)
    .slice(0, count)
    .map((id) => ({ id, logProbability: logProbabilities[id]! }));
}

/** Tokens that top-k and top-p leave, in id order when all are kept and most probable first otherwise. */
function keptTokens(logProbabilities: Float64Array, { topK, topP }: ResolvedSampling): number[] {
  if (topK === 0 && topP === 1) return Array.from(logProbabilities.keys());
  const order = byProbability(logProbabilities);
  const most = topK === 0 ? order.length : Math.min(topK, order.length);
  let reached = 0;
  let count = 0;
  while (count < most && (count === 0 || reached < topP)) reached += Math.exp(logProbabilities[order[count++]!]!);
  return order.slice(0, count);
}

function byProbability(logProbabilities: Float64Array): number[] {
  return Array.from(logProbabilities.keys()).sort((a, b) => logProbabilities[b]! - logProbabilities[a]! || a - b);
}

function logSoftmaxAt(logits: Float32Array, temperature: number): Float64Array {
  const scaled = Float64Array.from(logits, (logit) => logit / temperature);
  const largest = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = Math.log(scaled.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest;
  return scaled.map((value) => value - total);
}

function argMaxOf(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
