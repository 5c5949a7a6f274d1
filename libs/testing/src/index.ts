export type { AllCloseOptions, Numeric, NumericArray } from './all-close.ts';
export { freePort } from './free-port.ts';
export { startNatsServer } from './nats-server.ts';
export type { NatsServer, NatsServerOptions } from './nats-server.ts';
export { requireNatsServer } from './require-nats-server.ts';
