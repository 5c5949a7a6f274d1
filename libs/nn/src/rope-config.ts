/** Rotary positions as config.json has them: `rope_parameters` of transformers 5, `rope_theta` and `rope_scaling` of those before. */
import type { ConfigFields } from './config-fields.ts';
import type { RopeScaling } from './rope.ts';

interface RopeSettings {
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
}

const ropeTypes = ['default', 'linear', 'dynamic', 'llama3', 'yarn'] as const;

export function parseRope(fields: ConfigFields, maxPositions: number): RopeSettings {
  fields.only('partial_rotary_factor', 1);
  fields.only('rope_interleaved', false);
  // `||` as some files have an empty object in one and the numbers in the other.
  const [newer, older] = [fields.take('rope_parameters'), fields.take('rope_scaling')];
  const given = newer ?? older ?? {};
  if (typeof given !== 'object' || Array.isArray(given))
    fields.fail(`rope parameters are ${JSON.stringify(given)}, not an object`);
  const rope = new Map(Object.entries(given));
  const number = (key: string, fallback?: number): number => {
    const value: unknown = rope.get(key) ?? fallback;
    rope.delete(key);
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : fields.fail(`rope parameters: ${key} is ${JSON.stringify(value)}, not a number`);
  };
  const type: unknown = rope.get('rope_type') ?? rope.get('type') ?? 'default';
  rope.delete('rope_type');
  rope.delete('type');
  const ropeTheta = number('rope_theta', fields.number('rope_theta', 10_000));
  if (number('partial_rotary_factor', 1) !== 1)
    fields.fail('rope parameters: partial_rotary_factor is supported as 1 alone');
  const scaling = parseScaling(type, number, rope, maxPositions, fields);
  const [unknown] = rope.keys();
  if (unknown !== undefined)
    fields.fail(`rope parameters: ${unknown} is not known for rope type ${JSON.stringify(type)}`);
  return { ropeTheta, ...(scaling && { ropeScaling: scaling }) };
}

function parseScaling(
  type: unknown,
  number: (key: string, fallback?: number) => number,
  rope: Map<string, unknown>,
  maxPositions: number,
  fields: ConfigFields,
): RopeScaling | undefined {
  const wanted = ropeTypes.find((each) => each === type);
  switch (wanted) {
    case undefined:
      return fields.fail(`rope type ${JSON.stringify(type)} is not supported; supported are ${ropeTypes.join(', ')}`);
    case 'default':
      return undefined;
    case 'linear':
    case 'dynamic':
      return { type: wanted, factor: number('factor') };
    case 'llama3':
      return {
        type: wanted,
        factor: number('factor'),
        lowFrequencyFactor: number('low_freq_factor'),
        highFrequencyFactor: number('high_freq_factor'),
        originalMaxPositions: number('original_max_position_embeddings', maxPositions),
      };
    case 'yarn': {
      const originalMaxPositions = number('original_max_position_embeddings', maxPositions);
      const factor = number('factor', maxPositions / originalMaxPositions);
      const [own, all] = [number('mscale', 0), number('mscale_all_dim', 0)];
      const growth = (share: number): number => (factor <= 1 ? 1 : 0.1 * share * Math.log(factor) + 1);
      const truncate = rope.get('truncate') ?? true;
      rope.delete('truncate');
      return {
        type: wanted,
        factor,
        originalMaxPositions,
        attentionFactor: number('attention_factor', own !== 0 && all !== 0 ? growth(own) / growth(all) : growth(1)),
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        truncate: truncate === true,
      };
    }
  }
}

/** Both spellings: programs of many ages read our folders. */
export function formatRope({ ropeTheta, ropeScaling }: RopeSettings): Record<string, unknown> {
  const scaling = ropeScaling && formatScaling(ropeScaling);
  return {
    rope_theta: ropeTheta,
    rope_scaling: scaling ?? null,
    ...(scaling && { rope_parameters: { rope_theta: ropeTheta, ...scaling } }),
  };
}

function formatScaling(scaling: RopeScaling): Record<string, unknown> {
  switch (scaling.type) {
    case 'linear':
    case 'dynamic':
      return { rope_type: scaling.type, factor: scaling.factor };
    case 'llama3':
      return {
        rope_type: scaling.type,
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalMaxPositions,
      };
    case 'yarn':
      return {
        rope_type: scaling.type,
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalMaxPositions,
        attention_factor: scaling.attentionFactor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
      };
  }
}
