/**
 * Bits of uint32 by arithmetic, for devices whose kernels have none: ONNX Runtime's WebGPU knows of uint32 no more than
 * sums, products and quotients, which wrap as they should. Exact, and slower than the operators by far.
 */
import { ndArray } from '../../nd-array.ts';
import { elementType, type OnnxWriter } from '../onnx-writer.ts';

/** a · 2ⁿ or a / 2ⁿ. */
export function shiftByArithmetic(onnx: OnnxWriter, operator: 'Mul' | 'Div', a: string, places: string): string {
  const powers = onnx.sharedConstant('powers of two', () =>
    ndArray(
      'uint32',
      [32],
      Uint32Array.from({ length: 32 }, (_, i) => 2 ** i),
    ),
  );
  return onnx.op(operator, [a, onnx.sharedOp('Gather', [powers, toInt32(onnx, places)])]);
}

/** Byte by byte out of a table; a | b = a + b - (a & b) and a ^ b = a + b - 2 (a & b). */
export function combineByArithmetic(onnx: OnnxWriter, kind: 'and' | 'or' | 'xor', a: string, b: string): string {
  const both = andByTable(onnx, a, b);
  if (kind === 'and') return both;
  const counted = kind === 'or' ? both : onnx.op('Add', [both, both]);
  return onnx.op('Sub', [onnx.op('Add', [a, b]), counted]);
}

function andByTable(onnx: OnnxWriter, a: string, b: string): string {
  const table = onnx.sharedConstant('and of bytes', () =>
    ndArray(
      'uint32',
      [1 << 16],
      Uint32Array.from({ length: 1 << 16 }, (_, i) => (i >> 8) & (i & 255)),
    ),
  );
  const [bytesA, bytesB] = [bytesOf(onnx, a), bytesOf(onnx, b)];
  return bytesA
    .map((byte, i) => {
      const at = onnx.op('Add', [onnx.sharedOp('Mul', [byte, onnx.uint32(256)]), bytesB[i]!]);
      const found = onnx.op('Gather', [table, toInt32(onnx, at)]);
      return i === 0 ? found : onnx.op('Mul', [found, onnx.uint32(2 ** (8 * i))]);
    })
    .reduce((sum, part) => onnx.op('Add', [sum, part]));
}

/** The four bytes of each word, the lowest first. */
function bytesOf(onnx: OnnxWriter, word: string): string[] {
  const above = [1, 2, 3].map((i) => onnx.sharedOp('Div', [word, onnx.uint32(2 ** (8 * i))]));
  const rest = [word, ...above];
  return rest.map((bits, i) => {
    if (i === 3) return bits;
    return onnx.sharedOp('Sub', [bits, onnx.sharedOp('Mul', [rest[i + 1]!, onnx.uint32(256)])]);
  });
}

function toInt32(onnx: OnnxWriter, name: string): string {
  return onnx.sharedOp('Cast', [name], { attributes: { to: elementType.int32 } });
}
