import type { OnnxWriter } from '../onnx-writer.ts';

/** coefficients[0] + coefficients[1] x + …, by Horner's scheme. */
export function polynomial(onnx: OnnxWriter, x: string, coefficients: readonly number[]): string {
  return coefficients
    .map((coefficient) => onnx.scalar(coefficient))
    .reduceRight((sum, coefficient) => onnx.sharedOp('Add', [onnx.sharedOp('Mul', [sum, x]), coefficient]));
}
