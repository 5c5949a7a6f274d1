/** Where the tools of runs come from: what is built in, a browser for each run that needs one, and MCP servers. */
import { CrucibleError, invalidInput, withDeadline } from '@crucible/foundation';
import { createPageTools, createPythonTool, type Picture, type Services, type Tool } from '@crucible/prompting';
import type { Logger } from '@crucible/service';
import {
  type Browser,
  type BrowserSession,
  type BrowserToolOptions,
  connectMcpServer,
  createBrowser,
  createBrowserTools,
  createFetchTool,
  findChromium,
  type McpConnection,
  type McpServerSpec,
  NetworkGuard,
} from '@crucible/tools';
import { type ActorConfig, matchesName } from './actor-config.ts';

export interface OfferedTool {
  readonly tool: Tool;
  /** `built-in`, or the name of an MCP server. */
  readonly source: string;
  readonly needsApproval: boolean;
  /** It does nothing but by the retriever and the sandbox: run again with the same answers, it says the same. */
  readonly isPure: boolean;
}

/** What tools work with that is the run's own. */
export interface ToolServices extends Pick<Services, 'retriever' | 'code'> {
  /** Keeps a PNG with the run. */
  readonly keepPicture: (png: Uint8Array) => Picture;
}

/** The tools of one run, and what they hold open. */
export interface RunTools extends AsyncDisposable {
  /** Those that remember something are made anew by every call. */
  readonly make: (services: ToolServices) => readonly OfferedTool[];
}

interface ToolsRequest {
  /** Undefined: those that suit. */
  readonly names: readonly string[] | undefined;
  readonly hasKnowledge: boolean;
  readonly isForged: boolean;
  /** Whether every use of the browser takes a picture. */
  readonly pictures: boolean;
  readonly signal: AbortSignal;
}

export interface ToolList {
  readonly tools: readonly OfferedTool[];
  readonly missing: readonly { readonly source: string; readonly reason: string }[];
}

const builtIn = 'built-in';
const pageToolNames = ['search', 'lookup'];
const pythonName = 'python';
/** Stands for all tools of the browser. */
const browserName = 'browser';
const browserPrefix = 'browser_';

/** Of what Python comes to, as the built-in world shows it. */
const forgedDecimals = 6;

const mostSessions = 16;
const closeDeadline = 10_000;

export class ToolSources implements AsyncDisposable {
  readonly #config: ActorConfig;
  readonly #log: Logger;
  readonly #guard: NetworkGuard;
  readonly #servers: readonly McpSource[];
  #browser: Browser | undefined;

  constructor(config: ActorConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#guard = new NetworkGuard(config.network);
    this.#servers = config.mcpServers.map((spec) => new McpSource(spec, log));
  }

  /** Throws for names that stand for nothing, and for tools that cannot be had. */
  async open({ names, hasKnowledge, isForged, pictures, signal }: ToolsRequest): Promise<RunTools> {
    const wanted = names ?? [
      ...(hasKnowledge ? pageToolNames : []),
      // A forged model has learned to search or to calculate, not both at once.
      ...(!hasKnowledge || !isForged ? [pythonName] : []),
    ];
    const { tools: known, missing } = await this.list(
      signal,
      this.#servers.filter(({ name }) => wanted.some((pattern) => mayName(pattern, `${name}_`))),
    );
    const isWanted = (name: string): boolean =>
      wanted.some(
        (pattern) => matchesName(pattern, name) || (pattern === browserName && name.startsWith(browserPrefix)),
      );
    for (const pattern of wanted) {
      const isBrowser = pattern === browserName;
      if (
        known.some(({ tool }) => matchesName(pattern, tool.name) || (isBrowser && tool.name.startsWith(browserPrefix)))
      )
        continue;
      const absent = missing.find(({ source }) => pattern.startsWith(source));
      if (absent) throw new CrucibleError('unavailable', `tools: ${pattern}: ${absent.reason}`, { at: 'tools' });
      throw invalidInput(
        `tools: there is no ${JSON.stringify(pattern.slice(0, 100))}; there are ${known.map(({ tool }) => tool.name).join(', ')}`,
        { at: 'tools' },
      );
    }
    const chosen = new Set(known.map(({ tool }) => tool.name).filter(isWanted));
    if (!hasKnowledge) for (const name of pageToolNames) chosen.delete(name);
    if (!hasKnowledge && pageToolNames.some((name) => wanted.includes(name)))
      throw new CrucibleError('failed-precondition', 'tools: search and lookup need knowledge, and none is named', {
        at: 'knowledge',
      });
    const own = new OwnTools(this.#guard, () => this.#openSession());
    return {
      make: ({ retriever, code, keepPicture }) => {
        const pure = [
          ...(retriever ? createPageTools(retriever) : []),
          ...(code ? [createPythonTool(code, isForged ? { decimals: forgedDecimals } : {})] : []),
        ];
        return [
          ...pure.map((tool) => this.#offered(tool, builtIn, true)),
          ...own.tools({ keepPicture, pictures }).map((tool) => this.#offered(tool, builtIn, false)),
          ...known.filter(({ source }) => source !== builtIn),
        ].filter(({ tool }) => chosen.has(tool.name));
      },
      [Symbol.asyncDispose]: () => own.close(),
    };
  }

  /** `servers`: those that are asked. */
  async list(signal: AbortSignal, servers = this.#servers): Promise<ToolList> {
    const missing: { source: string; reason: string }[] = [];
    const nothing = (): never => {
      throw new CrucibleError('internal', 'these tools are shown, not run');
    };
    const session = new Proxy({} as BrowserSession, { get: nothing });
    const hasBrowser = findChromium() !== undefined;
    if (!hasBrowser) missing.push({ source: browserName, reason: 'there is no Chromium on this machine' });
    const retriever = { search: nothing, documentOf: nothing };
    await using fetchTool = createFetchTool(this.#guard);
    const connected = await Promise.all(
      servers.map(async (server) => {
        try {
          return (await server.connect(signal)).tools.map((tool) =>
            this.#offered(server.watched(tool), server.name, false),
          );
        } catch (reason) {
          signal.throwIfAborted();
          missing.push({ source: server.name, reason: CrucibleError.from(reason).message });
          return [];
        }
      }),
    );
    const pure = [...createPageTools(retriever), createPythonTool({ run: nothing })];
    return {
      tools: [
        ...pure.map((tool) => this.#offered(tool, builtIn, true)),
        ...[fetchTool, ...(hasBrowser ? createBrowserTools(session, { keepPicture: nothing }) : [])].map((tool) =>
          this.#offered(tool, builtIn, false),
        ),
        ...connected.flat(),
      ],
      missing,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#browser?.close(), ...this.#servers.map((server) => server.close())]);
  }

  #offered(tool: Tool, source: string, isPure: boolean): OfferedTool {
    const needsApproval = this.#config.approval.some((pattern) => matchesName(pattern, tool.name));
    return { tool, source, needsApproval, isPure };
  }

  async #openSession(): Promise<BrowserSession> {
    this.#browser ??= createBrowser({ mostSessions });
    const session = await this.#browser.open(this.#guard);
    this.#log.debug('a browser session was opened');
    return session;
  }
}

/** Whether a tool whose name begins so can be meant. */
function mayName(pattern: string, prefix: string): boolean {
  return pattern.startsWith(prefix) || (pattern.endsWith('*') && prefix.startsWith(pattern.slice(0, -1)));
}

/** What one run has for itself: connections, and a session of the browser from its first use on. */
class OwnTools {
  readonly #fetch: ReturnType<typeof createFetchTool>;
  readonly #browser: BrowserSession;
  #session: Promise<BrowserSession> | undefined;

  constructor(guard: NetworkGuard, openSession: () => Promise<BrowserSession>) {
    this.#fetch = createFetchTool(guard);
    const opened = (): Promise<BrowserSession> => {
      // One that did not open is no session; the next use tries again.
      this.#session ??= openSession().catch((reason: unknown) => {
        this.#session = undefined;
        throw reason;
      });
      return this.#session;
    };
    this.#browser = lazySession(opened);
  }

  tools(options: BrowserToolOptions): readonly Tool[] {
    return [this.#fetch, ...createBrowserTools(this.#browser, options)];
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    await Promise.allSettled([
      this.#fetch.close(),
      session && withDeadline(session.close(), closeDeadline, 'end of a browser session'),
    ]);
  }
}

/** A session that is opened by the first thing that is done with it. */
function lazySession(opened: () => Promise<BrowserSession>): BrowserSession {
  const closed = new Promise<never>(() => undefined);
  const close = (): Promise<void> => opened().then((session) => session.close());
  return {
    open: async (...given) => (await opened()).open(...given),
    view: async (...given) => (await opened()).view(...given),
    click: async (...given) => (await opened()).click(...given),
    type: async (...given) => (await opened()).type(...given),
    select: async (...given) => (await opened()).select(...given),
    scroll: async (...given) => (await opened()).scroll(...given),
    back: async (...given) => (await opened()).back(...given),
    selectTab: async (...given) => (await opened()).selectTab(...given),
    closeTab: async (...given) => (await opened()).closeTab(...given),
    screenshot: async (...given) => (await opened()).screenshot(...given),
    closed,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** An MCP server: connected when it is first needed, and anew when it died or has other tools. */
class McpSource {
  readonly #spec: McpServerSpec;
  readonly #log: Logger;
  #connection: Promise<McpConnection> | undefined;

  constructor(spec: McpServerSpec, log: Logger) {
    this.#spec = spec;
    this.#log = log;
  }

  get name(): string {
    return this.#spec.name;
  }

  async connect(signal: AbortSignal): Promise<McpConnection> {
    this.#connection ??= this.#open();
    const aborted = Promise.withResolvers<never>();
    const leave = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    try {
      signal.throwIfAborted();
      return await Promise.race([this.#connection, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** The tool, which says by its failure when the next run must connect anew. */
  watched(tool: Tool): Tool {
    const connection = this.#connection;
    return {
      ...tool,
      run: async (input, options) => {
        try {
          return await tool.run(input, options);
        } catch (reason) {
          const { code, message } = CrucibleError.from(reason);
          // Runs under way are held to what they were offered.
          if (code === 'unavailable' || message.includes('connect again')) this.#forget(connection);
          throw reason;
        }
      },
    };
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.close();
  }

  async #open(): Promise<McpConnection> {
    try {
      const connection = await connectMcpServer(this.#spec);
      const { name, tools, skipped, protocolVersion } = connection;
      this.#log.info({ server: name, protocolVersion, tools: tools.length, skipped }, 'an MCP server is connected');
      return connection;
    } catch (reason) {
      // The next who needs it tries again.
      this.#connection = undefined;
      this.#log.warn({ server: this.name, error: CrucibleError.from(reason).message }, 'an MCP server is out of reach');
      throw reason;
    }
  }

  #forget(connection: Promise<McpConnection> | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    void connection?.then((old) => old.close()).catch(() => undefined);
  }
}
