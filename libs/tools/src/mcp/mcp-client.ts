/**
 * Tools of MCP servers, as ours. Both eras of the protocol are spoken: the server is asked which (`server/discover`),
 * and an older one is met by the handshake of 2025. What a server says of itself and what it answers is data from
 * outside: bounded, marked, and held to: a tool that is no longer what it was when it was offered is not called.
 */
import {
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import type { CallToolResult, Tool as McpTool, Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport, getDefaultEnvironment } from '@modelcontextprotocol/client/stdio';
import { z } from 'zod';
import type { Tool, ToolResult } from '@crucible/prompting';
import { CrucibleError, invalidInput } from '@crucible/foundation';
import type { NetworkGuard } from '../network/guard.ts';
import { type GuardedClient, createGuardedClient } from '../network/guarded-fetch.ts';
import { dataCharacters, leastTokens, untrusted, visibleText, withinCharacters } from '../observation.ts';
import { boundedFetch } from './bounded-fetch.ts';

export type McpServerSpec = McpProgram | McpAddress;

/** A program that is started and spoken to over its standard streams. */
export interface McpProgram {
  /** Goes before the names of its tools: letters, digits and `_`. */
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** Added to PATH, HOME and the like, which are all that it gets of ours. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A server that is reached over streamable HTTP. */
export interface McpAddress {
  readonly name: string;
  readonly url: string;
  /** Sent with every request, as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface McpOptions {
  /**
   * What connections over HTTP have to pass. Default: whoever configures the URL has decided, and it may be on this
   * machine; redirects stay with its origin in any case.
   */
  readonly guard?: NetworkGuard;
  /** Of one result, 150 or more. Default 1000. */
  readonly tokens?: number;
  /** Of one message of the server, in bytes. Default 4 MiB. */
  readonly mostBytes?: number;
  /** To start, agree on a protocol and list the tools, in ms. Default 20,000. */
  readonly connectTimeout?: number;
  /** Of one call, in ms. Default 60,000. */
  readonly callTimeout?: number;
  readonly signal?: AbortSignal;
}

export interface McpConnection extends AsyncDisposable {
  readonly name: string;
  /** As `2026-07-28`. */
  readonly protocolVersion: string;
  /** As they were when the connection was made. */
  readonly tools: readonly Tool[];
  /** Tools that cannot be offered, and why. */
  readonly skipped: readonly string[];
  readonly close: () => Promise<void>;
}

const mostTools = 128;
const longestDescription = 1000;
const mostSchemaCharacters = 20_000;

export async function connectMcpServer(spec: McpServerSpec, options: McpOptions = {}): Promise<McpConnection> {
  const { tokens = 1000, mostBytes = 4 * 2 ** 20, connectTimeout = 20_000, callTimeout = 60_000 } = options;
  if (!/^[A-Za-z]\w{0,23}$/.test(spec.name))
    throw invalidInput(`name: "${spec.name}" is not a letter and up to 23 letters, digits and "_"`, { at: 'name' });
  if (!(tokens >= leastTokens)) throw invalidInput(`tokens: ${tokens} is below ${leastTokens}`, { at: 'tokens' });
  const server = new Server(spec, { ...options, mostBytes, connectTimeout });
  try {
    await server.connect();
    const listed = await server.list();
    const names = new Set<string>();
    const skipped: string[] = [];
    const tools: Tool[] = [];
    for (const each of listed) {
      const reason = tools.length === mostTools ? `more than ${mostTools} tools` : unusable(each);
      if (reason !== undefined) {
        skipped.push(`${visibleText(each.name).slice(0, 64)}: ${reason}`);
        continue;
      }
      const name = uniqueName(spec.name, each.name, names);
      tools.push({
        name,
        description: visibleText(each.description ?? each.title ?? each.name).slice(0, longestDescription),
        parameters: each.inputSchema,
        run: async (input, { signal }) =>
          resultOf(name, await server.call(each, input, { signal, timeout: callTimeout }), tokens),
      });
    }
    const close = (): Promise<void> => server.close();
    return {
      name: spec.name,
      protocolVersion: server.protocolVersion,
      tools,
      skipped,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (reason) {
    await server.close();
    throw server.error('connecting', reason, options.signal);
  }
}

/** Whoever closes it waits for the end of the program, also where somebody has begun to close it before. */
class ProgramTransport extends StdioClientTransport {
  #closing: Promise<void> | undefined;

  override start(): Promise<void> {
    this.#closing = undefined;
    return super.start();
  }

  override close(): Promise<void> {
    return (this.#closing ??= super.close());
  }
}

class Server {
  readonly #spec: McpServerSpec;
  readonly #options: McpOptions & { readonly mostBytes: number; readonly connectTimeout: number };
  readonly #client: Client;
  readonly #guarded: GuardedClient | undefined;
  #transport: Transport | undefined;
  /** The end of what a program has said on standard error. */
  #said = '';
  #isGone = false;
  /** The server says that its tools are others now. */
  #hasChanged = false;

  constructor(
    spec: McpServerSpec,
    options: McpOptions & { readonly mostBytes: number; readonly connectTimeout: number },
  ) {
    this.#spec = spec;
    this.#options = options;
    this.#guarded = 'url' in spec && options.guard ? createGuardedClient(options.guard) : undefined;
    // It can do nothing for the server: no sampling, no elicitation, no roots.
    this.#client = new Client(
      { name: 'crucible', version: '0.1.0' },
      {
        capabilities: {},
        versionNegotiation: { mode: 'auto' },
        listChanged: { tools: { autoRefresh: false, onChanged: () => void (this.#hasChanged = true) } },
      },
    );
    this.#client.onclose = () => void (this.#isGone = true);
    // What goes wrong beside a call is of no use to it.
    this.#client.onerror = () => undefined;
  }

  get protocolVersion(): string {
    return this.#client.getNegotiatedProtocolVersion() ?? '';
  }

  async connect(): Promise<void> {
    const { connectTimeout, signal } = this.#options;
    this.#transport = this.#newTransport();
    await this.#client.connect(this.#transport, { timeout: connectTimeout, ...(signal && { signal }) });
  }

  #newTransport(): Transport {
    const spec = this.#spec;
    const { mostBytes, guard } = this.#options;
    if ('url' in spec) {
      const url = guard ? guard.parseUrl(spec.url) : URL.parse(spec.url);
      if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
        throw invalidInput(`url: "${spec.url}" is not an http or https URL`, { at: 'url' });
      return new StreamableHTTPClientTransport(url, {
        requestInit: { headers: { ...spec.headers } },
        fetch: boundedFetch(this.#guarded?.fetch ?? fetch, mostBytes),
        redirectPolicy: 'same-origin',
        reconnectionOptions: {
          initialReconnectionDelay: 500,
          maxReconnectionDelay: 5000,
          reconnectionDelayGrowFactor: 2,
          maxRetries: 2,
        },
      });
    }
    const transport = new ProgramTransport({
      command: spec.command,
      args: [...(spec.args ?? [])],
      env: { ...getDefaultEnvironment(), ...spec.env },
      ...(spec.cwd !== undefined && { cwd: spec.cwd }),
      stderr: 'pipe',
      maxBufferSize: mostBytes,
    });
    transport.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString('utf8')).slice(-1000);
    });
    return transport;
  }

  async list(): Promise<readonly McpTool[]> {
    this.#hasChanged = false;
    const { tools } = await this.#client.listTools(undefined, {
      cacheMode: 'refresh',
      timeout: this.#options.connectTimeout,
    });
    return tools;
  }

  async call(
    tool: McpTool,
    input: Readonly<Record<string, unknown>>,
    { signal, timeout }: { readonly signal: AbortSignal; readonly timeout: number },
  ): Promise<CallToolResult> {
    try {
      if (this.#hasChanged) await this.#assertSame(tool);
      return await this.#client.callTool({ name: tool.name, arguments: { ...input } }, { signal, timeout });
    } catch (reason) {
      // Not every server says that it has changed; one that refuses a call is asked.
      if (reason instanceof ProtocolError && !this.#isGone)
        await this.#assertSame(tool).catch(this.#throwTyped(signal));
      throw this.error(`calling ${tool.name}`, reason, signal);
    }
  }

  #throwTyped(signal: AbortSignal): (reason: unknown) => never {
    return (reason) => {
      throw this.error('listing the tools', reason, signal);
    };
  }

  async #assertSame(tool: McpTool): Promise<void> {
    const now = (await this.list()).find(({ name }) => name === tool.name);
    const what = `MCP server ${this.#spec.name}`;
    if (now === undefined) {
      this.#hasChanged = true;
      throw new CrucibleError(
        'not-found',
        `${what} has no tool ${tool.name} any more; connect again for its new tools`,
      );
    }
    if (definitionOf(now) !== definitionOf(tool)) {
      this.#hasChanged = true;
      throw new CrucibleError(
        'failed-precondition',
        `${what} has changed its tool ${tool.name} since it was offered; connect again for what it is now`,
      );
    }
  }

  async close(): Promise<void> {
    await this.#client.close().catch(() => undefined);
    // A client that could not connect has let go of it already.
    await this.#transport?.close().catch(() => undefined);
    await this.#guarded?.close();
  }

  error(doing: string, reason: unknown, signal: AbortSignal | undefined): CrucibleError {
    if (reason instanceof CrucibleError) return reason;
    const what = `MCP server ${this.#spec.name}, ${doing}`;
    const cause = { cause: reason };
    if (signal?.aborted) return new CrucibleError('cancelled', `${what}: cancelled`, cause);
    const message = visibleText(reason instanceof Error ? reason.message : String(reason)).slice(0, 300);
    for (let inner = reason; inner instanceof Error; inner = inner.cause) {
      if (inner instanceof CrucibleError) return inner;
      if ((inner as NodeJS.ErrnoException).code === 'ENOENT')
        return new CrucibleError('not-found', `${what}: there is no such program`, cause);
    }
    if (reason instanceof SdkError && reason.code === SdkErrorCode.RequestTimeout)
      return new CrucibleError('deadline-exceeded', `${what}: no answer in time`, cause);
    if (this.#isGone || (reason instanceof SdkError && reason.code === SdkErrorCode.ConnectionClosed)) {
      const said = visibleText(this.#said).trim().split('\n').at(-1) ?? '';
      return new CrucibleError(
        'unavailable',
        `${what}: the server is gone${said === '' ? '' : ` (${said.slice(0, 300)})`}`,
        cause,
      );
    }
    if (reason instanceof ProtocolError) return new CrucibleError('failed-precondition', `${what}: ${message}`, cause);
    return new CrucibleError('unavailable', `${what}: ${message}`, cause);
  }
}

function definitionOf({ name, description, inputSchema }: McpTool): string {
  return JSON.stringify([name, description, inputSchema]);
}

/** Models call it by this, and no server can take the name of another's tool. */
function uniqueName(server: string, tool: string, taken: Set<string>): string {
  const plain = `${server}_${tool.replace(/[^\w.-]/g, '_')}`.slice(0, 64);
  let name = plain;
  for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${plain.slice(0, 60)}_${n}`;
  taken.add(name.toLowerCase());
  return name;
}

function unusable({ inputSchema }: McpTool): string | undefined {
  if (JSON.stringify(inputSchema).length > mostSchemaCharacters)
    return `its schema has more than ${mostSchemaCharacters} characters`;
  try {
    z.fromJSONSchema(inputSchema as Parameters<typeof z.fromJSONSchema>[0]);
    return undefined;
  } catch (reason) {
    return `its schema cannot be checked: ${visibleText((reason as Error).message).slice(0, 200)}`;
  }
}

function resultOf(name: string, result: CallToolResult, tokens: number): ToolResult {
  const parts = result.content.map((block) => {
    switch (block.type) {
      case 'text':
        return block.text;
      case 'image':
      case 'audio':
        return `(${block.type}, ${block.mimeType}, ${Math.floor(block.data.length * 0.75)} bytes)`;
      case 'resource':
        return 'text' in block.resource ? block.resource.text : `(data of ${block.resource.uri})`;
      case 'resource_link':
        return `(${block.name}: ${block.uri})`;
    }
  });
  if (parts.length === 0 && result.structuredContent !== undefined)
    parts.push(JSON.stringify(result.structuredContent));
  const { text, omitted } = withinCharacters(visibleText(parts.join('\n')), dataCharacters(tokens));
  const about = `${name} ${result.isError === true ? 'failed' : 'answered'}${omitted > 0 ? `; ${omitted} more characters were left out` : ''}.`;
  const shown = untrusted(about, text.trim() === '' ? '(nothing)' : text);
  if (result.isError === true) throw new CrucibleError('failed-precondition', shown);
  return { text: shown };
}
