import { Random } from '@crucible/foundation';
import { encoderConfigOf, mlm, mlmDefaults } from './mlm.ts';
import { maskedVocabulary } from './batches/masked-windows.ts';
import { streamSource } from './batches/token-windows.ts';
import { trainWordPiece } from '@crucible/tokenizer';
import { describe, expect, it } from 'vitest';

describe('masked pre-training', () => {
  it('learns what the text around a mask is about', async () => {
    const random = Random.seeded(4);
    const topics = ['iron forge anvil smith', 'snow frost winter ice', 'bread oven flour baker'].map((words) =>
      words.split(' '),
    );
    const text = Array.from({ length: 200 }, () => {
      const words = random.pick(topics);
      return Array.from({ length: 60 }, () => random.pick(words)).join(' ');
    }).join(' ');
    const tokenizer = await trainWordPiece([text], { vocabSize: 120 });
    const stream = Int32Array.from(tokenizer.encode(text));
    const config = encoderConfigOf(
      { ...mlmDefaults, hiddenSize: 32, layers: 2, heads: 2, maxPositions: 32 },
      tokenizer.vocabSize,
    );
    const { metrics } = await mlm(
      {
        config,
        vocabulary: maskedVocabulary(tokenizer),
        source: streamSource(stream, 1),
        validation: streamSource(stream, 2),
      },
      { steps: 60, rows: 16, time: 32, warmupSteps: 10, learningRate: 0.02 },
    );
    // Who knows no more than how frequent the words are has a loss of ln 12 = 2.48 nats; who knows the topic, of ln 4 = 1.39.
    expect(metrics['val_loss']).toBeLessThan(1.9);
    expect(metrics['val_loss']).toBeGreaterThan(1.3);
  });

  it('refuses rows beyond the context', async () => {
    const config = encoderConfigOf({ ...mlmDefaults, maxPositions: 16 }, 24);
    const vocabulary = {
      cls: 0,
      sep: 1,
      mask: 2,
      size: 24,
      continues: new Uint8Array(24),
      special: new Uint8Array(24),
    };
    await expect(
      mlm({ config, vocabulary, source: streamSource(new Int32Array(100).fill(3), 1) }, { time: 17 }),
    ).rejects.toThrow("mlm: rows of 17 tokens are longer than the model's context of 16");
  });
});
