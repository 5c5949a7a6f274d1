/** Element types of tensors. Integers are int32: ids, positions, lengths; uint32 holds random bits. */
export type DType = 'float32' | 'int32' | 'uint32' | 'bool';

/** The typed array that holds elements of a dtype on the host; a bool is one byte, 0 or 1. */
export interface HostArrays {
  float32: Float32Array;
  int32: Int32Array;
  uint32: Uint32Array;
  bool: Uint8Array;
}

export type HostArray = HostArrays[DType];

export function createHostArray<D extends DType>(dtype: D, length: number): HostArrays[D];
export function createHostArray(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(length);
    case 'int32':
      return new Int32Array(length);
    case 'uint32':
      return new Uint32Array(length);
    case 'bool':
      return new Uint8Array(length);
  }
}
