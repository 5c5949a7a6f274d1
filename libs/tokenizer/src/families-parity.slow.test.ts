import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@crucible/foundation';
import { beforeAll, describe, expect, it } from 'vitest';
import { JsonField } from './json-field.ts';
import { hostileText } from './testing/hostile-text.ts';
import {
  type Description,
  describeOurs,
  describeWithHuggingFace,
  familiesWithHuggingFace,
  huggingFace,
  isMistaken,
  specialIds,
} from './testing/huggingface.ts';
import { parseTokenizerJson } from './tokenizer-json.ts';
import { Tokenizer } from './tokenizer.ts';

const name = huggingFace
  ? `tokenizers ${huggingFace.tokenizers}`
  : 'tokenizers (skipped: CRUCIBLE_PYTHON, or python3, does not have it)';

const fixture = readFileSync(join(import.meta.dirname, '../fixtures/generated/families.json'), 'utf8');
const { families } = JSON.parse(fixture) as { families: { name: string }[] };
const random = Random.seeded(2025);
const texts = Array.from({ length: 10_000 }, () => hostileText(random, { malformed: true }).toWellFormed());
const readable = ['families.test.ts', '../../../docs/forge.md', '../../../docs/world.md', '../../../docs/grpc.md'];

describe.skipIf(!huggingFace)(name, () => {
  let definitions: Record<string, object>;
  beforeAll(() => {
    const training = readable.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
    definitions = familiesWithHuggingFace([...training, ...texts.slice(0, 60)], 1500);
  }, 600_000);

  it.each(families)(
    'makes of 10,000 hostile texts what ours does: $name',
    ({ name: family }) => {
      const definition = definitions[family]!;
      const tokenizer = new Tokenizer(parseTokenizerJson(new JsonField(definition, 'tokenizer.json')));
      const ours = describeOurs(tokenizer, texts);
      const theirs = describeWithHuggingFace(definition, texts);
      for (const what of [
        'special',
        'encodings',
        'pairs',
        'decoded',
        'skipping',
      ] as const satisfies (keyof Description)[]) {
        expect(differences(what, ours[what], theirs[what])).toEqual([]);
      }
      const plain = theirs.plain.map((ids, i) => (isMistaken(tokenizer, texts[i]!, ids) ? ours.plain[i] : ids));
      expect(differences('plain', ours.plain, plain)).toEqual([]);
      expect(ours.plain.flatMap((ids) => specialIds(tokenizer, ids))).toEqual([]);
    },
    300_000,
  );
});

/** The first few. */
function differences(what: string, ours: readonly unknown[], theirs: readonly unknown[]): object[] {
  expect(ours.length).toBe(theirs.length);
  const different = [...ours.keys()].filter((i) => JSON.stringify(ours[i]) !== JSON.stringify(theirs[i]));
  return different.slice(0, 3).map((i) => ({ what, text: texts[i], ours: ours[i], theirs: theirs[i] }));
}
