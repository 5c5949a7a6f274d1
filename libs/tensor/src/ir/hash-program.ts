import { createHash, type Hash } from 'node:crypto';
import type { NdArray } from '../nd-array.ts';
import { isProgram, type Program, topologicalOrder } from './graph.ts';
import { isPrimitive, type Tensor } from './tensor.ts';

/**
 * SHA-256 of what a program computes, in hexadecimal: of its form, parameters and constants, with the names and types of
 * its inputs; not of the numbers that its nodes happen to have in their graph. The same in every process.
 */
export function hashProgram(program: Program): string {
  return digestOf(program, { programs: new Map(), data: new Map() });
}

/** What has been hashed already: programs within several nodes, and large constants. */
interface Known {
  readonly programs: Map<Program, string>;
  readonly data: Map<object, string>;
}

function digestOf(program: Program, known: Known): string {
  const places = new Map<Tensor, number>();
  const lines: string[] = [];
  const place = (tensor: Tensor, line: string): void => {
    places.set(tensor, places.size);
    lines.push(line);
  };
  for (const input of program.inputs) place(input, `input ${paramsText(input, known)}`);
  for (const tensor of topologicalOrder(program.outputs)) {
    if (places.has(tensor)) continue;
    const operands = tensor.inputs.map((input) => places.get(input)!).join(',');
    place(tensor, `${tensor.primitive}(${operands})${paramsText(tensor, known)}`);
  }
  lines.push(`return ${program.outputs.map((output) => places.get(output)!).join(',')}`);
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

function paramsText(tensor: Tensor, known: Known): string {
  if (isPrimitive(tensor, 'constant')) return constantText(tensor.params.value, known);
  return JSON.stringify(tensor.params, (_key, value: unknown) => {
    if (isProgram(value)) return once(known.programs, value, () => digestOf(value, known));
    // JSON has no words for these, and one for both zeros.
    if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)))
      return `number ${Object.is(value, -0) ? '-0' : value}`;
    return value;
  });
}

function constantText({ dtype, shape, data }: NdArray, known: Known): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const content = once(known.data, data, () => updated(createHash('sha256'), bytes).digest('hex'));
  return `${dtype}[${shape.join(',')}]${content}`;
}

/** A single update takes less than 2 GiB. */
function updated(hash: Hash, bytes: Uint8Array): Hash {
  const most = 1 << 30;
  for (let at = 0; at < bytes.length; at += most) hash.update(bytes.subarray(at, at + most));
  return hash;
}

function once<K>(known: Map<K, string>, key: K, make: () => string): string {
  let text = known.get(key);
  if (text === undefined) known.set(key, (text = make()));
  return text;
}
