/** An OpenAI-compatible server that says what a test tells it to, in pieces as real ones do, and sees who leaves. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServedMessage {
  readonly role: string;
  readonly content: string;
}

export interface ServedRequest {
  readonly model: string;
  readonly messages: readonly ServedMessage[];
  readonly stop?: readonly string[];
  readonly seed?: number;
}

export type ServedAnswer =
  | string
  | {
      readonly text: string;
      /** Milliseconds before each piece. Default 0. */
      readonly delayMs?: number;
      /** Says it again and again until the caller leaves. */
      readonly endless?: boolean;
      /** Says it and nothing more, not even that it is over. */
      readonly hangs?: boolean;
    }
  /** An HTTP status. */
  | number;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** In the order in which they came. */
  readonly requests: readonly ServedRequest[];
  /** Answers that are being written. */
  readonly open: number;
  /** Milliseconds from the arrival of each request to the end of its answer, all together. */
  readonly answeringMs: number;
}

export async function startScriptedServer(
  answerTo: (request: ServedRequest) => ServedAnswer | Promise<ServedAnswer>,
): Promise<ScriptedServer> {
  const requests: ServedRequest[] = [];
  let open = 0;
  let answeringMs = 0;
  const server = createServer((request, response) => {
    open++;
    const arrived = performance.now();
    response.on('close', () => {
      open--;
      answeringMs += performance.now() - arrived;
    });
    void bodyOf(request).then(async (body) => {
      const asked = JSON.parse(body) as ServedRequest;
      requests.push(asked);
      await say(response, await answerTo(asked));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get open() {
      return open;
    },
    get answeringMs() {
      return answeringMs;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function say(response: ServerResponse, answer: ServedAnswer): Promise<void> {
  if (typeof answer === 'number') {
    response.writeHead(answer, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `status ${answer}` } }));
    return;
  }
  const { text, delayMs = 0, endless = false, hangs = false } = typeof answer === 'string' ? { text: answer } : answer;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (data: object): void => void response.write(`data: ${JSON.stringify(data)}\n\n`);
  do {
    for (const content of text.match(/[\s\S]{1,24}/g) ?? []) {
      // Also so that one who never ends lets others have their turn.
      if (delayMs > 0 || endless) await delay(delayMs);
      if (response.destroyed) return;
      send({ choices: [{ index: 0, delta: { content } }] });
    }
  } while (endless);
  if (hangs) return;
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  response.end('data: [DONE]\n\n');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
