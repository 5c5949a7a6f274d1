export { startHub } from './hub-server.ts';
export type { HubBehaviour, HubFile, TestHub } from './hub-server.ts';
