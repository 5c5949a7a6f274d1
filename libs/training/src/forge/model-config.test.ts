import { expect, it } from 'vitest';
import { modelConfig } from './model-config.ts';
import { resolvePreset } from './presets.ts';

it('takes the sizes of every preset, with the vocabulary that came out', () => {
  expect(modelConfig(resolvePreset('smoke')).vocabularySize).toBe(512);
  expect(modelConfig(resolvePreset(''), 777).vocabularySize).toBe(777);
});

it('refuses sizes that make no model', () => {
  const settings = (model: object) => resolvePreset('smoke', { model });
  expect(() => modelConfig(settings({ keyValueHeads: 3 }))).toThrow(
    'model: 2 heads do not divide over 3 key-value heads',
  );
});
