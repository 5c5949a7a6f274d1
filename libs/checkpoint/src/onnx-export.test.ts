/** ONNX Runtime for Python runs our files, where it is installed. Without, that part is skipped by name. */
import '@crucible/testing';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDecoderConfig, saveModel, type SavedModel } from './model-folder.ts';
import { exportModelOnnx } from './onnx-export.ts';
import { askPython } from './testing/python.ts';
import { modelsOfAllFamilies } from './testing/random-model.ts';
import { runModel } from './testing/run-model.ts';

const versions = askPython('onnx_run.py', {}).answer as { onnx: string; onnxruntime: string } | undefined;
const name = versions
  ? `onnxruntime ${versions.onnxruntime} for Python with onnx ${versions.onnx}`
  : 'onnxruntime for Python (skipped: CRUCIBLE_PYTHON, or python3, does not have it and onnx)';

const vocabulary = 60;
const models = modelsOfAllFamilies(vocabulary, 0);
const outputs: Record<string, [name: string, shape: string[]]> = {
  language: ['logits', ['batch', 'sequence', String(vocabulary)]],
  'masked-language': ['logits', ['batch', 'sequence', String(vocabulary)]],
  scalar: ['logits', ['batch', '1']],
  classifier: ['logits', ['batch', '3']],
  embedding: ['sentence_embedding', ['batch', '12']],
};

/** Rows of 80, 9 and 1 tokens, with padding behind them, and before them. */
const rows = [80, 9, 1].map((length, row) => Array.from({ length }, (_, i) => 3 + ((7 * i * i + row) % 50)));
const padded = (side: 'left' | 'right'): number[][] =>
  rows.map((row) => {
    const padding = new Array<number>(80 - row.length).fill(0);
    return side === 'left' ? [...padding, ...row] : [...row, ...padding];
  });

it.each(Object.entries(models))('is written with its weights within, or beside it: %s', (_name, model) => {
  const folder = temporaryFolder();
  saveModel(folder, model, {});
  exportModelOnnx(folder, join(folder, 'a.onnx'));
  exportModelOnnx(folder, join(folder, 'b.onnx'), { external: true });
  expect(readdirSync(folder).filter((entry) => entry.includes('.onnx'))).toEqual(['a.onnx', 'b.onnx', 'b.onnx.data']);
});

describe.skipIf(!versions)(name, () => {
  interface Answer {
    readonly domains: string[];
    readonly outputs: string[];
    readonly shapes: string[][];
    /** Of each feed, of each output. */
    readonly values: number[][][];
  }
  let folder: string;
  let answers: Record<string, Answer>;
  const sides = (model: SavedModel): ('left' | 'right')[] =>
    isDecoderConfig(model.config) ? ['right', 'left'] : ['right'];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'crucible-'));
    const requests = Object.entries(models).map(([each, model], i) => {
      const home = join(folder, each);
      mkdirSync(home);
      saveModel(home, model, {});
      const path = join(home, 'model.onnx');
      exportModelOnnx(home, path, { external: i % 2 === 1 });
      const feeds = sides(model).map((side) => {
        const ids = padded(side);
        const hasTypes = !isDecoderConfig(model.config) && model.config.tokenTypes > 1;
        return {
          input_ids: ids,
          attention_mask: ids.map((row) => row.map((id) => Number(id !== 0))),
          ...(hasTypes && { token_type_ids: ids.map((row) => row.map(() => 0)) }),
        };
      });
      return { path, feeds };
    });
    const { answer, complaint } = askPython('onnx_run.py', { models: requests });
    if (answer === undefined) throw new Error(`internal: onnxruntime failed: ${complaint}`);
    answers = Object.fromEntries(Object.keys(models).map((each, i) => [each, (answer as Answer[])[i]!]));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(Object.keys(models))('finds nothing but the standard in %s, and open sizes', (which) => {
    const { domains, outputs: names, shapes } = answers[which]!;
    const [output, shape] = outputs[models[which]!.kind]!;
    expect({ domains, names, shapes }).toEqual({ domains: [''], names: [output], shapes: [shape] });
  });

  it.each(Object.keys(models))('gives our answers, padding on either side: %s', async (which) => {
    const model = models[which]!;
    for (const [i, side] of sides(model).entries()) {
      const values = answers[which]!.values[i]![0]!;
      const each = values.length / rows.length;
      for (const [row, ids] of rows.entries()) {
        const own = await runModel(model, [ids]);
        const isEach = model.kind === 'language' || model.kind === 'masked-language';
        const wanted = model.kind === 'scalar' ? [own.at(-1)! - model.bias] : [...own];
        const start = row * each + (isEach && side === 'left' ? each - wanted.length : 0);
        expect(values.slice(start, start + wanted.length)).toBeAllClose(wanted, { atol: 2e-5, rtol: 1e-5 });
      }
    }
  });
});
