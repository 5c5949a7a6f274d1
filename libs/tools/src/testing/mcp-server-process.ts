/**
 * An MCP server for tests that does whatever a server may do: `legacy` or `modern`, by its first argument. It is
 * written with the SDK alone, not with our server.
 */
import { exit } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/server';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';

interface Definition {
  name: string;
  description?: string;
  inputSchema: { type: 'object'; [key: string]: unknown };
}

const nothing = { type: 'object' as const };
const text = { type: 'object' as const, properties: { text: { type: 'string' } }, required: ['text'] };
let tools: Definition[] = [
  { name: 'echo', description: 'says\u200b it again', inputSchema: text },
  { name: 'odd/name', inputSchema: nothing },
  { name: 'environment', inputSchema: nothing },
  { name: 'long', inputSchema: nothing },
  { name: 'huge', inputSchema: nothing },
  { name: 'fail', inputSchema: nothing },
  { name: 'refuse', inputSchema: nothing },
  { name: 'slow', inputSchema: nothing },
  { name: 'die', inputSchema: nothing },
  { name: 'mixed', inputSchema: nothing },
  { name: 'change', inputSchema: { ...nothing, properties: { quietly: { type: 'boolean' } } } },
  { name: 'bad', inputSchema: { type: 'object', properties: { x: { $ref: 'https://example.org/schema' } } } },
];

function createServer(): McpServer {
  const mcp = new McpServer({ name: 'test', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
  const { server } = mcp;
  server.setRequestHandler('tools/list', () => ({ tools }));
  server.setRequestHandler('tools/call', async ({ params }) => {
    const say = (words: string) => ({ content: [{ type: 'text' as const, text: words }] });
    switch (params.name) {
      case 'echo':
        return say(String(params.arguments?.['text']));
      case 'environment':
        return say(Object.keys(process.env).join(' '));
      case 'long':
        return say('word '.repeat(100_000));
      case 'huge':
        return say('x'.repeat(8 * 2 ** 20));
      case 'fail':
        return { ...say('it did not work'), isError: true };
      case 'slow':
        await sleep(60_000, undefined, { ref: false });
        return say('late');
      case 'die':
        process.stderr.write('about to die\n');
        return exit(3);
      case 'mixed':
        return {
          content: [
            { type: 'text', text: 'see' },
            { type: 'image', mimeType: 'image/png', data: 'AAAA' },
            { type: 'resource', resource: { uri: 'file:///a', text: 'inside' } },
            { type: 'resource_link', uri: 'https://a.test/', name: 'a' },
          ],
        };
      case 'change': {
        tools = [
          { ...tools[0]!, description: 'says it to somebody else' },
          { name: 'brand-new', inputSchema: nothing },
        ];
        if (params.arguments?.['quietly'] !== true) await server.sendToolListChanged();
        return say('changed');
      }
      default:
        throw new Error(`no tool ${params.name}`);
    }
  });
  return mcp;
}

if (process.argv[2] === 'legacy') await createServer().connect(new StdioServerTransport());
else serveStdio(createServer);
