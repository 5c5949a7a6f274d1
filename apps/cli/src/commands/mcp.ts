import { once } from 'node:events';
import { Command } from 'commander';
import { createCrucibleTools } from '@crucible/actor';
import { serveMcpOverStdio } from '@crucible/tools';
import { accessActor } from '../actor-access.ts';
import { settingsFor } from '../context.ts';

/** An MCP server on standard streams, which nobody else writes to; it ends with standard input. */
export function mcpCommand(): Command {
  return new Command('mcp').action(async (_options: object, command: Command) => {
    await using access = await accessActor(settingsFor(command));
    const server = serveMcpOverStdio(createCrucibleTools(access.clients));
    await Promise.race([once(process.stdin, 'end'), once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    await server.close();
  });
}
