/**
 * Copies between the host and a device. ONNX Runtime's own way to read a buffer ends the process (onnxruntime-node 1.30),
 * so that programs do it which do nothing: one for each element type and rank, over any sizes.
 */
import type { Device } from '../device.ts';
import type { HostType } from '../dtype.ts';
import { identityModel } from '../lower/identity-model.ts';
import type { TensorType } from '../ir/tensor.ts';
import type { NdArray } from '../nd-array.ts';
import { sizeOf } from '../shape.ts';
import { flatten, mapTree, type TreeLike } from '../tree.ts';
import { type AnyArray, DeviceArray, disposeArrays, isAnyArray } from './device-array.ts';
import { keepsOutputs, Session } from './session.ts';

type Way = 'to the device' | 'to the host';

const sessions = new Map<string, Promise<Session>>();

async function copy(array: AnyArray, way: Way): Promise<AnyArray> {
  const { dtype, shape } = array;
  const key = `${way} ${dtype} ${shape.length}`;
  let session = sessions.get(key);
  if (!session) sessions.set(key, (session = openSession(way, dtype, shape.length)));
  const [copied] = await (await session).run({ x: array }, ['y']);
  return copied!;
}

function openSession(way: Way, dtype: HostType, rank: number): Promise<Session> {
  return Session.create(identityModel(dtype, rank), { device: 'webgpu', kept: way === 'to the device' ? ['y'] : [] });
}

/** A copy in host memory; the array itself where it is there already. */
export async function toHost<D extends HostType>(array: AnyArray<D>): Promise<NdArray<D>> {
  return array instanceof DeviceArray ? ((await copy(array, 'to the host')) as NdArray<D>) : array;
}

/** Whether an array of a type can stay on a device: bools have no kernel that copies them. */
export function canStay({ shape, dtype }: TensorType, device: Device): boolean {
  return keepsOutputs(device) && sizeOf(shape) > 0 && dtype !== 'bool';
}

/** A copy in the device's memory, which the caller owns; the array itself where it cannot stay there (see `canStay`). */
export async function toDevice<D extends HostType>(array: AnyArray<D>, device: Device): Promise<AnyArray<D>> {
  if (array instanceof DeviceArray || !canStay(array, device)) return array;
  return (await copy(array, 'to the device')) as AnyArray<D>;
}

/** `toHost` for the leaves of a tree: the tree itself where all of it is there. */
export async function treeToHost<T>(tree: T): Promise<TreeLike<T, AnyArray, NdArray>> {
  if (!flatten(tree, isAnyArray).some(({ leaf }) => leaf instanceof DeviceArray)) return tree as never;
  return (await mapArrays(tree, toHost)) as TreeLike<T, AnyArray, NdArray>;
}

/** `toDevice` for the leaves of a tree. */
export async function treeToDevice<T>(tree: T, device: Device): Promise<TreeLike<T, NdArray, AnyArray>> {
  if (!keepsOutputs(device)) return tree as TreeLike<T, NdArray, AnyArray>;
  return (await mapArrays(tree, (array) => toDevice(array, device))) as TreeLike<T, NdArray, AnyArray>;
}

async function mapArrays(tree: unknown, change: (array: AnyArray) => Promise<AnyArray>): Promise<unknown> {
  const changed = new Map<AnyArray, AnyArray>();
  // One after the other: programs must not overlap.
  for (const { leaf } of flatten(tree, isAnyArray)) changed.set(leaf, await change(leaf));
  return mapTree(tree, isAnyArray, (leaf) => changed.get(leaf));
}

/** A tree that programs read again and again, on their device: copied when another one comes, and then the owner's. */
export class PlacedTree<T extends object> {
  #placed: { readonly tree: T; readonly copy: TreeLike<T, NdArray, AnyArray> } | undefined;

  async place(tree: T, device: Device): Promise<TreeLike<T, NdArray, AnyArray>> {
    if (this.#placed?.tree !== tree) {
      this.dispose();
      this.#placed = { tree, copy: await treeToDevice(tree, device) };
    }
    return this.#placed.copy;
  }

  dispose(): void {
    if (this.#placed && this.#placed.copy !== (this.#placed.tree as unknown)) disposeArrays(this.#placed.copy);
    this.#placed = undefined;
  }
}
