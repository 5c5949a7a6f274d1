import { invalidInput } from '@crucible/foundation';

/** Sizes of a Llama-style decoder (Touvron et al. 2023), with the meaning of the fields of LlamaForCausalLM's config. */
export interface LlamaConfig {
  readonly vocabularySize: number;
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Inner width of the gated feed-forward network. */
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; divides `heads` (grouped-query attention, Ainslie et al. 2023). */
  readonly keyValueHeads: number;
  /** Longest sequence, in tokens. */
  readonly maxPositions: number;
  readonly rmsNormEpsilon: number;
  /** Base of the rotary frequencies. */
  readonly ropeTheta: number;
  /** Whether the output matrix is the embedding matrix. */
  readonly tieEmbeddings: boolean;
}

/** Size of one head. */
export function headSize(config: LlamaConfig): number {
  return config.hiddenSize / config.heads;
}

/** Throws when the sizes do not make a model; `where` names their source. */
export function assertLlamaConfig(config: LlamaConfig, where: string): void {
  const whole = [
    'vocabularySize',
    'hiddenSize',
    'intermediateSize',
    'layers',
    'heads',
    'keyValueHeads',
    'maxPositions',
  ] as const;
  for (const key of whole) {
    if (!Number.isInteger(config[key]) || config[key] < 1) {
      throw invalidInput(`${where}: ${key} is ${config[key]}; a whole number from 1 is needed`, { at: where });
    }
  }
  if (headSize(config) % 2 !== 0) {
    throw invalidInput(
      `${where}: hiddenSize ${config.hiddenSize} does not divide into ${config.heads} heads of an even size`,
      { at: where },
    );
  }
  if (config.heads % config.keyValueHeads !== 0) {
    throw invalidInput(`${where}: ${config.heads} heads do not divide over ${config.keyValueHeads} key-value heads`, {
      at: where,
    });
  }
  if (!(config.rmsNormEpsilon > 0) || !(config.ropeTheta > 0)) {
    throw invalidInput(`${where}: rmsNormEpsilon and ropeTheta must be above 0`, { at: where });
  }
}
