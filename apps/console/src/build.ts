/** `npm run build -w @crucible/console`; and how `ensureConsole` builds. */
import { buildConsole } from './build-console.ts';

await buildConsole();
