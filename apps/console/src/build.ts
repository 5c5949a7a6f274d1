/** `npm run build -w @crucible/console`. */
import { ensureConsole } from './build-console.ts';

process.stdout.write(`${await ensureConsole()}\n`);
