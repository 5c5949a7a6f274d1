export { startScriptedServer } from './scripted-server.ts';
export type { ScriptedServer, ServedAnswer, ServedMessage, ServedRequest } from './scripted-server.ts';
