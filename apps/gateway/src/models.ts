import { CrucibleError } from '@crucible/foundation';
import type { ModelInfo } from '@crucible/protos/model/v1';
import type { PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import type { Tokenizer } from '@crucible/tokenizer';
import { Tokenizers } from './tokenizers.ts';

/** The name that stands for whatever model is newest. */
export const newestModel = 'crucible';

const deadline = 10_000;

/** The models that the policy serves, by the names of the HTTP API. */
export class Models {
  readonly #policy: Client<typeof PolicyService>;
  readonly #tokenizers = new Tokenizers();

  constructor(policy: Client<typeof PolicyService>) {
    this.#policy = policy;
  }

  /** All of them, and the name of the newest. */
  async list(signal?: AbortSignal): Promise<{ readonly models: readonly ModelInfo[]; readonly newest: string }> {
    const { models, defaultModel } = await this.#policy.getModelInfo(
      {},
      { deadlineMs: deadline, ...(signal && { signal }) },
    );
    return { models, newest: defaultModel };
  }

  async find(name: string, signal?: AbortSignal): Promise<{ readonly info: ModelInfo; readonly tokenizer: Tokenizer }> {
    const { models, newest } = await this.list(signal);
    if (models.length === 0)
      throw new CrucibleError(
        'failed-precondition',
        'no model is loaded yet: the first is still being made, or could not be read, of which the log tells',
      );
    const wanted = name === newestModel && !models.some((model) => model.name === name) ? newest : name;
    const info = models.find((model) => model.name === wanted);
    if (!info) {
      const known = [newestModel, ...models.map((model) => model.name)].join(', ');
      throw new CrucibleError('not-found', `model ${name} does not exist; there are ${known}`, { at: 'model' });
    }
    // An adapter may have come without the tokenizer, which is then the model's.
    const owner = models.find((model) => !model.name.includes(':') && model.tokenizerSha256 === info.tokenizerSha256);
    return { info, tokenizer: this.#tokenizers.of(owner ?? info) };
  }
}
