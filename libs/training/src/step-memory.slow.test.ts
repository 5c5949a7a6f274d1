/** What steps are predicted to take, against what they take; and that a model of 135 million parameters can be fine-tuned in 4 GB. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { resolveStage } from './forge/presets.ts';
import { predictionBand } from './step-memory.ts';
import type { StepMemoryCase, StepMemoryFigures } from './testing/step-memory-process.ts';

const script = join(import.meta.dirname, 'testing/step-memory-process.ts');

async function figuresOf(given: StepMemoryCase): Promise<StepMemoryFigures> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(given)]);
  return JSON.parse(stdout) as StepMemoryFigures;
}

function sizes(hiddenSize: number, layers: number, vocabularySize: number): StepMemoryCase['config'] {
  const heads = hiddenSize / 32;
  const intermediateSize = 8 * Math.round(hiddenSize / 3);
  const common = { maxPositions: 2048, rmsNormEpsilon: 1e-5, ropeTheta: 1e5, tieEmbeddings: true };
  return {
    family: 'llama',
    vocabularySize,
    hiddenSize,
    intermediateSize,
    layers,
    heads,
    keyValueHeads: heads,
    ...common,
  };
}

it.each<[string, StepMemoryCase]>([
  ['all of a small model', { lora: false, config: sizes(256, 4, 4096), rows: 8, time: 256, targets: 512 }],
  ['all of one with many words', { lora: false, config: sizes(384, 6, 8192), rows: 2, time: 256, targets: 128 }],
  ['LoRA, many rows', { lora: true, config: sizes(256, 4, 4096), rows: 8, time: 256, targets: 512 }],
  ['LoRA, every token', { lora: true, config: sizes(256, 8, 4096), rows: 4, time: 256, targets: 1024 }],
  [
    'LoRA, a row at a time',
    { lora: true, config: sizes(256, 8, 4096), rows: 4, time: 256, targets: 1024, microBatches: 4 },
  ],
  ['LoRA, one long row', { lora: true, config: sizes(512, 8, 16_384), rows: 1, time: 512, targets: 128 }],
])('%s takes what is predicted, within the band', { timeout: 300_000 }, async (_name, given) => {
  const { predicted, measured } = await figuresOf(given);
  expect(measured / predicted, `${Math.round(measured)} of ${Math.round(predicted)} MiB`).toBeGreaterThan(
    1 - predictionBand,
  );
  expect(measured / predicted, `${Math.round(measured)} of ${Math.round(predicted)} MiB`).toBeLessThan(
    1 + predictionBand,
  );
});

it('LoRA of SmolLM2-135M, as a stage makes it, fits in 4 GB, the weights included', { timeout: 900_000 }, async () => {
  const config = { ...sizes(576, 30, 49_152), intermediateSize: 1536, heads: 9, keyValueHeads: 3 };
  const { rows, time, microBatches } = resolveStage('sft', { adapter: { kind: 'lora' } }, { isImported: true }).sft;
  const { peak, losses, predicted, measured } = await figuresOf({
    lora: true,
    config,
    rows,
    time,
    targets: rows * time,
    microBatches,
  });
  expect(peak, `${Math.round(measured)} of ${Math.round(predicted)} MiB`).toBeLessThan(4e9 / 2 ** 20);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
});
