import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryFolder } from '@crucible/testing';
import { describe, expect, it } from 'vitest';
import { type PullOptions, type PullProgress, pullRepository } from './pull-repository.ts';
import { commit, startHub, type TestHub } from './testing/hub-server.ts';

const repo = 'somebody/tiny-model';
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const files = {
  'config.json': { content: Buffer.from('{"model_type": "llama"}') },
  'empty.txt': { content: Buffer.alloc(0) },
  'model.safetensors': { content: weights, lfs: true },
  '1_Pooling/config.json': { content: Buffer.from('{}') },
  'onnx/model.onnx': { content: Buffer.from('not wanted'), lfs: true },
};
const wanted = ['config.json', 'empty.txt', 'model.safetensors', '1_Pooling/config.json'];

async function start(): Promise<{
  hub: TestHub;
  to: string;
  pull: (more?: Partial<PullOptions>) => ReturnType<typeof pullRepository>;
}> {
  const hub = await startHub(repo, files);
  const to = temporaryFolder();
  const select = (paths: readonly string[]): string[] => paths.filter((path) => !path.startsWith('onnx/'));
  const pull = (more: Partial<PullOptions> = {}) =>
    pullRepository({ repo, endpoint: hub.endpoint, to, select, retryDelay: 1, ...more });
  return { hub, to, pull };
}

function expectAll(to: string): void {
  expect(readdirSync(to, { recursive: true }).sort()).toEqual([...wanted, '1_Pooling'].sort());
  for (const path of wanted) expect(readFileSync(join(to, path))).toEqual(files[path as keyof typeof files].content);
}

/** Ranges of the calls to where large files are kept, without those that ask for the size. */
const ranges = ({ calls }: TestHub): string[] =>
  calls.flatMap((call) => /^store GET \/model.safetensors (?!bytes=0-0 )(\S+)/.exec(call)?.slice(1) ?? []);

describe('a pull', () => {
  it('brings the files that are chosen, of one commit, and tells how far it is', async () => {
    const { hub, to, pull } = await start();
    const progress: PullProgress[] = [];
    const pulled = await pull({ onProgress: (one) => progress.push(one) });
    expect(pulled).toEqual({ commit, paths: wanted });
    expectAll(to);
    const total = wanted.reduce((sum, path) => sum + files[path as keyof typeof files].content.length, 0);
    expect(progress.at(-1)).toMatchObject({ received: total, total });
    const received = progress.map((one) => one.received);
    expect(received).toEqual(received.toSorted((a, b) => a - b));
    expect(hub.calls.filter((call) => call.includes('/main/'))).toEqual([]);
  });

  it('gives its token to the hub and to nobody else', async () => {
    const { hub, to, pull } = await start();
    hub.behaviour.token = 'hf_secret';
    await pull({ token: 'hf_secret' });
    expectAll(to);
    const authorizations = (host: string): string[] =>
      hub.calls.filter((call) => call.startsWith(host)).map((call) => call.split(' ').slice(4).join(' '));
    expect(new Set(authorizations('hub'))).toEqual(new Set(['Bearer hf_secret']));
    expect(new Set(authorizations('store'))).toEqual(new Set(['-']));
  });

  it('keeps what is there already and right, and brings anew what is not', async () => {
    const { hub, to, pull } = await start();
    await pull();
    hub.calls.length = 0;
    await pull();
    expect(hub.calls.filter((call) => call.includes('/resolve/'))).toEqual([]);
    const damaged = Buffer.from(weights);
    damaged[7]! ^= 1;
    writeFileSync(join(to, 'model.safetensors'), damaged);
    await pull();
    expectAll(to);
  });

  it('goes on where a connection was cut, as often as it is', async () => {
    const { hub, to, pull } = await start();
    hub.behaviour.cuts.push(100_000, 50_000, 1);
    await pull();
    expectAll(to);
    const starts = ranges(hub).map((range) => (range === '-' ? 0 : Number(/\d+/.exec(range)![0])));
    expect(starts).toHaveLength(4);
    expect(starts).toEqual([0, 100_000, 150_000, 150_001]);
  });

  it('goes on where an earlier one was stopped', async () => {
    const { hub, to, pull } = await start();
    const stopping = new AbortController();
    hub.behaviour.cuts.push(120_000);
    const stopped = pull({
      signal: stopping.signal,
      onProgress: ({ path, received }) => {
        if (path === 'model.safetensors' && received > 100_000) stopping.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    expect(existsSync(join(to, 'model.safetensors'))).toBe(false);
    hub.calls.length = 0;
    await pull();
    expectAll(to);
    expect(Number(/\d+/.exec(ranges(hub)[0]!)![0])).toBeGreaterThan(10_000);
  });

  it('begins anew where a server knows nothing of ranges', async () => {
    const { hub, to, pull } = await start();
    hub.behaviour.cuts.push(100_000);
    hub.behaviour.ignoresRanges = true;
    await pull();
    expectAll(to);
  });

  it('tries again when a hub is busy, and gives up when it stays so', async () => {
    const { hub, to, pull } = await start();
    hub.behaviour.failures.push(503, 429, 500);
    await pull();
    expectAll(to);
    const other = await start();
    other.hub.behaviour.failures.push(...new Array<number>(20).fill(503));
    await expect(other.pull()).rejects.toMatchObject({
      code: 'unavailable',
      message: `${other.hub.endpoint} answered 503 for ${repo}/config.json`,
    });
    expect(other.hub.behaviour.failures).toHaveLength(15);
  });

  it('leaves nothing of a file whose content is not what was announced', async () => {
    const { hub, to, pull } = await start();
    const forged = Buffer.from(weights);
    forged[1000]! ^= 1;
    hub.behaviour.forged.set('model.safetensors', forged);
    await expect(pull()).rejects.toMatchObject({
      code: 'data-loss',
      message: expect.stringMatching(
        /^somebody\/tiny-model\/model\.safetensors: what came is not what http:\S+ announced \(sha256 [0-9a-f]{64}\); it was removed$/,
      ) as string,
    });
    expect(readdirSync(to).filter((entry) => entry.includes('model'))).toEqual([]);
    hub.behaviour.forged.clear();
    await pull();
    expectAll(to);
  });

  it('forgets what had come of a content that the file has no more', async () => {
    const { to, pull } = await start();
    writeFileSync(join(to, `.model.safetensors.${'0'.repeat(16)}.part`), 'of another');
    await pull();
    expectAll(to);
  });

  it('takes no path that leads out of its folder', async () => {
    const { hub, to, pull } = await start();
    hub.behaviour.listed.push('../outside.json', '/etc/passwd', 'a//b', 'a\\b', '..');
    const offered: string[] = [];
    await pull({
      select: (paths) => {
        offered.push(...paths);
        return [];
      },
    });
    expect(offered).toEqual(Object.keys(files));
    expect(readdirSync(to)).toEqual([]);
  });
});

describe('a pull is refused', () => {
  it.each<[string, (hub: TestHub) => Partial<PullOptions>, string, string]>([
    [
      'of a repository that does not exist',
      () => ({ repo: 'nobody/nothing' }),
      'not-found',
      '<hub> has no nobody/nothing at revision main',
    ],
    [
      'of a revision that does not exist',
      () => ({ revision: 'v9' }),
      'not-found',
      `<hub> has no ${repo} at revision v9`,
    ],
    [
      'without the token that it needs',
      (hub) => {
        hub.behaviour.token = 'hf_secret';
        return {};
      },
      'unauthenticated',
      `<hub> does not give out ${repo}: there is no such repository, or it may need a token, in HF_TOKEN`,
    ],
    [
      'with a token that is not right',
      (hub) => {
        hub.behaviour.token = 'hf_secret';
        return { token: 'hf_other' };
      },
      'unauthenticated',
      `<hub> does not give out ${repo}: there is no such repository, or the token in HF_TOKEN has no access to it`,
    ],
    [
      'of a file whose terms are not accepted',
      (hub) => {
        hub.behaviour.failures.push(403);
        return {};
      },
      'permission-denied',
      `<hub> does not give out ${repo}/config.json: it may need a token, in HF_TOKEN, or its terms are to be accepted on its page first`,
    ],
    [
      'of a name that is none',
      () => ({ repo: '../../etc' }),
      'invalid-input',
      '"../../etc" is no name of a repository; it must be OWNER/NAME',
    ],
    [
      'of a name with more parts',
      () => ({ repo: 'a/b/c' }),
      'invalid-input',
      '"a/b/c" is no name of a repository; it must be OWNER/NAME',
    ],
    [
      'from what is no address',
      () => ({ endpoint: 'ftp://example.com' }),
      'invalid-input',
      'HF_ENDPOINT=ftp://example.com: it must be a URL, as https://huggingface.co',
    ],
  ])('%s', async (_name, prepare, code, message) => {
    const { hub, pull } = await start();
    await expect(pull(prepare(hub))).rejects.toMatchObject({
      code,
      message: message.replace('<hub>', hub.endpoint),
    });
  });

  it('where nobody listens', async () => {
    const { pull } = await start();
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    await expect(pull({ endpoint })).rejects.toMatchObject({
      code: 'unavailable',
      message: `${endpoint} cannot be reached for ${repo}: ECONNREFUSED`,
    });
  });
});
