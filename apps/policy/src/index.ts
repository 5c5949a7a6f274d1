export { createPolicyService } from './policy-service.ts';
