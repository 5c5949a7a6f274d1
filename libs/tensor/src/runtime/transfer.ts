/**
 * Copies between the host and a device. ONNX Runtime's own way to read a buffer ends the process (onnxruntime-node 1.30),
 * so that programs do it which do nothing: one for each element type and rank, over any sizes.
 */
import type { Device } from '../device.ts';
import type { DType } from '../dtype.ts';
import { identityModel } from '../lower/identity-model.ts';
import { isNdArray, type NdArray } from '../nd-array.ts';
import { sizeOf } from '../shape.ts';
import { mapTree, type TreeLike } from '../tree.ts';
import { type AnyArray, DeviceArray, isAnyArray } from './device-array.ts';
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

function openSession(way: Way, dtype: DType, rank: number): Promise<Session> {
  return Session.create(identityModel(dtype, rank), { device: 'webgpu', kept: way === 'to the device' ? ['y'] : [] });
}

/** A copy in host memory; the array itself where it is there already. */
export async function toHost<D extends DType>(array: AnyArray<D>): Promise<NdArray<D>> {
  return array instanceof DeviceArray ? ((await copy(array, 'to the host')) as NdArray<D>) : array;
}

/**
 * A copy in the device's memory, which the caller owns; the array itself where the device works on the host's memory or
 * keeps nothing in its own, and where there is nothing to copy.
 */
export async function toDevice<D extends DType>(array: AnyArray<D>, device: Device): Promise<AnyArray<D>> {
  const stays = array instanceof DeviceArray || !keepsOutputs(device) || sizeOf(array.shape) === 0;
  return stays ? array : ((await copy(array, 'to the device')) as AnyArray<D>);
}

/** `toHost` for the leaves of a tree. */
export async function treeToHost<T>(tree: T): Promise<TreeLike<T, AnyArray, NdArray>> {
  return (await mapArrays(tree, isAnyArray, toHost)) as TreeLike<T, AnyArray, NdArray>;
}

/** `toDevice` for the leaves of a tree. */
export async function treeToDevice<T>(tree: T, device: Device): Promise<TreeLike<T, NdArray, AnyArray>> {
  if (!keepsOutputs(device)) return tree as TreeLike<T, NdArray, AnyArray>;
  return (await mapArrays(tree, isNdArray, (array) => toDevice(array, device))) as TreeLike<T, NdArray, AnyArray>;
}

async function mapArrays<A extends AnyArray>(
  tree: unknown,
  isLeaf: (value: unknown) => value is A,
  change: (array: A) => Promise<AnyArray>,
): Promise<unknown> {
  const changed = new Map<A, AnyArray>();
  const leaves: A[] = [];
  mapTree(tree, isLeaf, (leaf) => leaves.push(leaf));
  // One after the other: programs must not overlap.
  for (const leaf of leaves) changed.set(leaf, await change(leaf));
  return mapTree(tree, isLeaf, (leaf) => changed.get(leaf));
}
