/**
 * How well a language model is learned from scratch in three minutes: tinyshakespeare, the first 90 % to train on, the
 * last 10 % held out, as is custom. The clock decides how many steps there are: the learning rate follows the time that
 * has passed, and the training stops when it is over. Making the tokenizer and compiling count as training.
 */
import { readFileSync } from 'node:fs';
import { Random } from '@crucible/foundation';
import { type DecoderConfig, initLanguageModel, type ModelWeights } from '@crucible/nn';
import { trainBpe } from '@crucible/tokenizer';
import { BitsPerByte, decoderOptimizer, meanPredictionLoss, streamSource, TrainStep } from '@crucible/training';
import type { Benchmark } from './benchmark.ts';
import { dataMissing, findData } from './data-folder.ts';

const file = 'corpus/tinyshakespeare.txt';
const seconds = 180;
/** Kept back for the last step and for what the clock cannot see coming. */
const reserve = 1;

const vocabulary = 1024;
const shape = {
  hiddenSize: 128,
  intermediateSize: 352,
  layers: 4,
  heads: 4,
  keyValueHeads: 4,
  maxPositions: 256,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tieEmbeddings: false,
};
const [rows, time] = [6, 256];
const rate = { peak: 0.008, warmup: 0.02, decay: 0.7 };

export const shakespeare: Benchmark<'bits_per_byte' | 'train_s'> = {
  description: `a language model from scratch on tinyshakespeare in ${seconds} s; CRUCIBLE_DATA names the folder of the data`,
  metrics: {
    bits_per_byte: { meaning: 'of the held-out last 10 %', unit: 'bits a byte' },
    train_s: { meaning: 'wall time of the training, tokenizer included', unit: 's' },
  },
  run: async (report) => {
    const path = findData(file);
    if (path === undefined) return { bits_per_byte: null, train_s: null, note: dataMissing(file) };
    const text = readFileSync(path, 'utf8');
    const cut = Math.floor(text.length * 0.9);
    const [train, heldOut] = [text.slice(0, cut), text.slice(cut)];

    const start = performance.now();
    const elapsed = (): number => (performance.now() - start) / 1000;
    const tokenizer = await trainBpe([train], { vocabSize: vocabulary });
    const config: DecoderConfig = { family: 'llama', ...shape, vocabularySize: tokenizer.vocabSize };
    const source = streamSource(Int32Array.from(tokenizer.encode(train)), 1);
    const training = new TrainStep<ModelWeights, ReturnType<typeof source.batch>>(
      initLanguageModel(config, Random.seeded(1)),
      (parameters, batch) => ({ loss: meanPredictionLoss(parameters, config, batch) }),
      {
        name: 'shakespeare',
        optimizer: decoderOptimizer({ config, head: { kind: 'language' }, clipNorm: 1, weightDecay: 0.1 }),
      },
    );
    const first = tokenizer.bosId ?? 0;
    const tokens = Int32Array.from([first, ...tokenizer.encode(heldOut)]);
    const validator = new BitsPerByte(
      config,
      { tokens, bytes: Buffer.byteLength(heldOut) },
      { rows, time: shape.maxPositions, batches: Infinity },
    );
    try {
      let step = 0;
      for (let done = elapsed() / (seconds - reserve); done < 1; done = elapsed() / (seconds - reserve)) {
        const learningRate = rate.peak * Math.min(1, done / rate.warmup, (1 - done) / rate.decay);
        const { loss } = await training.run(source.batch(step, rows, time), learningRate);
        if (++step % 50 === 0) report(`step ${step}, ${elapsed().toFixed(0)} s: loss ${loss.toFixed(3)} nats a token`);
      }
      const train_s = elapsed();
      return { bits_per_byte: await validator.measure(training.parameters), train_s };
    } finally {
      await training.dispose();
      await validator.dispose();
    }
  },
};
