import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram, temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import type { DeviceChoice } from '../device.ts';
import { add } from '../library/elementwise.ts';
import { floats } from '../nd-array.ts';
import { compile } from '../trace/compile.ts';
import { chooseDevice, graphicsCard } from './choose-device.ts';

function folderWith(...files: readonly string[]): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'dri'));
  for (const file of files) writeFileSync(join(folder, file), '');
  return folder;
}

describe('a device', () => {
  it('is the CPU where nothing is said', async () => {
    const program = await compile({ x: floats([1], [1]) }, ({ x }) => ({ y: add(x, 1) }));
    expect(program.device).toBe('cpu');
    await program.dispose();
  });

  it('is chosen where none is named, and the choice is told', async () => {
    const { device, reason } = await chooseDevice('auto');
    const card = graphicsCard(process.platform);
    if (card === undefined) expect([device, reason]).toEqual(['cpu', 'no graphics card is found']);
    else expect(reason).toMatch(new RegExp(`^${card} ${device === 'cpu' ? 'is there but runs nothing: ' : 'runs'}`));
  });

  it.each([
    [['nvidia0', 'nvidiactl', 'null'], 'the card nvidia0'],
    [['dri/card0', 'dri/renderD128'], 'the card renderD128'],
    [['dxg'], 'the card dxg'],
    [['nvidiactl', 'dri/card0', 'tty0'], undefined],
  ])('is looked for among %j', (files, expected) => {
    expect(graphicsCard('linux', folderWith(...files))).toBe(expected);
  });

  it('that does not exist is refused', () => {
    expect(() => chooseDevice('gpu' as DeviceChoice)).toThrow(
      'device gpu is unknown; there are auto, cpu, webgpu, cuda',
    );
  });

  it.runIf(process.platform === 'linux')(
    'that was named and is not there is an error, and no other device',
    async () => {
      const code = `
      const { compile, floats, add } = await import('${new URL('../index.ts', import.meta.url).href}');
      for (const device of ['webgpu', 'cuda']) {
        try {
          await compile({ x: floats([1], [1]) }, ({ x }) => ({ y: add(x, 1) }), { device });
        } catch ({ code, at, message }) {
          console.log(JSON.stringify({ code, at, message }));
        }
      }`;
      const env = { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' };
      const { stdout } = await startProgram(process.execPath, ['--input-type=module', '-e', code], { env }).exited;
      const [webgpu, cuda] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(webgpu).toEqual({
        code: 'unavailable',
        at: 'device',
        message:
          'device webgpu: no GPU is found; it needs a driver (on Linux: Vulkan, libvulkan1 and the driver of the card), or take the device cpu',
      });
      expect(cuda).toMatchObject({
        code: 'unavailable',
        at: 'device',
        message: expect.stringMatching(
          /^device cuda: (.*missing in .*onnxruntime-gpu|.*does not load|Linux on x64)/,
        ) as string,
      });
    },
  );
});
