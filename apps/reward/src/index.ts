export { createRewardService } from './reward-service.ts';
export type { RewardDependencies } from './reward-service.ts';
