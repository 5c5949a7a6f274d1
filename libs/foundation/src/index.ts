export { publishFolder, removeLeftovers, writeFileAtomic, writeFileWith, writeFully } from './atomic-file.ts';
export { throwIfCancelled, withDeadline } from './deadline.ts';
export { CrucibleError, errorCodes, invalidInput } from './error.ts';
export type { CrucibleErrorOptions, ErrorCode } from './error.ts';
export { findProgram, isExecutable } from './find-program.ts';
export { Random, philox } from './random.ts';
export type { RandomState } from './random.ts';
