export { consoleFolder, ensureConsole } from './build-console.ts';
