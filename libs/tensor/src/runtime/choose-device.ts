/** Which device a program is to run on. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import { type Device, type DeviceChoice, deviceChoices } from '../device.ts';
import { identityModel } from '../lower/identity-model.ts';
import { floats } from '../nd-array.ts';
import { Session } from './session.ts';

export interface ChosenDevice {
  readonly device: Device;
  /** For people: why this one. */
  readonly reason: string;
}

const chosen = new Map<DeviceChoice, Promise<ChosenDevice>>();

/**
 * The device for a choice, which is tried out once. `auto` is WebGPU where the machine has a graphics card and the card
 * runs a program, else the CPU. A device that was named and does not work is an error, never another device.
 */
export function chooseDevice(choice: DeviceChoice): Promise<ChosenDevice> {
  if (!deviceChoices.includes(choice)) {
    throw invalidInput(`device ${choice as string} is unknown; there are ${deviceChoices.join(', ')}`, {
      at: 'device',
    });
  }
  let known = chosen.get(choice);
  if (!known) {
    chosen.set(choice, (known = choice === 'auto' ? bestDevice() : named(choice)));
    known.catch(() => chosen.delete(choice));
  }
  return known;
}

async function named(device: Device): Promise<ChosenDevice> {
  if (device !== 'cpu') await tryOut(device);
  return { device, reason: 'it was asked for' };
}

async function bestDevice(): Promise<ChosenDevice> {
  const card = graphicsCard(process.platform);
  // Vulkan without a card is a program on the CPU, slower than ONNX Runtime there.
  if (card === undefined) return { device: 'cpu', reason: 'no graphics card is found' };
  try {
    await tryOut('webgpu');
    return { device: 'webgpu', reason: `${card} runs programs` };
  } catch (reason) {
    return { device: 'cpu', reason: `${card} is there but runs nothing: ${CrucibleError.from(reason).message}` };
  }
}

async function tryOut(device: Device): Promise<void> {
  const session = await Session.create(identityModel('float32', 1), { device });
  await session.run({ x: floats([2], [1, 2]) }, ['y']);
  await session.dispose();
}

/** What says that there is one; ONNX Runtime does not tell which it took. */
export function graphicsCard(platform: NodeJS.Platform, devices = '/dev'): string | undefined {
  if (platform === 'darwin') return 'Metal';
  if (platform === 'win32') return 'Direct3D';
  const found = [
    ...namesIn(devices).filter((name) => /^(nvidia\d+|dxg)$/.test(name)),
    ...namesIn(join(devices, 'dri')).filter((name) => /^renderD\d+$/.test(name)),
  ];
  return found[0] === undefined ? undefined : `the card ${found[0]}`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
