/** The files of an adapter, as PEFT names them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hashFile } from './weight-files.ts';

export const adapterConfigFile = 'adapter_config.json';

export const adapterWeightsFile = 'adapter_model.safetensors';

export function isAdapterFolder(folder: string): boolean {
  return existsSync(join(folder, adapterConfigFile));
}

/** SHA-256 of an adapter's parameters, hexadecimal. */
export function hashAdapter(folder: string): string {
  return hashFile(join(folder, adapterWeightsFile));
}
