export { createRetrieverService } from './retriever-service.ts';
export type { RetrieverDependencies } from './retriever-service.ts';
