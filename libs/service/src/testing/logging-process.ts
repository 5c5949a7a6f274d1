/** Logs a line of every level at the level that it is given. */
import { createLogger, type LogLevel } from '../logger.ts';

const log = createLogger('example', process.argv[2] as LogLevel);
log.debug('a debug line');
log.info({ model: 'chat' }, 'an info line');
log.warn('a warn line');
log.error({ error: 'it\nbroke' }, 'an error line');
// What is logged right before the end is the most important line of all.
process.exit(7);
