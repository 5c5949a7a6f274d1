import { requireWebGpu, startProgram } from '@crucible/testing';
import { expect, it } from 'vitest';
import type { TrainedOnDevice } from './testing/train-on-device.ts';

const script = new URL('testing/train-on-device.ts', import.meta.url).pathname;

async function trained(device: string, env: Readonly<Record<string, string>>): Promise<TrainedOnDevice[]> {
  const { code, stdout, stderr } = await startProgram(process.execPath, [script, device], { env }).exited;
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as TrainedOnDevice[];
}

requireWebGpu('on WebGPU', (environment) => {
  it(
    'a model learns as on the CPU, and nothing is left in the memory of the device',
    { timeout: 240_000 },
    async () => {
      const [expected, found] = [await trained('cpu', environment), await trained('webgpu', environment)];
      expect(found).toHaveLength(expected.length);
      found.forEach((run, i) => {
        const cpu = expected[i]!;
        expect(run.losses.at(-1)!).toBeLessThan(run.losses[0]! - 0.5);
        expect(run.losses).toBeAllClose(cpu.losses, { rtol: 1e-4 });
        expect(run.gradientNorms).toBeAllClose(cpu.gradientNorms, { rtol: 1e-3 });
        expect(Object.keys(run.values)).toEqual(Object.keys(cpu.values));
        for (const [path, values] of Object.entries(run.values)) {
          expect(values, path).toBeAllClose(cpu.values[path]!, { atol: 2e-3 });
        }
        // Parameters and both moments of each, and nothing beside them, after every step
        expect(run.live).toEqual(run.live.map(() => Object.keys(run.values).length));
        expect(run.liveAtEnd).toBe(0);
      });
    },
  );
});
