/**
 * A stage's own saved state: trees of arrays (parameters, optimizer) and a JSON record (step, settings, RNG). Saved whole
 * under a new name, so that a process killed at any moment leaves the last one intact:
 *
 *     FOLDER/00000120/{state.json, TREE.safetensors…}
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CrucibleError, publishFolder, removeLeftovers, writeFileAtomic } from '@crucible/foundation';
import { readSafetensors, tensorSources, writeSafetensors } from '@crucible/checkpoint';
import { treeFromPaths } from '@crucible/tensor';

export interface SavedStage {
  readonly step: number;
  /** What the stage needs beside its trees, JSON-safe. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly trees: Readonly<Record<string, object>>;
}

export class StageCheckpoint {
  readonly folder: string;

  /** `folder` belongs to one stage of one job, and to one process at a time. */
  constructor(folder: string) {
    this.folder = folder;
  }

  async save({ step, record, trees }: SavedStage): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const target = join(this.folder, String(step).padStart(8, '0'));
    if (existsSync(target)) return;
    await publishFolder(target, (temporary) => {
      for (const [name, tree] of Object.entries(trees))
        writeSafetensors(join(temporary, `${name}.safetensors`), tensorSources(tree));
      writeFileAtomic(join(temporary, 'state.json'), JSON.stringify({ step, record, trees: Object.keys(trees) }));
    });
    for (const old of this.#saved().slice(0, -1)) rmSync(join(this.folder, old), { recursive: true, force: true });
  }

  /**
   * The newest saved state, or undefined where there is none. `settings` must be those that it was saved with: a stage
   * that goes on with others would be neither the old run nor the new one.
   */
  load(settings: Readonly<Record<string, unknown>>): SavedStage | undefined {
    if (!existsSync(this.folder)) return undefined;
    removeLeftovers(this.folder);
    const newest = this.#saved().at(-1);
    if (newest === undefined) return undefined;
    const home = join(this.folder, newest);
    const state = readState(join(home, 'state.json'));
    const savedSettings = (state.record['settings'] ?? {}) as Record<string, unknown>;
    for (const [key, value] of Object.entries(settings)) {
      const saved = JSON.stringify(savedSettings[key]) as string | undefined;
      if (saved !== JSON.stringify(value)) {
        throw new CrucibleError(
          'failed-precondition',
          `${home}: saved with ${key} ${saved ?? 'unset'}, now ${JSON.stringify(value)}; go on with the same settings, or remove the folder to begin anew`,
          { at: key },
        );
      }
    }
    const trees = Object.fromEntries(
      state.trees.map((name) => [name, treeFromPaths(readSafetensors(join(home, `${name}.safetensors`)).tensors)]),
    );
    return { step: state.step, record: state.record, trees };
  }

  /** Forgets everything; for a stage that is done. */
  clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #saved(): string[] {
    return readdirSync(this.folder)
      .filter((entry) => /^\d{8}$/.test(entry))
      .sort();
  }
}

interface State {
  readonly step: number;
  readonly record: Readonly<Record<string, unknown>>;
  readonly trees: readonly string[];
}

function readState(path: string): State {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State;
  } catch (reason) {
    throw new CrucibleError('data-loss', `${path}: cannot be read: ${(reason as Error).message}`, { cause: reason });
  }
}
