/** The models that runs may ask: those of the policy, and those that the operator has named elsewhere. */
import { createOpenAiModel, createPolicyModel } from '@crucible/chat-models';
import { CrucibleError } from '@crucible/foundation';
import type { ChatModel, Wording } from '@crucible/prompting';
import type { PolicyService } from '@crucible/protos/policy/v1';
import type { Client } from '@crucible/rpc';
import type { ActorConfig } from './actor-config.ts';
import { Tokenizers } from './tokenizers.ts';

/** The name that stands for whatever model of the policy is newest, as at the HTTP API. */
const newestModel = 'crucible';

const describeDeadline = 10_000;

export interface ResolvedModel {
  readonly model: ChatModel;
  /** As it is asked for. */
  readonly name: string;
  /** 0: it is not the policy's. */
  readonly version: number;
}

export class Models {
  readonly #policy: Client<typeof PolicyService>;
  readonly #named: ActorConfig['models'];
  readonly #tokenizers = new Tokenizers();

  constructor(policy: Client<typeof PolicyService>, named: ActorConfig['models']) {
    this.#policy = policy;
    this.#named = named;
  }

  /** Those that the operator has named. */
  get names(): readonly string[] {
    return Object.keys(this.#named);
  }

  /** '': the newest of the policy. */
  async resolve(name: string, wording: Wording | undefined, signal: AbortSignal): Promise<ResolvedModel> {
    if (Object.hasOwn(this.#named, name)) {
      const given = this.#named[name]!;
      const options = { ...given, ...(wording && { wording }) };
      return { model: createOpenAiModel(options), name, version: 0 };
    }
    const { models, defaultModel } = await this.#policy.getModelInfo({}, { deadlineMs: describeDeadline, signal });
    if (models.length === 0)
      throw new CrucibleError('failed-precondition', 'no model is loaded yet: the first is still being made', {
        at: 'model',
      });
    const isNewest = name === '' || (name === newestModel && !models.some((model) => model.name === name));
    const wanted = isNewest ? defaultModel : name;
    const info = models.find((model) => model.name === wanted);
    if (!info) {
      const known = [...this.names, newestModel, ...models.map((model) => model.name)].join(', ');
      throw new CrucibleError('not-found', `model: there is no ${JSON.stringify(name)}; there are ${known}`, {
        at: 'model',
      });
    }
    // An adapter may have come without the tokenizer, which is then the model's.
    const owner = models.find((model) => !model.name.includes(':') && model.tokenizerSha256 === info.tokenizerSha256);
    const model = createPolicyModel({
      policy: this.#policy,
      model: info,
      encoder: this.#tokenizers.encoderOf(owner ?? info),
      // What was made elsewhere has not learned our formats.
      wording: wording ?? (info.stage === 'import' ? 'general' : 'forged'),
    });
    return { model, name: info.name, version: info.version };
  }
}
