export { ApiKeys, keyScopes } from './api-keys.ts';
export type { ApiKey, KeyLimits, KeyScope, NewKey } from './api-keys.ts';
export { logCalls } from './log-calls.ts';
export { createLogger } from './logger.ts';
export type { LogLevel } from './logger.ts';
export { closeAll, runUntilStopped } from './run-until-stopped.ts';
export type { Logger, Service } from './service.ts';
export { resolveSettings } from './settings.ts';
export type { Settings } from './settings.ts';
export { TaskQueue } from './task-queue.ts';
export { serveWorker, WorkerProcess } from './worker-process.ts';
export type {
  WorkerCallOptions,
  WorkerContext,
  WorkerHandlers,
  WorkerMethod,
  WorkerMethods,
  WorkerOptions,
} from './worker-process.ts';
