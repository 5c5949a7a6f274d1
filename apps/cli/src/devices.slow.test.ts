/** A model that is trained on WebGPU, and answers from it, by the command. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireWebGpu, temporaryFolder } from '@crucible/testing';
import { expect, it } from 'vitest';
import { crucible, freePorts, startCrucible } from './testing/crucible.ts';

requireWebGpu('WebGPU', (environment) => {
  it('trains as the CPU does, and serves what it trained', { timeout: 600_000 }, async () => {
    const home = temporaryFolder();
    const corpus = join(temporaryFolder(), 'text.txt');
    writeFileSync(corpus, Array.from({ length: 400 }, (_, i) => `Line ${i} says ${i * 7}.\n`).join(''));
    const trained = async (device: string): Promise<Record<string, number>> => {
      const args = ['train', 'pretrain', '--corpus', corpus, '--name', device, '--preset', 'smoke', '--device', device];
      const { code, stdout, stderr } = await crucible(['--home', home, ...args, '--json'], { env: environment });
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      if (device !== 'cpu') expect(stderr).toContain(`computing on ${device}: it was asked for`);
      return (JSON.parse(stdout) as { metrics: Record<string, number> }).metrics;
    };
    const [onCpu, onWebGpu] = [await trained('cpu'), await trained('webgpu')];
    expect(onWebGpu['loss']).toBeCloseTo(onCpu['loss']!, 3);
    expect(onWebGpu['val_bpb']).toBeCloseTo(onCpu['val_bpb']!, 3);

    const env = { ...environment, ...freePorts, CRUCIBLE_LOG_LEVEL: 'debug' };
    const up = startCrucible(['--home', home, 'up', '--no-forge', '--device', 'webgpu'], { env });
    await up.says(/"device":"webgpu","reason":"it was asked for".*the policy service serves/, 120_000);
    await up.says(/serves at http/, 60_000);
    const ask = ['chat', 'Line 7 says', '--model', 'webgpu', '--max-tokens', '8', '--temperature', '0', '--json'];
    const { code, stdout, stderr } = await crucible(['--home', home, ...ask]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ model: 'webgpu', answer: expect.any(String) as string });
    expect(await up.end('SIGINT', 60_000)).toMatchObject({ code: 0 });
  });
});
