/** `crucible eval --strategies`, as a process, before a server that answers as OpenAI's does. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@crucible/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { crucible, startCrucible } from './testing/crucible.ts';

interface Body {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

interface Cell {
  readonly task: string;
  readonly strategy: string;
  readonly questions: number;
  readonly right: number;
}

interface Answering {
  readonly url: string;
  readonly answered: () => number;
  /** It says nothing any more after so many answers. */
  readonly allow: (most: number) => void;
}

/** It reads what is put before it, and guesses where nothing is. */
async function serve(): Promise<Answering> {
  let answered = 0;
  let most = Infinity;
  const server = createServer((request: IncomingMessage, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (answered >= most) return void response.write(': wait\n\n');
      answered++;
      const asked = (JSON.parse(text) as Body).messages.at(-1)!.content;
      const passages = asked.split('\n').filter((line) => /^\[\d+\] /.test(line));
      const content =
        passages.length === 0
          ? 'I do not know.'
          : `${passages[0]!.replace(/.*? (?:is|in) /, '').replace(/\..*/, '')} [1]`;
      for (const choice of [{ delta: { content } }, { delta: {}, finish_reason: 'stop' }])
        response.write(`data: ${JSON.stringify({ choices: [choice] })}\n\n`);
      response.end(
        `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } })}\n\ndata: [DONE]\n\n`,
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    answered: () => answered,
    allow: (count) => (most = count),
  };
}

function command(url: string, ...args: readonly string[]): readonly string[] {
  return [
    '--home',
    temporaryFolder(),
    'eval',
    '--strategies',
    'direct,rag',
    '--tasks',
    'lookup,topic',
    '--url',
    url,
    ...args,
  ];
}

const timeout = 120_000;

describe('crucible eval --strategies', { timeout }, () => {
  it('prints shares, intervals, cost and which differences are no chance', async () => {
    const { url } = await serve();
    const { code, stdout } = await crucible(command(url, '--limit', '60', '--wording', 'forged'));
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^crucible +right % +95 % interval +tokens +calls +seconds {2}better than$/);
    expect(lines[1]).toBe('lookup, 60 questions');
    expect(lines[2]).toMatch(/^ {2}direct +0\.0 +0\.0 to 6\.0 +15 +1\.0 +\d\.\d\d$/);
    expect(lines[3]).toMatch(/^ {2}rag +\d+\.\d +\d+\.\d to \d+\.\d +15 +1\.0 +\d\.\d\d {2}direct$/);
    expect(lines[4]).toBe('topic, 60 questions');
    expect(stdout).toContain("Better: by McNemar's exact test on the same questions,");
  });

  it('keeps results in a file, prints what there is when it is interrupted, and goes on from there', async () => {
    const out = join(temporaryFolder(), 'trials.jsonl');
    const { url, answered, allow } = await serve();
    allow(9);
    const args = ['--tasks', 'lookup', '--limit', '10', '--out', out, '--parallel', '2', '--json'];
    const program = startCrucible(command(url, ...args));
    // What was answered has been written down: a header, nine trials.
    await vi.waitUntil(() => existsSync(out) && readFileSync(out, 'utf8').split('\n').length === 11, timeout);
    const stopped = await program.end('SIGINT', 60_000);
    expect(stopped).toMatchObject({ code: 130, stderr: expect.stringContaining('crucible: interrupted\n') as string });
    const part = JSON.parse(stopped.stdout) as { readonly complete: boolean; readonly cells: readonly Cell[] };
    expect(part.complete).toBe(false);
    expect(part.cells.reduce((sum, { questions }) => sum + questions, 0)).toBe(9);

    const other = await crucible(command(url, ...args, '--seed', '2'));
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('it holds other results') as string });

    allow(Infinity);
    const whole = await crucible(command(url, ...args));
    expect(whole).toMatchObject({ code: 0, stderr: expect.stringContaining('9 of 20 are there already\n') as string });
    expect(answered()).toBe(20);
    expect(JSON.parse(whole.stdout)).toMatchObject({ complete: true, model: 'crucible', wording: 'general', seed: 1 });
  });

  it('prints what there is when the server fails, and what is wrong with the options', async () => {
    const { url } = await serve();
    const wrong = await crucible(command(url, '--limit', '1', '--tasks', 'chess'));
    expect(wrong).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^crucible: tasks: "chess" is none; there are arithmetic, /) as string,
    });
    const nobody = await crucible(command('http://127.0.0.1:9/v1', '--limit', '1'));
    expect(nobody).toMatchObject({ code: 1, stdout: '' });
    expect(nobody.stderr).toMatch(/^crucible: http:\/\/127\.0\.0\.1:9\/v1\/chat\/completions: /m);
  });
});
