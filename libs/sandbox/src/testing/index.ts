export { attack } from './attack-sandbox.ts';
export type { Finding } from './attack-sandbox.ts';
