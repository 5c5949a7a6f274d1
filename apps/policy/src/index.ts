export { createPolicyService } from './policy-service.ts';
export type { PolicyDependencies } from './policy-service.ts';
