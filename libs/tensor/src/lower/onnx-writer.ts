/** Collects the nodes and initializers of an ONNX graph (onnx.ai, IR version 10, operator set 21). */
import { create, toBinary } from '@bufbuild/protobuf';
import type { NdArray } from '../nd-array.ts';
import type { Shape } from '../shape.ts';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './generated/onnx_pb.ts';

/** TensorProto.DataType of the format. */
export const elementType = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  uint32: 12,
  bfloat16: 16,
} as const;

interface OnnxType {
  readonly shape: Shape;
  readonly dtype: keyof typeof elementType;
}

/** ONNX Runtime's own operators live in this domain. */
export const microsoft = 'com.microsoft';

/** A float attribute; plain numbers are integers. */
export class FloatAttribute {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** A graph within a node: see `OnnxWriter.within`. */
export class GraphAttribute {
  readonly graph: GraphProto;
  constructor(graph: GraphProto) {
    this.graph = graph;
  }
}

export type AttributeValue = number | FloatAttribute | GraphAttribute | string | readonly number[];

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Default: the standard domain. */
  readonly domain?: string;
  /** How many results; '' leaves one out. Default: 1. */
  readonly outputs?: number;
}

export class OnnxWriter {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #shared = new Map<string, string>();
  readonly #sharedNodes = new Map<string, readonly string[]>();
  readonly #constants = new Map<NdArray, string>();
  /** Values of nodes that are not results of the graph. */
  readonly #computed = new Set<string>();
  /** Counts for all graphs of a model: one within another must not use its names. */
  readonly #names: { next: number; readonly taken: Set<string> };

  constructor(names = { next: 0, taken: new Set<string>() }) {
    this.#names = names;
  }

  /** A writer for a graph within a node of this one. Its nodes may use this one's values by name. */
  within(): OnnxWriter {
    return new OnnxWriter(this.#names);
  }

  #newName(prefix: string): string {
    for (;;) {
      const name = `${prefix}${this.#names.next++}`;
      if (!this.#names.taken.has(name)) return name;
    }
  }

  /** Adds a node and returns the names of its results. */
  node(operator: string, inputs: readonly string[], options: NodeOptions = {}): string[] {
    const base = this.#newName('v');
    const count = options.outputs ?? 1;
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? base : `${base}.${i}`));
    for (const output of outputs) this.#computed.add(output);
    const attribute = Object.entries(options.attributes ?? {}).map(([name, value]) => attributeProto(name, value));
    this.#nodes.push(
      create(NodeProtoSchema, {
        opType: operator,
        name: `${operator}_${base}`,
        input: [...inputs],
        output: outputs,
        attribute,
        domain: options.domain ?? '',
      }),
    );
    return outputs;
  }

  /** Like `node` for the usual case of one result. */
  op(operator: string, inputs: readonly string[], options: Omit<NodeOptions, 'outputs'> = {}): string {
    return this.node(operator, inputs, options)[0]!;
  }

  /** A node that is made once however often it is asked for: helpers such as casts that several rules need. */
  sharedOp(operator: string, inputs: readonly string[], options: Omit<NodeOptions, 'outputs'> = {}): string {
    return this.sharedNode(operator, inputs, options)[0]!;
  }

  /** Like `sharedOp`, for several results. */
  sharedNode(operator: string, inputs: readonly string[], options: NodeOptions = {}): readonly string[] {
    const key = JSON.stringify([operator, inputs, options]);
    let names = this.#sharedNodes.get(key);
    if (names === undefined) this.#sharedNodes.set(key, (names = this.node(operator, inputs, options)));
    return names;
  }

  /** The same array is written once. */
  constant(value: NdArray): string {
    let name = this.#constants.get(value);
    if (name === undefined) {
      this.#constants.set(
        value,
        (name = this.#initializer(elementType[value.dtype], value.shape, bytesOf(value.data))),
      );
    }
    return name;
  }

  /** Bytes: what is packed into them is for the operator that reads them. */
  bytes(shape: Shape, data: Uint8Array): string {
    return this.#initializer(elementType.uint8, shape, bytesOf(data));
  }

  /** A list of int64: shapes, axes, pads. Initializers stay on the host whatever the device. */
  int64s(values: readonly number[]): string {
    return this.#sharedInitializer(`int64s ${values.join()}`, elementType.int64, [values.length], () =>
      bytesOf(BigInt64Array.from(values, BigInt)),
    );
  }

  int64(value: number): string {
    return this.#sharedInitializer(`int64 ${value}`, elementType.int64, [], () =>
      bytesOf(BigInt64Array.of(BigInt(value))),
    );
  }

  /** A constant that is made once, by a name for it. */
  sharedConstant(name: string, make: () => NdArray): string {
    let known = this.#shared.get(name);
    if (known === undefined) this.#shared.set(name, (known = this.constant(make())));
    return known;
  }

  uint32(value: number): string {
    return this.#sharedInitializer(`uint32 ${value}`, elementType.uint32, [], () => bytesOf(Uint32Array.of(value)));
  }

  /** One float32. */
  scalar(value: number): string {
    return this.#sharedInitializer(`scalar ${value}`, elementType.float32, [], () => bytesOf(Float32Array.of(value)));
  }

  /** A vector of one repeated float32. */
  filled(value: number, length: number): string {
    return this.#sharedInitializer(`filled ${value} ${length}`, elementType.float32, [length], () =>
      bytesOf(new Float32Array(length).fill(value)),
    );
  }

  input(name: string, type: OnnxType): void {
    this.#names.taken.add(name);
    this.#inputs.push(valueInfo(name, type));
  }

  /** An input of a graph within a node; the node feeds it by its place. */
  element(type: OnnxType): string {
    const name = this.#newName('e');
    this.input(name, type);
    return name;
  }

  /** Declares `value` as a result of the graph and returns the result's name. */
  output(value: string, type: OnnxType): string {
    // A value that is computed and not a result yet is one itself; an input, a constant or a second use is copied.
    const isNew = this.#computed.delete(value);
    const name = isNew ? value : this.op('Identity', [value]);
    this.#outputs.push(valueInfo(name, type));
    return name;
  }

  /**
   * A first result that is no tensor, which the binding cannot hand out: see `Session.runInto`. Its type is left to ONNX
   * Runtime.
   */
  withUnreadable(): void {
    this.#outputs.unshift(create(ValueInfoProtoSchema, { name: this.op('SequenceEmpty', []) }));
  }

  /** The whole model, serialised. */
  finish(): Uint8Array {
    const model = create(ModelProtoSchema, {
      irVersion: 10n,
      producerName: 'crucible',
      opsetImport: [
        { domain: '', version: 21n },
        { domain: microsoft, version: 1n },
      ],
      graph: this.#graph(),
    });
    return toBinary(ModelProtoSchema, model);
  }

  /** The graph as a value of an attribute. */
  finishWithin(): GraphAttribute {
    return new GraphAttribute(this.#graph());
  }

  #graph(): GraphProto {
    return create(GraphProtoSchema, {
      name: 'program',
      node: this.#nodes,
      initializer: this.#initializers,
      input: this.#inputs,
      output: this.#outputs,
    });
  }

  /** With those of graphs within. */
  get nodeCount(): number {
    return countNodes(this.#nodes);
  }

  #sharedInitializer(key: string, type: number, shape: Shape, bytes: () => Uint8Array): string {
    let name = this.#shared.get(key);
    if (name === undefined) this.#shared.set(key, (name = this.#initializer(type, shape, bytes())));
    return name;
  }

  #initializer(dataType: number, shape: Shape, rawData: Uint8Array): string {
    const name = this.#newName('c');
    this.#initializers.push(create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData }));
    return name;
  }
}

function countNodes(nodes: readonly NodeProto[]): number {
  const graphs = nodes.flatMap(({ attribute }) => attribute.flatMap(({ g }) => (g ? [g] : [])));
  return nodes.length + graphs.reduce((total, graph) => total + countNodes(graph.node), 0);
}

export function attributeProto(name: string, value: AttributeValue): AttributeProto {
  if (value instanceof FloatAttribute) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.value });
  }
  if (value instanceof GraphAttribute) {
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value.graph });
  }
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}

function valueInfo(name: string, { dtype, shape }: OnnxType): ValueInfoProto {
  const dim = shape.map((size) => ({ dimValue: BigInt(size) }));
  return create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType: elementType[dtype], shape: { dim } } } });
}

/** Little-endian bytes, as the format wants them and as every platform of ONNX Runtime has them. */
function bytesOf(data: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice();
}
