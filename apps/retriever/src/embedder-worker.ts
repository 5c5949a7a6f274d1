/**
 * The process that trains an embedder, or takes one in, and makes the vectors of a collection; or takes in a re-ranker.
 * Searches go on meanwhile.
 */
import {
  EncoderEmbedder,
  fitReranking,
  fitSearch,
  KnowledgeBase,
  loadEmbedder,
  Reranker,
  trainEmbedder,
} from '@crucible/retrieval';
import { serveWorker } from '@crucible/service';
import { uriVariable } from './workers.ts';
import type { EmbedderMethods } from './worker-protocol.ts';

serveWorker<EmbedderMethods>({
  embed: async ({ collection: name, folder, steps, seed, checkpoint }, { signal, emit }) => {
    const base = await open();
    try {
      const collection = await base.get(name);
      const onProgress = (done: number, total: number): void => void emit({ stage: 'embedding', done, total });
      if (folder === '') {
        const passages = [...collection.passages()].map(({ record, heading, text }) => ({
          document: record.id,
          heading: `${record.title}\n${heading}`,
          text,
        }));
        const trained = await trainEmbedder(
          passages,
          { ...(steps > 0 && { steps }), ...(seed > 0 && { seed }) },
          { signal, checkpoint, onProgress: (done, total) => void emit({ stage: 'training', done, total }) },
        );
        await collection.setEmbedder(trained);
      } else {
        await collection.setEmbedder(await EncoderEmbedder.load(folder));
      }
      if (!(await collection.embedMissing({ signal, onProgress }))) return { version: '' };
      const fit = await fitSearch(collection);
      await collection.setEmbedder(collection.embedder!.withFit(fit));
      return { version: collection.embedder!.version };
    } finally {
      await base.close();
    }
  },

  rerank: async ({ collection: name, folder }, { signal, emit }) => {
    const base = await open();
    try {
      const collection = await base.get(name);
      const reranker = folder === '' ? undefined : await Reranker.load(folder);
      await collection.setReranker(reranker);
      if (!reranker) return undefined;
      const onProgress = (done: number, total: number): void => void emit({ stage: 'measuring', done, total });
      const fit = await fitReranking(collection, { signal, onProgress });
      await collection.setReranker(reranker.withFit(fit));
      return undefined;
    } finally {
      await base.close();
    }
  },
});

function open(): Promise<KnowledgeBase> {
  return KnowledgeBase.open(process.env[uriVariable]!, {
    loadEmbedder,
    loadReranker: (bytes) => Reranker.parse(bytes),
  });
}
