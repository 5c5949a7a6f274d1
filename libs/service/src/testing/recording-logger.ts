import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { withDeadline } from '@crucible/foundation';

export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: number;
  readonly time: number;
  msg: string;
};

export interface RecordingLogger {
  readonly log: Logger;
  readonly lines: LogLine[];
  /** Resolves with the first line, past or future, whose fields include these. */
  readonly logged: (fields: Readonly<Record<string, unknown>>) => Promise<LogLine>;
}

/** A logger whose lines can be read. */
export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = [];
  const destination = new Writable({
    write: (line: Buffer, _encoding, done) => {
      lines.push(JSON.parse(String(line)) as LogLine);
      done();
    },
  });
  const find = (fields: Readonly<Record<string, unknown>>): LogLine | undefined =>
    lines.find((line) => Object.entries(fields).every(([key, value]) => line[key] === value));
  const logged = async (fields: Readonly<Record<string, unknown>>): Promise<LogLine> => {
    for (;;) {
      const line = find(fields);
      if (line) return line;
      await delay(5);
    }
  };
  return {
    log: pino({ level: 'debug', base: null }, destination),
    lines,
    logged: (fields) => withDeadline(logged(fields), 20_000, `a log line with ${JSON.stringify(fields)}`),
  };
}
