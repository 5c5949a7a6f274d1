import type { JsonField } from '../json-field.ts';
import { maximumVocabSize } from './merge.ts';

/** Reads an object of ids by token. */
export function parseVocab(field: JsonField): Map<string, number> {
  const vocab = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const [token, entry] of field.entries()) {
    const id = entry.index(maximumVocabSize - 1);
    const other = tokens.get(id);
    if (other !== undefined) throw entry.error(`${id} is the id of ${JSON.stringify(other)} too`);
    tokens.set(id, token);
    vocab.set(token, id);
  }
  return vocab;
}
