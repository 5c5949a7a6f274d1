import { invalidInput } from '@crucible/foundation';
import { ndArray, type NdArray } from '../nd-array.ts';
import type { DType, HostArrays, HostType } from '../dtype.ts';
import type { Shape } from '../shape.ts';
import { inferType } from './infer-type.ts';
import type { Primitive, PrimitiveParams } from './primitive.ts';
import { Tensor, type TensorType } from './tensor.ts';

/** Constants up to this many elements are compared by content, larger ones by identity of their data. */
const comparedByContent = 64;

/** Where nodes live: makes each distinct node once (hash-consing). */
export class Graph {
  readonly #nodes = new Map<string, Tensor>();
  readonly #identities = new WeakMap<object, number>();
  #nextId = 0;
  #nextIdentity = 0;
  #nextPlaceholder = 0;

  /** The node for a primitive applied to inputs; types are checked and inferred here, so errors come while tracing. */
  node<P extends Primitive>(primitive: P, inputs: readonly Tensor[], params: PrimitiveParams[P]): Tensor {
    for (const input of inputs) {
      if (input.graph !== this) throw new Error(`internal: ${primitive} mixes tensors of two graphs`);
      if (input.parts && primitive !== 'part') throw new Error(`internal: ${primitive} reads several results as one`);
    }
    const key = `${primitive}(${inputs.map((input) => input.id).join(',')})${this.#paramsKey(primitive, params)}`;
    const known = this.#nodes.get(key);
    if (known) return known;
    const type = inferType(primitive, inputs, params);
    const made = new Tensor(this, this.#nextId++, primitive, inputs, params, type);
    this.#nodes.set(key, made);
    return made;
  }

  input(name: string, shape: Shape, dtype: DType): Tensor<'input'> {
    return this.node('input', [], { name, shape, dtype }) as Tensor<'input'>;
  }

  /** An input of its own, which stands for a value while a program within this one is traced. */
  placeholder({ shape, dtype }: TensorType): Tensor<'input'> {
    // The name may be one that the caller's inputs have: then there is such a node already.
    for (;;) {
      const fresh = this.#nextId;
      const input = this.input(`#${this.#nextPlaceholder++}`, shape, dtype);
      if (input.id === fresh) return input;
    }
  }

  /** The id that the next new node gets. */
  get nextId(): number {
    return this.#nextId;
  }

  constant<D extends HostType>(dtype: D, shape: Shape, data: HostArrays[D]): Tensor {
    return this.node('constant', [], { value: ndArray(dtype, shape, data) });
  }

  scalar(value: number, dtype: DType = 'float32'): Tensor {
    if (dtype !== 'float32' && !Number.isInteger(value)) {
      throw invalidInput(`${value} is no ${dtype}; cast the tensor that it meets to float32`);
    }
    switch (dtype) {
      case 'float32':
        return this.constant('float32', [], Float32Array.of(value));
      case 'int32':
        return this.constant('int32', [], Int32Array.of(value));
      case 'uint32':
        return this.constant('uint32', [], Uint32Array.of(value));
      case 'bool':
        return this.constant('bool', [], Uint8Array.of(value));
      case 'float16':
      case 'bfloat16':
        throw new Error(`internal: there are no constants of ${dtype}`);
    }
  }

  #paramsKey<P extends Primitive>(primitive: P, params: PrimitiveParams[P]): string {
    if (primitive === 'constant') return this.#constantKey((params as PrimitiveParams['constant']).value);
    // A matrix of few bits is the same where it is one object.
    if ('weight' in params) return `${JSON.stringify(params)}@${this.#identity(params.weight)}`;
    if (!('body' in params || 'then' in params || 'backward' in params)) return JSON.stringify(params);
    // Programs within this one are the same where they are one object.
    return JSON.stringify(params, (_key, value: unknown) => (isProgram(value) ? `@${this.#identity(value)}` : value));
  }

  #constantKey({ dtype, shape, data }: NdArray): string {
    const content =
      data.length <= comparedByContent ? Array.from(data, contentKey).join(',') : `@${this.#identity(data)}`;
    return `${dtype}[${shape.join(',')}]${content}`;
  }

  #identity(data: object): number {
    let identity = this.#identities.get(data);
    if (identity === undefined) this.#identities.set(data, (identity = this.#nextIdentity++));
    return identity;
  }
}

function contentKey(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A function over named inputs, ready to be rewritten, lowered or evaluated. */
export interface Program {
  /** Every input, used or not, in the caller's order. */
  readonly inputs: readonly Tensor<'input'>[];
  readonly outputs: readonly Tensor[];
}

export function isProgram(value: unknown): value is Program {
  return typeof value === 'object' && value !== null && 'inputs' in value && 'outputs' in value;
}

/** The programs within a node, each beside the inputs of the node that it takes. */
export function programsWithin(tensor: Tensor): readonly Program[] {
  return Object.values(tensor.params).filter(isProgram);
}

/** The nodes that the outputs need, inputs before users; not those in `without`, nor what they alone need. */
export function topologicalOrder(outputs: readonly Tensor[], without?: { has: (tensor: Tensor) => boolean }): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  // Iterative: a deep program would overflow the call stack.
  const stack: { tensor: Tensor; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output) || without?.has(output)) continue;
    seen.add(output);
    stack.push({ tensor: output, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.tensor.inputs[top.next++];
      if (input === undefined) {
        order.push(top.tensor);
        stack.pop();
      } else if (!seen.has(input) && !without?.has(input)) {
        seen.add(input);
        stack.push({ tensor: input, next: 0 });
      }
    }
  }
  return order;
}

/** How often each node is used, by other nodes and as an output. */
export function countUses(outputs: readonly Tensor[]): Map<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const count = (tensor: Tensor): void => void uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  for (const tensor of topologicalOrder(outputs)) tensor.inputs.forEach(count);
  outputs.forEach(count);
  return uses;
}
