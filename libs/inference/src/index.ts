export { GenerationEngine } from './generation-engine.ts';
export type { GenerationEngineOptions, GenerationStream } from './generation-engine.ts';
export type { FinishReason, GeneratedToken, Generation, GenerationRequest } from './generation.ts';
export type { ServedModel } from './cohort.ts';
export { resolveSampling } from './sampling.ts';
export type { Choice, ResolvedSampling, Sampling } from './sampling.ts';
export { LogProbabilityScorer, ScalarScorer } from './scorers.ts';
export type { TokenRows } from './scorers.ts';
