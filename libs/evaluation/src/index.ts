export { compareStrategies } from './compare-strategies.ts';
export type { StrategyCell, StrategyComparison, StrategySummary } from './compare-strategies.ts';
export { planStrategies, runsPrograms } from './evaluate-strategies.ts';
export type { StrategiesOptions, StrategiesPlan, Trial } from './evaluate-strategies.ts';
export { TrialFile } from './trial-file.ts';
export { wilson } from './wilson.ts';
