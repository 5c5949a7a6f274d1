/** A document that unpacks to more than fits: its reader dies of it, and what came with it is read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, deflateRawSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '@crucible/testing';
import { Reader } from './reader.ts';

test('a PDF of some megabytes that unpacks to many gigabytes', { timeout: 600_000 }, async () => {
  const folder = temporaryFolder();
  const files = ['bomb.pdf', 'good.md'].map((name) => ({ name, path: join(folder, name) }));
  writeFileSync(files[0]!.path, bomb(1024));
  writeFileSync(files[1]!.path, '# Good\n\nIt is read.');
  const reader = new Reader();
  onTestFinished(() => reader.close());
  const settings = { encoding: undefined, metadata: {}, passageTokens: undefined };
  const [bad, good] = await reader.read('prepare', files, settings);
  expect(bad!.failure).toEqual({
    name: 'bomb.pdf',
    code: 'resource-exhausted',
    message: 'bomb.pdf: reading it takes more than 1536 MB or 120 s',
  });
  expect(good!.value!.documents.map(({ title }) => title)).toEqual(['Good']);
});

/** One page whose content is so many times 16 MiB of blanks. */
function bomb(times: number): Buffer {
  // A block that is whole in itself may stand there any number of times.
  const block = deflateRawSync(Buffer.alloc(16 * 1024 * 1024, ' '), { finishFlush: constants.Z_FULL_FLUSH });
  const stream = Buffer.concat([Buffer.of(0x78, 0x9c), ...Array.from({ length: times }, () => block)]);
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>',
  ];
  const head = objects.map((object, i) => `${i + 1} 0 obj${object}endobj\n`).join('');
  const begin = `%PDF-1.4\n${head}4 0 obj<</Length ${stream.length}/Filter/FlateDecode>>stream\n`;
  const end = '\nendstream endobj\ntrailer<</Root 1 0 R/Size 5>>\n%%EOF';
  return Buffer.concat([Buffer.from(begin), stream, Buffer.from(end)]);
}
