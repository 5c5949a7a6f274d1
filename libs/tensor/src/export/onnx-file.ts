/**
 * A model of the ONNX standard in a file of its own, for others to run: operators of the standard alone, inputs whose
 * sizes may be open, weights within or in a file beside it.
 */
import { rmSync } from 'node:fs';
import { basename } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { invalidInput, writeFileAtomic, writeFileWith, writeFully } from '@crucible/foundation';
import {
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../lower/generated/onnx_pb.ts';
import { type AttributeValue, attributeProto, elementType } from '../lower/onnx-writer.ts';
import type { DType, HostArrays } from '../dtype.ts';
import { type Shape, sizeOf } from '../shape.ts';

/** Version of the standard's operators. */
const operatorSet = 21n;

/** What protobuf holds at most is 2 GiB; beyond this the weights go beside it. */
const mostWithin = 1.5e9;

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A size, or the name of one that is open. */
export type OpenShape = readonly (number | string)[];

export interface Weight {
  readonly shape: Shape;
  readonly read: () => Float32Array;
}

export class OnnxFile {
  readonly #nodes: NodeProto[] = [];
  readonly #initializers: TensorProto[] = [];
  readonly #weights = new Map<string, Weight>();
  readonly #inputs: ValueInfoProto[] = [];
  readonly #outputs: ValueInfoProto[] = [];
  readonly #shared = new Map<string, string>();

  /** Adds a node and returns the name of its result; the same node is added once. */
  op(operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.#once(JSON.stringify([operator, inputs, attributes]), () => {
      const output = `v${this.#nodes.length}`;
      const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
      this.#nodes.push(
        create(NodeProtoSchema, { opType: operator, name: output, input: [...inputs], output: [output], attribute }),
      );
      return output;
    });
  }

  floats(shape: Shape, values: readonly number[] | Float32Array): string {
    return this.#constant(elementType.float32, shape, Float32Array.from(values));
  }

  int64s(values: readonly number[]): string {
    return this.#constant(elementType.int64, [values.length], BigInt64Array.from(values, BigInt));
  }

  int64(value: number): string {
    return this.#constant(elementType.int64, [], BigInt64Array.of(BigInt(value)));
  }

  constant(dtype: DType, shape: Shape, values: HostArrays[DType]): string {
    return this.#constant(elementType[dtype], shape, values);
  }

  weight(name: string, weight: Weight): string {
    this.#weights.set(name, weight);
    return name;
  }

  input(name: string, type: number, shape: OpenShape): void {
    this.#inputs.push(valueInfo(name, type, shape));
  }

  output(name: string, value: string, type: number, shape: OpenShape): void {
    this.#nodes.push(create(NodeProtoSchema, { opType: 'Identity', name, input: [value], output: [name] }));
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** Writes the model; `external`: the weights into `path`.data. Default: where they are too many for one file. */
  write(path: string, { external }: { readonly external?: boolean | undefined } = {}): void {
    const bytes = [...this.#weights.values()].reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
    if (external === false && bytes > mostWithin)
      throw invalidInput(`${path}: ${bytes} bytes of weights are too many for one file; they can be written beside it`);
    const beside = external ?? bytes > mostWithin;
    const dataPath = `${path}.data`;
    const weights = beside ? this.#writeBeside(dataPath) : this.#weightsWithin();
    writeFileAtomic(path, this.#model(weights));
    if (!beside) rmSync(dataPath, { force: true });
  }

  #weightsWithin(): TensorProto[] {
    return Array.from(this.#weights, ([name, { shape, read }]) => {
      const rawData = bytesOf(read());
      return create(TensorProtoSchema, { name, dataType: elementType.float32, dims: shape.map(BigInt), rawData });
    });
  }

  #writeBeside(path: string): TensorProto[] {
    const written: TensorProto[] = [];
    writeFileWith(path, (descriptor) => {
      let offset = 0;
      for (const [name, { shape, read }] of this.#weights) {
        const data = bytesOf(read());
        writeFully(descriptor, data);
        const place = { location: basename(path), offset: String(offset), length: String(data.length) };
        offset += data.length;
        written.push(
          create(TensorProtoSchema, {
            name,
            dataType: elementType.float32,
            dims: shape.map(BigInt),
            dataLocation: DataLocation.EXTERNAL,
            externalData: Object.entries(place).map(([key, value]) => ({ key, value })),
          }),
        );
      }
    });
    return written;
  }

  #model(weights: readonly TensorProto[]): Uint8Array {
    const model = create(ModelProtoSchema, {
      irVersion: 10n,
      producerName: 'crucible',
      opsetImport: [{ domain: '', version: operatorSet }],
      graph: {
        name: 'model',
        node: this.#nodes,
        initializer: [...this.#initializers, ...weights],
        input: this.#inputs,
        output: this.#outputs,
      },
    });
    return toBinary(ModelProtoSchema, model);
  }

  #constant(dataType: number, shape: Shape, values: ArrayBufferView): string {
    const rawData = bytesOf(values);
    return this.#once(`${dataType} ${shape.join()} ${Buffer.from(rawData).toString('base64')}`, () => {
      const name = `c${this.#initializers.length}`;
      this.#initializers.push(create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData }));
      return name;
    });
  }

  #once(key: string, make: () => string): string {
    let name = this.#shared.get(key);
    if (name === undefined) this.#shared.set(key, (name = make()));
    return name;
  }
}

function valueInfo(name: string, elemType: number, shape: OpenShape): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: BigInt(size) }));
  return create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType, shape: { dim } } } });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
