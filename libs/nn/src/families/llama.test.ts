import { describe, expect, it } from 'vitest';
import { headSize } from '../decoder-sizes.ts';
import { assertDecoderConfig } from '../families.ts';
import type { LlamaConfig } from './llama.ts';

const config: LlamaConfig = {
  family: 'llama',
  vocabularySize: 61,
  hiddenSize: 24,
  intermediateSize: 37,
  layers: 2,
  heads: 6,
  keyValueHeads: 2,
  maxPositions: 40,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: true,
};

describe('assertDecoderConfig', () => {
  it('accepts sizes that make a model', () => {
    expect(() => assertDecoderConfig(config, 'config.json')).not.toThrow();
    expect(headSize(config)).toBe(4);
  });

  it.each<[Partial<LlamaConfig>, string]>([
    [{ vocabularySize: 0 }, 'vocabularySize is 0; a whole number from 1 is needed'],
    [{ hiddenSize: 24.5 }, 'hiddenSize is 24.5; a whole number from 1 is needed'],
    [{ intermediateSize: -1 }, 'intermediateSize is -1; a whole number from 1 is needed'],
    [{ layers: NaN }, 'layers is NaN; a whole number from 1 is needed'],
    [{ heads: 0 }, 'heads is 0; a whole number from 1 is needed'],
    [{ keyValueHeads: 0 }, 'keyValueHeads is 0; a whole number from 1 is needed'],
    [{ maxPositions: Infinity }, 'maxPositions is Infinity; a whole number from 1 is needed'],
    [{ heads: 8 }, 'hiddenSize 24 does not divide into 8 heads of an even size'],
    [{ heads: 7 }, 'hiddenSize 24 does not divide into 7 heads of an even size'],
    [{ keyValueHeads: 4 }, '6 heads do not divide over 4 key-value heads'],
    [{ keyValueHeads: 12 }, '6 heads do not divide over 12 key-value heads'],
    [{ headSize: 5 }, 'headSize is 5; an even number is needed'],
    [{ headSize: 0 }, 'headSize is 0; a whole number from 1 is needed'],
    [{ ropeScaling: { type: 'linear', factor: 0.5 } }, 'rope scaling: factor is 0.5; a number from 1 is needed'],
    [{ ropeScaling: { type: 'dynamic', factor: NaN } }, 'rope scaling: factor is NaN; a number above 0 is needed'],
    [{ rmsNormEpsilon: 0 }, 'rmsNormEpsilon and ropeTheta must be above 0'],
    [{ ropeTheta: NaN }, 'rmsNormEpsilon and ropeTheta must be above 0'],
  ])('refuses %j', (change, message) => {
    expect(() => assertDecoderConfig({ ...config, ...change }, 'config.json')).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: `config.json: ${message}`, at: 'config.json' }),
    );
  });
});
