/**
 * A model in an ONNX file that somebody else wrote, with the weights that lie beside it. What it takes and gives is its own:
 * whole numbers may be int32 or int64 in the file, and are int32 here.
 */
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { NdArray } from '../nd-array.ts';
import { Session, type SessionValue } from './session.ts';

export type OnnxValue = SessionValue;

export class OnnxModel {
  readonly path: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly #session: Session;

  private constructor(path: string, session: Session) {
    this.path = path;
    this.inputs = session.inputs;
    this.outputs = session.outputs;
    this.#session = session;
  }

  /** Throws `invalid-input` when the file is no model that ONNX Runtime can run. */
  static async open(path: string): Promise<OnnxModel> {
    try {
      return new OnnxModel(path, await Session.create(path));
    } catch (reason) {
      const { cause, message } = reason as Error;
      const told = cause instanceof Error ? cause.message : message;
      throw invalidInput(`${path}: ONNX Runtime refuses it: ${told}`, { at: path, cause: reason });
    }
  }

  /** Runs it: a result for each of `outputs`, which are float32. Throws `failed-precondition` when the model does. */
  async run(feeds: Readonly<Record<string, NdArray>>, outputs: readonly string[]): Promise<NdArray[]> {
    try {
      return (await this.#session.run(feeds, outputs)) as NdArray[];
    } catch (reason) {
      throw new CrucibleError('failed-precondition', `${this.path}: it fails: ${(reason as Error).message}`, {
        at: this.path,
        cause: reason,
      });
    }
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}
