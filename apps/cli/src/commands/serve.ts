import { Argument, Command } from 'commander';
import { createLogger, runUntilStopped } from '@crucible/service';
import { deviceOption, precisionOption, settingsFor } from '../context.ts';
import { host, serviceNames, type ServiceName } from '../hosting.ts';

interface ServeOptions {
  readonly bus?: string;
  readonly host?: string;
  readonly port?: string;
}

/** Runs one service until it is told to stop: what a container does. */
export function serveCommand(): Command {
  return new Command('serve')
    .addArgument(new Argument('<service>', 'the service').choices([...serviceNames]))
    .option('--bus <url>', 'nats://HOST:PORT or embedded:FOLDER (default: $CRUCIBLE_BUS)')
    .option('--host <address>', 'address to listen at (default: $CRUCIBLE_HOST or 127.0.0.1)')
    .option(...deviceOption)
    .option(...precisionOption)
    .option('--port <number>', 'port to listen at; 0 takes a free one')
    .action(async (name: ServiceName, options: ServeOptions, command: Command) => {
      const settings = settingsFor(command, {
        CRUCIBLE_BUS: options.bus,
        CRUCIBLE_HOST: options.host,
        [`CRUCIBLE_${name.toUpperCase()}_PORT`]: options.port,
      });
      const log = createLogger(name, settings.logLevel);
      const hosted = await host(settings, [name]);
      const service = hosted.services[name]!;
      await runUntilStopped([{ ...service, close: hosted.close }], log);
    });
}
