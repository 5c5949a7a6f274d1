/** /mcp: what Crucible can do, for other models, as an MCP server over HTTP. */
import type { Handler } from 'hono';
import { type CrucibleClients, createCrucibleTools } from '@crucible/actor';
import { createMcpHttpServer } from '@crucible/tools';
import type { GatewayEnv } from './access.ts';

export interface McpRoute {
  readonly handle: Handler<GatewayEnv>;
  readonly close: () => Promise<void>;
}

export function createMcpRoute(clients: CrucibleClients): McpRoute {
  const server = createMcpHttpServer(createCrucibleTools(clients));
  return {
    handle: (context) => {
      const caller = context.get('caller');
      for (const scope of ['tools', 'knowledge', 'sandbox'] as const) caller.assertMay(scope, 'MCP');
      return server.fetch(trusted(context.req.raw));
    },
    close: server.close,
  };
}

/** Who asks, and under which name, has been checked for every path; the MCP server knows the names of this machine alone. */
function trusted(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set('host', 'localhost');
  headers.delete('origin');
  return new Request(request, { headers });
}
