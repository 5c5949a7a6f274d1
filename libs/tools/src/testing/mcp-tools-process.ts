/** Serves one tool over standard streams, for tests. */
import { serveMcpOverStdio } from '../mcp/mcp-server.ts';

serveMcpOverStdio([
  {
    name: 'reverse',
    description: 'turns a text around',
    parameters: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
    run: ({ text }) => Promise.resolve({ text: Array.from(String(text), String).reverse().join('') }),
  },
]);
