export { createActorService } from './actor-service.ts';
export type { ActorDependencies } from './actor-service.ts';
export { parseActorConfig, readActorConfig } from './actor-config.ts';
export type { ActorConfig } from './actor-config.ts';
