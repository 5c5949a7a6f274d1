/** Hugging Face's PEFT, where Python has it, and the adapters that it wrote: see fixtures/peft_adapters.py. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelKind } from '../architectures.ts';
import { askPython } from './python.ts';

const script = 'peft_adapters.py';

const home = join(import.meta.dirname, '../../fixtures/peft');

export const adapterFixtures = readdirSync(home);

export function adapterFixture(name: string): string {
  return join(home, name);
}

export function modelFixture(name: string): string {
  return join(import.meta.dirname, '../../../nn/fixtures/generated', name);
}

/** The versions of the packages, undefined where there are none. */
export const peft = askPython(script, {}).answer as Record<'torch' | 'transformers' | 'peft', string> | undefined;

export interface AdapterRequest {
  readonly base: string;
  readonly adapter: string;
  readonly kind: ModelKind;
  readonly rows: readonly (readonly number[])[];
}

/** The logits of models with adapters, row-major. */
export function readWithPeft(requests: readonly AdapterRequest[]): number[][] {
  const { answer, complaint } = askPython(script, { read: requests });
  if (answer === undefined) throw new Error(`internal: PEFT failed: ${complaint}`);
  return answer as number[][];
}
