export { createRewardService } from './reward-service.ts';
