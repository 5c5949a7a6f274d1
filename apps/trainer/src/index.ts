export { createTrainerService } from './trainer-service.ts';
export type { TrainerDependencies } from './trainer-service.ts';
