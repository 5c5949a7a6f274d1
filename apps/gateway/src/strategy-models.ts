/** The strategies as models: `crucible/react` asks the newest model by ReAct. */
import type { ActorService } from '@crucible/protos/actor/v1';
import type { Client } from '@crucible/rpc';
import { newestModel } from './models.ts';

/** Milliseconds that a list of models waits for the actor. */
const deadlineMs = 2000;

interface Entry {
  readonly id: string;
}

export class StrategyModels {
  readonly #actor: Client<typeof ActorService>;

  constructor(actor: Client<typeof ActorService>) {
    this.#actor = actor;
  }

  /**
   * Those that can be asked for now: of the newest model, which `like` describes, and of each that the operator has
   * named elsewhere. None where the actor cannot be reached.
   */
  async entries(like: (Entry & Record<string, unknown>) | undefined): Promise<readonly Entry[]> {
    const { strategies, models } = await this.#actor
      .listTools({}, { deadlineMs })
      .catch(() => ({ strategies: [], models: [] }));
    const own = like === undefined ? [] : strategies.map((strategy) => ({ ...like, id: `${newestModel}/${strategy}` }));
    const others = models.flatMap((model) =>
      strategies.map((strategy) => ({
        id: `${model}/${strategy}`,
        object: 'model',
        created: 0,
        owned_by: 'elsewhere',
      })),
    );
    return [...own, ...others];
  }
}
