export { messageFromStep, stepFromMessage } from './step-message.ts';
export { runSpecFromMessage, startFromRunSpec } from './run-spec.ts';
export type { KnowledgeSpec, RunSpec } from './run-spec.ts';
export { openRun } from './open-run.ts';
export type { ActorRun, Decision, OpenRunOptions, RunEvent, RunStart } from './open-run.ts';
export { createCrucibleTools } from './crucible-tools.ts';
export type { CrucibleClients } from './crucible-tools.ts';
