// Installs its matcher.
import './all-close.ts';

export type { AllCloseOptions, Numeric, NumericArray } from './all-close.ts';
export { chiSquare, chiSquareLimit } from './chi-square.ts';
export { freePort } from './free-port.ts';
export { startNatsServer } from './nats-server.ts';
export type { NatsServer, NatsServerOptions } from './nats-server.ts';
export { startProgram } from './program.ts';
export type { Ending, Program, ProgramOptions } from './program.ts';
export { requireNatsServer } from './require-nats-server.ts';
export { requireWebGpu } from './require-web-gpu.ts';
export { temporaryFolder } from './temporary-folder.ts';
export {
  referenceAnswerLogProbabilities,
  referenceLogits,
  referenceLogProbabilities,
  referenceScores,
  tinyLlama,
  tinyLlamaConfig,
  tinyRewardModel,
} from './tiny-llama.ts';
export type { TinyLlama, TinyLlamaBody, TinyRewardModel } from './tiny-llama.ts';
