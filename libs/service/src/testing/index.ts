export { isAlive, untilGone } from './processes.ts';
export { recordingLogger } from './recording-logger.ts';
export type { LogLine, RecordingLogger } from './recording-logger.ts';
