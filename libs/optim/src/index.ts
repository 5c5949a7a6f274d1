export { adamWStep } from './adamw.ts';
export type { AdamWOptions, AdamWScalars, AdamWState } from './adamw.ts';
export { clipFactor, globalNorm } from './clip.ts';
export { muonStep, orthogonalize } from './muon.ts';
export type { MuonOptions, MuonState } from './muon.ts';
export { countParameters, createOptimizer } from './optimizer.ts';
export type { Optimizer, OptimizerOptions, OptimizerState, StepScalars } from './optimizer.ts';
export { warmupDecay } from './schedule.ts';
export type { Schedule, WarmupDecay } from './schedule.ts';
