/** Whose runs are whose: the actor knows a run by the id of its caller's key and the name that the caller knows. */
import type { Caller } from './access.ts';
import type { RunFields } from './run-request.ts';

const separator = '.';

export function ownId(caller: Caller, id: string): string {
  return caller.id === '' ? id : `${caller.id}${separator}${id}`;
}

/** Undefined: the run is another's. */
export function publicId(caller: Caller, id: string): string | undefined {
  if (caller.id === '') return id;
  const prefix = `${caller.id}${separator}`;
  return id.startsWith(prefix) ? id.slice(prefix.length) : undefined;
}

/** Strategies that do more than ask the model and read. */
const acting: ReadonlySet<string> = new Set([
  'pal',
  'react',
  'react-then-self-consistency',
  'self-consistency-then-react',
]);

export function assertMayRun(caller: Caller, { strategy, fields }: RunFields): void {
  if (acting.has(strategy) || (fields.tools ?? []).length > 0) caller.assertMay('tools', `the strategy ${strategy}`);
  if (strategy === 'rag' || fields.collection !== undefined || fields.documents !== undefined)
    caller.assertMay('knowledge', 'searching a collection');
}
