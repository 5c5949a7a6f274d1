export { createCollectionRetriever } from './collection-retriever.ts';
export type { CollectionRetrieverOptions } from './collection-retriever.ts';
export { createSandboxRunner } from './sandbox-runner.ts';
export { createOpenAiModel } from './openai-model.ts';
export type { OpenAiModelOptions } from './openai-model.ts';
export { createPolicyModel } from './policy-model.ts';
export type { ChatEncoder, PolicyModelOptions } from './policy-model.ts';
