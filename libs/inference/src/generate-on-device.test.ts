import { requireWebGpu, startProgram } from '@crucible/testing';
import { expect, it } from 'vitest';
import type { GeneratedOnDevice } from './testing/generate-on-device.ts';

const script = new URL('testing/generate-on-device.ts', import.meta.url).pathname;

async function generated(device: string, env: Readonly<Record<string, string>>): Promise<GeneratedOnDevice> {
  const { code, stdout, stderr } = await startProgram(process.execPath, [script, device], { env }).exited;
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as GeneratedOnDevice;
}

requireWebGpu('on WebGPU', (environment) => {
  it(
    'answers and scores are those of the CPU, with the cache in the memory of the device',
    { timeout: 240_000 },
    async () => {
      const [expected, found] = [await generated('cpu', environment), await generated('webgpu', environment)];
      expect(found.answers).toHaveLength(14);
      found.answers.forEach(({ tokens, finish }, i) => {
        const answer = expected.answers[i]!;
        expect(tokens.map(({ id }) => id)).toEqual(answer.tokens.map(({ id }) => id));
        expect(tokens.map(({ logProbability }) => logProbability)).toBeAllClose(
          answer.tokens.map(({ logProbability }) => logProbability),
        );
        expect(finish).toBe(answer.finish);
      });
      expect(found.scores).toBeAllClose(expected.scores);
      expect(found.liveAtEnd).toBe(0);
    },
  );
});
