/**
 * Models by name and version, as folders:
 *
 *     ROOT/NAME/000003/   a Hugging Face folder with a card, crucible.json; never changed once it is there
 *     ROOT/NAME/latest    the newest version's number
 *
 * A version is published whole (written under a temporary name, then renamed), so readers need no lock. What a killed
 * publisher wrote stays under its temporary name, which no reader looks at, until `removeLeftovers`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CrucibleError, invalidInput, publishFolder, removeLeftovers, writeFileAtomic } from '@crucible/foundation';
import { adapterConfigFile, hashAdapter, isAdapterFolder } from './adapter-files.ts';
import type { ModelKind } from './architectures.ts';
import { readModelKind } from './model-folder.ts';
import { hashFile, hashWeights } from './weight-files.ts';

/** What is known of a model beside its weights; kept in its folder as crucible.json. */
export interface ModelCard {
  readonly name: string;
  readonly version: number;
  /** The stage that made it: `pretrain`, `sft`, `reward`, `ppo`, or `import`. */
  readonly stage: string;
  /** What it is; an `adapter` changes a model, its parent, and is none by itself. */
  readonly kind: ModelKind | 'adapter';
  /** Optimizer steps of the stage so far; a snapshot of an unfinished stage says so. */
  readonly step: number;
  readonly finished: boolean;
  /** `name@version` of the model that the stage began from. */
  readonly parent?: string;
  /** The adapter that its weights contain, where one was merged into them: what takes it out again. */
  readonly merged?: MergedAdapter;
  /** Where the first of its line came from, a folder or a repository; models made here from the start have none. */
  readonly origin?: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** ISO 8601. */
  readonly createdAt: string;
  /** SHA-256 of the weights, hexadecimal: see `hashWeights`. */
  readonly sha256: string;
  /** SHA-256 of tokenizer.json, hexadecimal. */
  readonly tokenizerSha256: string;
}

export interface MergedAdapter {
  /** `name@version` in the registry. */
  readonly adapter: string;
  /** SHA-256 of its parameters, hexadecimal. */
  readonly sha256: string;
}

export interface ModelVersion extends ModelCard {
  readonly folder: string;
  /** `file://` address of the folder. */
  readonly uri: string;
}

export type NewModel = Omit<ModelCard, 'version' | 'createdAt' | 'sha256' | 'tokenizerSha256'>;

/** Milliseconds without a write after which a publisher counts as dead. */
const longestPause = 3_600_000;

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export class ModelRegistry {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Publishes a new version: `fill` writes the Hugging Face folder, the weights and tokenizer.json at least. Of the versions before it, the newest
   * `keep` are kept (default: 3; those that readers may still be loading).
   */
  async publish(
    model: NewModel,
    fill: (folder: string) => void | Promise<void>,
    { keep = 3 } = {},
  ): Promise<ModelVersion> {
    assertName(model.name);
    const home = join(this.#root, model.name);
    mkdirSync(home, { recursive: true });
    const version = (this.#versions(model.name).at(-1) ?? 0) + 1;
    const folder = join(home, folderName(version));
    let card: ModelCard | undefined;
    await publishFolder(folder, async (temporary) => {
      await fill(temporary);
      const sha256 = model.kind === 'adapter' ? hashAdapter(temporary) : hashWeights(temporary);
      const tokenizerSha256 = hashFile(join(temporary, 'tokenizer.json'));
      card = { ...model, version, createdAt: new Date().toISOString(), sha256, tokenizerSha256 };
      writeFileAtomic(join(temporary, 'crucible.json'), `${JSON.stringify(card, null, 2)}\n`);
    });
    writeFileAtomic(join(home, 'latest'), String(version));
    for (const old of this.#versions(model.name).slice(0, -keep - 1)) {
      rmSync(join(home, folderName(old)), { recursive: true, force: true });
    }
    return { ...card!, folder, uri: pathToFileURL(folder).href };
  }

  /**
   * Removes what killed publishers left: temporary folders to which nothing has been written for an hour. A publisher writes
   * without a pause, so one that lives is safe. For the service that publishes, when it opens the registry.
   */
  removeLeftovers(): void {
    if (!existsSync(this.#root)) return;
    for (const entry of readdirSync(this.#root, { withFileTypes: true })) {
      if (entry.isDirectory()) removeLeftovers(join(this.#root, entry.name), { untouchedFor: longestPause });
    }
  }

  /** `name` (its newest version) or `name@version`. */
  resolve(reference: string): ModelVersion {
    const [name, wanted, ...rest] = reference.split('@') as [string, string?, ...string[]];
    assertName(name);
    if (rest.length > 0 || (wanted !== undefined && !/^[1-9]\d*$/.test(wanted))) {
      throw invalidInput(`model ${reference}: a reference is NAME or NAME@VERSION`);
    }
    const versions = this.#versions(name);
    const version = wanted === undefined ? this.#latest(name, versions) : Number(wanted);
    if (version === undefined || !versions.includes(version)) {
      const known = this.names();
      const what =
        versions.length === 0
          ? `known are ${known.length === 0 ? 'none yet' : known.join(', ')}`
          : `${name} has ${versions.join(', ')}`;
      throw new CrucibleError('not-found', `model ${reference} does not exist; ${what}`, { at: 'model' });
    }
    return this.#open(name, version);
  }

  /** Names of all models, sorted. */
  names(): string[] {
    if (!existsSync(this.#root)) return [];
    return readdirSync(this.#root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && namePattern.test(entry.name) && this.#versions(entry.name).length > 0)
      .map((entry) => entry.name)
      .sort();
  }

  /** The model in any folder: see `openModelFolder`. */
  open(uri: string): ModelVersion {
    return openModelFolder(uri);
  }

  /** The newest version of every model. */
  list(): ModelVersion[] {
    return this.names().map((name) => this.resolve(name));
  }

  #open(name: string, version: number): ModelVersion {
    return openModelFolder(join(this.#root, name, folderName(version)));
  }

  #versions(name: string): number[] {
    const home = join(this.#root, name);
    if (!existsSync(home)) return [];
    return readdirSync(home)
      .filter((entry) => /^\d{6,}$/.test(entry))
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** The pointer, or the newest folder where a crash came between the two. */
  #latest(name: string, versions: readonly number[]): number | undefined {
    const newest = versions.at(-1);
    const path = join(this.#root, name, 'latest');
    if (!existsSync(path)) return newest;
    const pointed = Number(readFileSync(path, 'utf8'));
    return versions.includes(pointed) && pointed >= (newest ?? 0) ? pointed : newest;
  }
}

/**
 * The model in a checkpoint folder: a path or a `file:` URL. A folder without a card, as transformers writes it, is
 * described by its files.
 */
export function openModelFolder(uri: string): ModelVersion {
  const folder = folderOf(uri);
  if (!existsSync(join(folder, 'config.json')) && !isAdapterFolder(folder)) {
    throw new CrucibleError('not-found', `${uri} is no folder of a model: it has no config.json`, { at: 'uri' });
  }
  const path = join(folder, 'crucible.json');
  const card = existsSync(path) ? readCard(path) : describe(folder);
  return { ...card, folder, uri: pathToFileURL(folder).href };
}

function folderOf(uri: string): string {
  if (!uri.startsWith('file:')) return resolve(uri);
  try {
    return fileURLToPath(uri);
  } catch (reason) {
    throw invalidInput(`${uri} names no folder of this machine: ${(reason as Error).message}`, {
      at: 'uri',
      cause: reason,
    });
  }
}

function readCard(path: string): ModelCard {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ModelCard;
  } catch (reason) {
    throw new CrucibleError('data-loss', `${path}: the model's card cannot be read: ${(reason as Error).message}`, {
      cause: reason,
    });
  }
}

function describe(folder: string): ModelCard {
  const common = { name: basename(folder), version: 1, stage: 'import', step: 0, finished: true, metrics: {} };
  const changed = (file: string): string => statSync(join(folder, file)).mtime.toISOString();
  const tokenizer = join(folder, 'tokenizer.json');
  if (isAdapterFolder(folder)) {
    return {
      ...common,
      kind: 'adapter',
      createdAt: changed(adapterConfigFile),
      sha256: hashAdapter(folder),
      // PEFT saves none: then the model's own is meant.
      tokenizerSha256: existsSync(tokenizer) ? hashFile(tokenizer) : '',
    };
  }
  return {
    ...common,
    kind: readModelKind(folder),
    createdAt: changed('config.json'),
    sha256: hashWeights(folder),
    tokenizerSha256: hashFile(tokenizer),
  };
}

function folderName(version: number): string {
  return String(version).padStart(6, '0');
}

function assertName(name: string): void {
  if (!namePattern.test(name)) {
    throw invalidInput(
      `model name ${JSON.stringify(name)}: lower-case letters, digits, dots, dashes and underscores, at most 64, beginning with a letter or digit`,
      { at: 'model' },
    );
  }
}
