/** A process that puts documents into a collection until it is killed, or as many as it is told: for tests of crashes. */
import { KnowledgeBase } from '../knowledge-base.ts';
import { prepareSource } from '../prepare-source.ts';

const [uri, first, count] = process.argv.slice(2) as [string, string, string];
const base = await KnowledgeBase.open(uri);
const collection = await base.getOrCreate('crash');
process.stdout.write('ready\n');
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  const text = `# Document ${n}\n\n${`Sentence of document${n} about subject${n % 7}. `.repeat(200)}`;
  await collection.ingest([await prepareSource(Buffer.from(text), `${n % 20}.md`)]);
  process.stdout.write(`${n}\n`);
}
await base.close();
