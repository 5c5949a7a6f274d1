export { createSandboxService } from './sandbox-service.ts';
export type { SandboxDependencies } from './sandbox-service.ts';
