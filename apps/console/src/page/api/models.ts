import { getJson } from './http.ts';

export interface Model {
  readonly id: string;
  readonly stage?: string;
  readonly version?: number;
  readonly context_length?: number;
  readonly parameters?: number;
}

/** The model that is newest, whatever it is. */
export const newestModel = 'crucible';

export interface Offers {
  readonly models: readonly Model[];
  /** Ways to ask that the gateway can run. */
  readonly strategies: readonly string[];
}

const strategyPrefix = `${newestModel}/`;

export async function listOffers(signal?: AbortSignal): Promise<Offers> {
  const { data } = await getJson<{ readonly data: readonly Model[] }>('/v1/models', signal);
  const isStrategy = ({ id }: Model): boolean => id.startsWith(strategyPrefix);
  return {
    models: data.filter((model) => !isStrategy(model)),
    strategies: data.filter(isStrategy).map(({ id }) => id.slice(strategyPrefix.length)),
  };
}
