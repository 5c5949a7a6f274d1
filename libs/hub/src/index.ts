export { pullRepository } from './pull-repository.ts';
export type { PullOptions, PullProgress, PulledRepository } from './pull-repository.ts';
