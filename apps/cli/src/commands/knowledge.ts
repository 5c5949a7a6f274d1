import { resolve } from 'node:path';
import { Command } from 'commander';
import { invalidInput } from '@crucible/foundation';
import { JobState } from '@crucible/protos/retriever/v1';
import { note, print, printJson, settingsFor } from '../context.ts';
import { accessRetriever } from '../retriever-access.ts';
import { runRetrieverJob } from '../retriever-job.ts';
import { parseCount, parseSeed } from '../stage-options.ts';
import { table } from '../terminal/format.ts';

const collectionOption = ['--collection <name>', 'the collection', 'default'] as const;

export function knowledgeCommand(): Command {
  const knowledge = new Command('knowledge');
  knowledge
    .command('list', { isDefault: true })
    .description('list the collections')
    .option('--json', 'print JSON')
    .action(listCollections);
  knowledge
    .command('documents')
    .description('list the documents of a collection')
    .option(...collectionOption)
    .option('--json', 'print JSON')
    .action(listDocuments);
  knowledge
    .command('train')
    .description('train an embedder on the documents of a collection, or take one, so that meaning counts beside words')
    .option(...collectionOption)
    .option('--encoder <path>', 'Hugging Face folder or ONNX file of an encoder (default: one is trained)')
    .option('--steps <number>', 'of the training (default: 400)', parseCount)
    .option('--seed <number>', 'of the training', parseSeed, 1)
    .action(train);
  knowledge
    .command('rerank')
    .description('give a collection a cross-encoder that orders the best passages anew, where it shows that it helps')
    .option(...collectionOption)
    .option('--encoder <path>', 'Hugging Face folder or ONNX file of a cross-encoder')
    .option('--none', 'take the one that is there away')
    .action(rerank);
  knowledge
    .command('remove')
    .description('remove documents, or a whole collection')
    .argument('[ids...]', 'documents')
    .option(...collectionOption)
    .option('--all', 'the collection with everything in it')
    .action(remove);
  knowledge
    .command('jobs')
    .description('list the jobs of the retriever')
    .option('--json', 'print JSON')
    .action(listJobs);
  return knowledge;
}

async function listCollections(options: { json?: true }, command: Command): Promise<void> {
  await using access = await accessRetriever(settingsFor(command));
  const collections = (await access.client.listCollections({})).collections.map((each) => ({
    name: each.name,
    documents: Number(each.documentCount),
    passages: Number(each.passageCount),
    embedder: each.embedder,
    embedded: Number(each.embeddedCount),
    reranker: each.reranker,
    problem: each.problem,
  }));
  if (options.json) {
    printJson({ collections });
    return;
  }
  if (collections.length === 0) {
    print('There are no collections yet. `crucible ingest DIR` makes one.');
    return;
  }
  for (const { problem } of collections) if (problem !== '') note(problem);
  const rows = collections.map(({ name, documents, passages, embedder, embedded, reranker }) => [
    name,
    String(documents),
    String(passages),
    embedder === '' ? 'words alone' : `${embedder} (${embedded})`,
    reranker,
  ]);
  print(table([['NAME', 'DOCUMENTS', 'PASSAGES', 'EMBEDDER', 'RE-RANKER'], ...rows], { figures: false }));
}

async function listDocuments(options: { collection: string; json?: true }, command: Command): Promise<void> {
  await using access = await accessRetriever(settingsFor(command));
  for (let pageToken = ''; ;) {
    const page = await access.client.listDocuments({ collection: options.collection, pageSize: 500, pageToken });
    for (const { id, title, source, metadata = {}, sha256 } of page.documents) {
      if (options.json) printJson({ id, title, source, metadata, sha256 });
      else print(title === '' ? id : `${id}  ${title}`);
    }
    pageToken = page.nextPageToken;
    if (pageToken === '') return;
  }
}

async function train(
  options: { collection: string; encoder?: string; steps?: number; seed: number },
  command: Command,
): Promise<void> {
  const { collection, encoder, steps = 0, seed } = options;
  await using access = await accessRetriever(settingsFor(command));
  const value = { folder: encoder === undefined ? '' : resolve(encoder), steps, seed };
  await runRetrieverJob(access, { collection, kind: { case: 'embedder', value } }, { quiet: false });
  const { collections } = await access.client.listCollections({});
  print(`${collection} has the embedder ${collections.find(({ name }) => name === collection)?.embedder ?? ''}.`);
}

async function rerank(options: { collection: string; encoder?: string; none?: true }, command: Command): Promise<void> {
  const { collection, encoder, none } = options;
  if ((encoder === undefined) === (none === undefined))
    throw invalidInput('either --encoder or --none is needed', { at: 'encoder' });
  await using access = await accessRetriever(settingsFor(command));
  const value = { folder: encoder === undefined ? '' : resolve(encoder) };
  await runRetrieverJob(access, { collection, kind: { case: 'reranker', value } }, { quiet: false });
  if (none) {
    print(`${collection} has no re-ranker.`);
    return;
  }
  const { collections } = await access.client.listCollections({});
  const { reranker, rerankWeight } = collections.find(({ name }) => name === collection)!;
  const use =
    rerankWeight > 0
      ? `searches go by it with weight ${rerankWeight}`
      : 'it has not shown that it helps, so searches go by it only when they are told to (--rerank)';
  print(`${collection} has the re-ranker ${reranker}: ${use}.`);
}

async function remove(
  ids: readonly string[],
  options: { collection: string; all?: true },
  command: Command,
): Promise<void> {
  const { collection } = options;
  await using access = await accessRetriever(settingsFor(command));
  if (options.all) {
    await access.client.deleteCollection({ collection });
    print(`${collection} is removed.`);
    return;
  }
  const removed = await access.client.deleteDocuments({ collection, ids: [...ids] });
  print(`${removed.ids.length} of ${ids.length} documents were there and are removed.`);
}

async function listJobs(options: { json?: true }, command: Command): Promise<void> {
  await using access = await accessRetriever(settingsFor(command));
  const jobs = (await access.client.listJobs({})).jobs.map((job) => ({
    id: job.id,
    kind: job.spec?.kind.case ?? 'unknown',
    collection: job.spec?.collection ?? '',
    state: stateName(job.state),
    done: `${job.done}/${job.total}`,
    error: job.errorMessage,
  }));
  if (options.json) {
    printJson({ jobs });
    return;
  }
  if (jobs.length === 0) {
    print('There are no jobs.');
    return;
  }
  print(
    table([['ID', 'KIND', 'COLLECTION', 'STATE', 'DONE', 'ERROR'], ...jobs.map((job) => Object.values(job))], {
      figures: false,
    }),
  );
}

function stateName(state: JobState): string {
  return (Object.entries(JobState).find(([, value]) => value === state)?.[0] ?? 'unknown').toLowerCase();
}
