/**
 * Our tools for others: an MCP server of both eras, over standard streams or HTTP. A tool keeps its name, its
 * description and its schema, and is asked nothing that does not fit the schema.
 */
import {
  McpServer,
  createMcpHandler,
  fromJsonSchema,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Tool } from '@crucible/prompting';
import { CrucibleError } from '@crucible/foundation';

export interface McpServerOptions {
  /** Default `crucible`. */
  readonly name?: string;
  /** Default `0.1.0`. */
  readonly version?: string;
}

export interface McpHttpOptions extends McpServerOptions {
  /**
   * Names under which it may be asked, and from pages of which it may be asked; others are refused, so that no page
   * reaches it by a name of its own (DNS rebinding). Default: those of this machine.
   */
  readonly hosts?: readonly string[];
}

export interface McpHttpServer {
  /** Answers what comes to the path that it is mounted at. */
  readonly fetch: (request: Request) => Promise<Response>;
  readonly close: () => Promise<void>;
}

export function createMcpHttpServer(tools: readonly Tool[], options: McpHttpOptions = {}): McpHttpServer {
  const hosts = [...(options.hosts ?? localhostAllowedHostnames())];
  const handler = createMcpHandler(serverFactory(tools, options));
  return {
    fetch: (request) => {
      const refused = hostHeaderValidationResponse(request, hosts) ?? originValidationResponse(request, hosts);
      return refused ? Promise.resolve(refused) : handler.fetch(request);
    },
    close: () => handler.close(),
  };
}

/** Speaks on this process's standard streams, which nobody else may write to. */
export function serveMcpOverStdio(
  tools: readonly Tool[],
  options: McpServerOptions = {},
): { readonly close: () => Promise<void> } {
  return serveStdio(serverFactory(tools, options));
}

function serverFactory(
  tools: readonly Tool[],
  { name = 'crucible', version = '0.1.0' }: McpServerOptions,
): () => McpServer {
  const checked = new Map(
    tools.map((tool) => [tool.name, { tool, schema: fromJsonSchema<Record<string, unknown>>(tool.parameters) }]),
  );
  return () => {
    const mcp = new McpServer({ name, version }, { capabilities: { tools: {} } });
    // `registerTool` would have errors of its own shapes; a model reads these.
    const { server } = mcp;
    server.setRequestHandler('tools/list', () => ({
      tools: tools.map((tool) => ({
        name: tool.name,
        description: tool.description,
        inputSchema: tool.parameters as { type: 'object' },
      })),
    }));
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      try {
        const found = checked.get(params.name);
        if (!found) throw new CrucibleError('not-found', `there is no tool ${params.name}`);
        const input = await found.schema['~standard'].validate(params.arguments ?? {});
        if (input.issues)
          throw new CrucibleError(
            'invalid-input',
            `${params.name}: ${input.issues.map(({ message }) => message).join('; ')}`,
          );
        const { text } = await found.tool.run(input.value, { signal: context.mcpReq.signal });
        return { content: [{ type: 'text', text }] };
      } catch (reason) {
        // The model on the other side is to read it.
        const error = CrucibleError.from(reason);
        const message = error.code === 'internal' ? 'the tool failed' : error.message;
        return { content: [{ type: 'text', text: message }], isError: true };
      }
    });
    return mcp;
  };
}
