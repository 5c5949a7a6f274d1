/** Reading JSON that somebody else wrote: every error names the file and the field. */
import { readFileSync, statSync } from 'node:fs';
import { CrucibleError, invalidInput } from '@crucible/foundation';

/** The largest vocabularies in use make files of some 35 MB. */
const largestFile = 256 * 2 ** 20;

/** Reads a text file of bearable size; undefined if there is none. */
export function readTextFile(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isFile()) throw invalidInput(`${path}: is not a file`, { at: path });
    if (found.size > largestFile) {
      throw invalidInput(`${path}: has ${found.size} bytes; at most ${largestFile} are read`, { at: path });
    }
    return readFileSync(path, 'utf8');
  } catch (reason) {
    throw CrucibleError.from(reason);
  }
}

/** Reads a file of JSON; undefined if there is none. */
export function readJsonFile(path: string): JsonField | undefined {
  const text = readTextFile(path);
  if (text === undefined) return undefined;
  try {
    return new JsonField(JSON.parse(text), path);
  } catch (reason) {
    throw invalidInput(`${path}: is not JSON: ${(reason as Error).message}`, { at: path, cause: reason });
  }
}

/** A value of a JSON document and where it is. */
export class JsonField {
  readonly value: unknown;
  readonly #file: string;
  readonly #path: string;

  constructor(value: unknown, file: string, path = '') {
    this.value = value;
    this.#file = file;
    this.#path = path;
  }

  /** A member of an object; absent members are undefined. */
  get(name: string): JsonField {
    const object = this.#object();
    const path = this.#path === '' ? name : `${this.#path}.${name}`;
    return new JsonField(object[name], this.#file, path);
  }

  /** Neither there nor null. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  entries(): [string, JsonField][] {
    return Object.entries(this.#object()).map(([name, value]) => [
      name,
      new JsonField(value, this.#file, `${this.#path}[${JSON.stringify(name)}]`),
    ]);
  }

  items(): JsonField[] {
    if (!Array.isArray(this.value)) throw this.#expected('a list');
    return this.value.map((value: unknown, i) => new JsonField(value, this.#file, `${this.#path}[${i}]`));
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.#expected('a string');
    if (!this.value.isWellFormed()) throw this.error('has a lone surrogate');
    return this.value;
  }

  /** null for what is missing or null. */
  stringOrNull(): string | null {
    return this.isAbsent ? null : this.string();
  }

  /** A string of one character. */
  character(): string {
    const text = this.string();
    if (Array.from(text).length !== 1) throw this.#expected('a single character');
    return text;
  }

  oneOf<const T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((each) => each === this.value);
    if (found === undefined) throw this.unsupported(allowed.join(', '));
    return found;
  }

  /** `absent` is what a missing or null field means; without it the field must be there. */
  boolean(absent?: boolean): boolean {
    if (this.isAbsent && absent !== undefined) return absent;
    if (typeof this.value !== 'boolean') throw this.#expected('true or false');
    return this.value;
  }

  number(): number {
    if (typeof this.value !== 'number' || !Number.isFinite(this.value)) throw this.#expected('a number');
    return this.value;
  }

  /** A whole number from 0 to `most`. */
  index(most: number): number {
    const { value } = this;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) {
      throw this.#expected(`a whole number from 0 to ${most}`);
    }
    return value;
  }

  /** Throws unless the field is missing, null or equal to one of `allowed`: settings that change what we do not support. */
  assertUnset(...allowed: unknown[]): void {
    if (this.isAbsent || allowed.includes(this.value)) return;
    throw this.unsupported(`only ${[null, ...allowed].map((each) => JSON.stringify(each)).join(' or ')}`);
  }

  error(message: string): CrucibleError {
    return invalidInput(`${this.#where}: ${message}`, { at: this.#where });
  }

  /** `supported` completes "… is not supported; supported is …". */
  unsupported(supported: string): CrucibleError {
    const message = `${this.#where}: ${this.#shown} is not supported; supported is ${supported}`;
    return new CrucibleError('unimplemented', message, { at: this.#where });
  }

  #expected(what: string): CrucibleError {
    return this.error(this.value === undefined ? `is missing; it is ${what}` : `${this.#shown} is not ${what}`);
  }

  #object(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) {
      throw this.#expected('an object');
    }
    return this.value as Record<string, unknown>;
  }

  get #where(): string {
    return this.#path === '' ? this.#file : `${this.#file}: ${this.#path}`;
  }

  get #shown(): string {
    if (Array.isArray(this.value)) return 'a list';
    if (typeof this.value === 'object' && this.value !== null) return 'an object';
    const text = this.value === undefined ? 'nothing' : JSON.stringify(this.value);
    return text.length > 60 ? `${text.slice(0, 60)}…` : text;
  }
}
