/** The process that trains an embedder, or takes one in, and makes the vectors of a collection; searches go on meanwhile. */
import { EncoderEmbedder, fitSearch, KnowledgeBase, loadEmbedder, trainEmbedder } from '@crucible/retrieval';
import { serveWorker } from '@crucible/service';
import { uriVariable } from './workers.ts';
import type { EmbedderMethods } from './worker-protocol.ts';

serveWorker<EmbedderMethods>({
  embed: async ({ collection: name, folder, steps, seed }, { signal, emit }) => {
    const base = await KnowledgeBase.open(process.env[uriVariable]!, { loadEmbedder });
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
          { signal, onProgress: (done, total) => void emit({ stage: 'training', done, total }) },
        );
        await collection.setEmbedder(trained);
      } else {
        await collection.setEmbedder(EncoderEmbedder.load(folder));
      }
      if (!(await collection.embedMissing({ signal, onProgress }))) return { version: '' };
      const fit = await fitSearch(collection);
      await collection.setEmbedder(collection.embedder!.withFit(fit));
      return { version: collection.embedder!.version };
    } finally {
      await base.close();
    }
  },
});
