import type { NdArray } from '../nd-array.ts';
import { isProgram, programsWithin, type Program, topologicalOrder } from './graph.ts';
import { isPrimitive, type Tensor, type TensorType } from './tensor.ts';

/** The program as text, a line a node; numbering depends on the program's form alone. Tests compare it. */
export function printProgram(program: Program): string {
  return linesOf(program).join('\n');
}

function linesOf(program: Program): string[] {
  const order = topologicalOrder(program.outputs);
  const names = new Map<Tensor, string>();
  for (const input of program.inputs) names.set(input, input.params.name);
  const lines: string[] = [];
  let next = 0;
  for (const tensor of order) {
    if (names.has(tensor)) continue;
    if (isPrimitive(tensor, 'constant') && tensor.params.value.data.length === 1) {
      names.set(tensor, printConstant(tensor.params.value));
      continue;
    }
    if (isPrimitive(tensor, 'part')) {
      names.set(tensor, `${names.get(tensor.inputs[0]!)}.${tensor.params.index}`);
      continue;
    }
    const name = `%${next++}`;
    names.set(tensor, name);
    const operands = tensor.inputs.map((input) => names.get(input)!).join(', ');
    lines.push(`  ${name}: ${printType(tensor)} = ${tensor.primitive}(${operands})${printParams(tensor)}`);
    for (const within of programsWithin(tensor)) lines.push(...linesOf(within).map((line) => `    ${line}`));
  }
  const inputs = program.inputs.map((input) => `${input.params.name}: ${printType(input)}`).join(', ');
  const outputs = program.outputs.map((output) => names.get(output)!).join(', ');
  return [`(${inputs}) {`, ...lines, `  return ${outputs}`, '}'];
}

export function printType({ dtype, shape, parts }: TensorType): string {
  if (parts) return `(${parts.map(printType).join(', ')})`;
  return `${dtype}[${shape.join(',')}]`;
}

function printParams(tensor: Tensor): string {
  if (isPrimitive(tensor, 'constant')) return ` ${printConstant(tensor.params.value)}`;
  const entries = Object.entries(tensor.params).filter(([, value]) => value !== false && !isProgram(value));
  if (entries.length === 0) return '';
  return ` {${entries.map(([key, value]) => (value === true ? key : `${key}: ${JSON.stringify(value)}`)).join(', ')}}`;
}

function printConstant({ data }: NdArray): string {
  const shown = Array.from(data.subarray(0, 4), (value) => String(value));
  if (data.length === 1) return shown[0]!;
  return `<${shown.join(', ')}${data.length > shown.length ? ', …' : ''}>`;
}
