import { getJson } from './http.ts';

export interface Model {
  readonly id: string;
  /** It is asked by strategies alone: it serves elsewhere, and the gateway has no conversations with it. */
  readonly needsStrategy?: boolean;
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

export async function listOffers(signal?: AbortSignal): Promise<Offers> {
  return offersFrom((await getJson<{ readonly data: readonly Model[] }>('/v1/models', signal)).data);
}

/** The list has models, and strategies as models: `crucible/react`, and `NAME/react` of each that serves elsewhere. */
export function offersFrom(data: readonly Model[]): Offers {
  const split = data.map((model) => ({ model, ...splitName(model.id, data) }));
  const plain = split.filter(({ strategy }) => strategy === undefined).map(({ model }) => model);
  const elsewhere = new Set(split.filter(({ strategy }) => strategy !== undefined).map(({ name }) => name));
  for (const { id } of plain) elsewhere.delete(id);
  // The newest one, where there is none yet, is no model to ask.
  elsewhere.delete(newestModel);
  return {
    models: [...plain, ...[...elsewhere].map((id) => ({ id, needsStrategy: true }))],
    strategies: [...new Set(split.flatMap(({ strategy }) => strategy ?? []))],
  };
}

/** What follows the last `/` is a strategy where it does so behind `crucible`, too: names of models may have a `/`. */
function splitName(
  id: string,
  data: readonly Model[],
): { readonly name: string; readonly strategy: string | undefined } {
  const at = id.lastIndexOf('/');
  const strategy = id.slice(at + 1);
  const isStrategy = at > 0 && data.some((other) => other.id === `${newestModel}/${strategy}`);
  return isStrategy ? { name: id.slice(0, at), strategy } : { name: id, strategy: undefined };
}
