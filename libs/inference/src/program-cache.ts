import type { CompiledProgram } from '@crucible/tensor';

type Compile<Sizes extends readonly number[], I, O, Kept extends string> = (
  ...sizes: Sizes
) => Promise<CompiledProgram<I, O, Kept>>;

/**
 * Compiled programs by the sizes of their shapes, made when first needed; beyond `most` the one that was used longest ago is released.
 * Calls must not overlap: programs run one at a time.
 */
export class ProgramCache<Sizes extends readonly number[], I, O, Kept extends string = never> {
  readonly #compile: Compile<Sizes, I, O, Kept>;
  readonly #most: number;
  readonly #programs = new Map<string, CompiledProgram<I, O, Kept>>();

  constructor(compile: Compile<Sizes, I, O, Kept>, most = 24) {
    this.#compile = compile;
    this.#most = most;
  }

  async get(...sizes: Sizes): Promise<CompiledProgram<I, O, Kept>> {
    const key = sizes.join('x');
    const program = this.#programs.get(key) ?? (await this.#compile(...sizes));
    this.#programs.delete(key);
    this.#programs.set(key, program);
    if (this.#programs.size > this.#most) {
      const [oldest] = this.#programs;
      this.#programs.delete(oldest![0]);
      await oldest![1].dispose();
    }
    return program;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await program.dispose();
    this.#programs.clear();
  }
}
