import type { HostType } from '../dtype.ts';
import { isNdArray, type NdArray } from '../nd-array.ts';
import type { Shape } from '../shape.ts';

/**
 * An array in a GPU's memory: an output that a program was told to keep there, or what `toDevice` put there. Programs on
 * the same device take it as they take an NdArray. It has an owner, who disposes of it; `toHost` copies it.
 */
export class DeviceArray<D extends HostType = HostType> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly #handle: { dispose: () => void };
  #disposed = false;
  static #live = 0;

  constructor(dtype: D, shape: Shape, handle: { dispose: () => void }) {
    this.dtype = dtype;
    this.shape = shape;
    this.#handle = handle;
    DeviceArray.#live++;
  }

  /** How many are not disposed of: for tests of leaks. */
  static get live(): number {
    return DeviceArray.#live;
  }

  /** The runtime's own object. */
  get handle(): object {
    if (this.#disposed) throw new Error('internal: an array on a device is used after it was disposed of');
    return this.#handle;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    DeviceArray.#live--;
    this.#handle.dispose();
  }
}

/** An array wherever it is. On the CPU, and on devices that give all outputs back to the host, always an NdArray. */
export type AnyArray<D extends HostType = HostType> = NdArray<D> | DeviceArray<D>;

export function isAnyArray(value: unknown): value is AnyArray {
  return value instanceof DeviceArray || isNdArray(value);
}

/** Disposes of what a tree has on a device. */
export function disposeArrays(tree: unknown): void {
  if (tree instanceof DeviceArray) tree.dispose();
  else if (typeof tree === 'object' && tree !== null && !isNdArray(tree)) Object.values(tree).forEach(disposeArrays);
}
