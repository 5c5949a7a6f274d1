/** Models that transformers wrote, with its answers: see fixtures/models.py. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FloatArray, floats, treeFromPaths } from '@crucible/tensor';
import { ConfigFields } from '../config-fields.ts';
import { type DecoderConfig, decoderFamilies, type EncoderConfig, encoderFamilies } from '../families.ts';
import type { ModelWeights } from '../parameters.ts';

export interface ModelFixture<Config> {
  readonly name: string;
  readonly config: Config;
  /** Without what transformers stores beside the parameters. */
  readonly weights: ModelWeights;
  readonly given: FixtureInput;
  /** Values by name; gradients as `gradient.NAME`, parameters after one step as `updated.NAME`. */
  readonly expected: ReadonlyMap<string, FloatArray>;
}

interface FixtureInput {
  readonly ids: number[][];
  readonly loss: number;
  readonly adamw: { lr: number; betas: [number, number]; eps: number; weight_decay: number };
  /** Of decoders: run alone one after the other, and positions for the first row of `ids`. */
  readonly sequences: number[][];
  readonly positions: number[][];
  /** Of encoders and decoders with scores: tokens of each row before its padding. */
  readonly lengths: number[];
  readonly types: number[][];
}

const home = join(import.meta.dirname, '../../fixtures/generated');

export const fixtureNames = readdirSync(home);

export function readDecoderFixture(name: string): ModelFixture<DecoderConfig> {
  return readFixture(name, (json, path) => {
    const family = decoderFamilies.find((each) => each.name === json['model_type'])!;
    return family.parseConfig(new ConfigFields(json, path));
  });
}

export function readEncoderFixture(name: string): ModelFixture<EncoderConfig> {
  return readFixture(name, (json, path) => {
    const family = encoderFamilies.find((each) => each.name === json['model_type'])!;
    return family.parseConfig(new ConfigFields(json, path));
  });
}

function readFixture<Config extends { readonly family: string }>(
  name: string,
  parse: (json: Record<string, unknown>, path: string) => Config,
): ModelFixture<Config> {
  const path = (file: string): string => join(home, name, file);
  const json = (file: string): unknown => JSON.parse(readFileSync(path(file), 'utf8')) as unknown;
  const config = parse(json('config.json') as Record<string, unknown>, path('config.json'));
  const tensors = readTensors(path('model.safetensors'));
  return {
    name,
    config,
    weights: treeFromPaths(
      new Map([...tensors].map(([key, tensor]) => [name === 'minilm' ? `bert.${key}` : key, tensor])),
    ) as ModelWeights,
    given: json('expected.json') as FixtureInput,
    expected: readTensors(path('expected.safetensors')),
  };
}

interface StoredTensor {
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/** As little of safetensors as the fixtures need; libs/checkpoint, which reads the format in full, depends on us. */
function readTensors(path: string): Map<string, FloatArray> {
  const file = readFileSync(path);
  const dataStart = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, dataStart)) as Record<string, StoredTensor>;
  delete header['__metadata__'];
  return new Map(
    Object.entries(header).map(([name, { dtype, shape, data_offsets: offsets }]) => {
      const { buffer } = Uint8Array.from(file.subarray(dataStart + offsets[0], dataStart + offsets[1]));
      return [name, floats(shape, valuesOf(dtype, buffer))] as const;
    }),
  );
}

function valuesOf(dtype: StoredTensor['dtype'], buffer: ArrayBuffer): Float32Array {
  if (dtype === 'F32') return new Float32Array(buffer);
  if (dtype === 'F16') return Float32Array.from(new Float16Array(buffer));
  return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => half << 16).buffer);
}
