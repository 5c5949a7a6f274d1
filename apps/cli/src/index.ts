export { host } from './hosting.ts';
export type { Hosted, ServiceName } from './hosting.ts';
export { JobClient } from './job-client.ts';
