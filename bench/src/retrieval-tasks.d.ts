import type { RetrievalTask } from '@crucible/retrieval';
/** Every paragraph is a document; of each question its own paragraph is the relevant one. Titles are not used. */
export declare function readXquad(path: string): RetrievalTask;
/** CACM as Anserini's collection has it: what is between the tags of each page. */
export declare function readCacm(archive: string, topics: string, qrels: string): RetrievalTask;
//# sourceMappingURL=retrieval-tasks.d.ts.map
