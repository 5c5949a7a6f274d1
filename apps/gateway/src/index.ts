export { createGatewayService } from './gateway-service.ts';
export type { GatewayDependencies } from './gateway-service.ts';
