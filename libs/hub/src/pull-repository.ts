/**
 * Downloads files of a model repository: one after the other, going on where an earlier try was cut off, each checked
 * against what the hub says of its content before it gets its name.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CrucibleError, invalidInput, throwIfCancelled } from '@crucible/foundation';
import { downloadFile, fileDownloadInfo, listFiles, type ListFileEntry, modelInfo } from '@huggingface/hub';
import { type Checksum, checksumOf } from './checksum.ts';
import { type Asked, hubError } from './hub-error.ts';

export interface PullOptions {
  /** OWNER/NAME, or NAME of the oldest ones. */
  readonly repo: string;
  /** Branch, tag or commit. Default: main. */
  readonly revision?: string;
  /** Default: https://huggingface.co. */
  readonly endpoint?: string;
  /** For what is not public. Default: none. */
  readonly token?: string | undefined;
  /** Folder that the files go to, under their paths; made as needed. */
  readonly to: string;
  /** Chooses among the paths of the repository. */
  readonly select: (paths: readonly string[]) => readonly string[];
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to the first new try after a failure; each further one waits twice as long. Default: 500. */
  readonly retryDelay?: number;
}

export interface PullProgress {
  /** The file that is on its way. */
  readonly path: string;
  /** Bytes that are here, of all files; those of an earlier try too. */
  readonly received: number;
  readonly total: number;
}

export interface PulledRepository {
  /** The commit that the files are of. */
  readonly commit: string;
  readonly paths: readonly string[];
}

const defaultEndpoint = 'https://huggingface.co';

/** Tries without a new byte before a download is given up. */
const mostTries = 5;

/** Milliseconds without a byte after which a connection counts as lost. */
const longestSilence = 60_000;

/** Downloads what `select` chooses. What is there already, and has the right content, is kept. */
export async function pullRepository(options: PullOptions): Promise<PulledRepository> {
  const { repo, revision = 'main', to, select, onProgress, signal, retryDelay = 500 } = options;
  if (!/^[\w.-]{1,96}(\/[\w.-]{1,96})?$/.test(repo) || /(^|\/)\.+(\/|$)/.test(repo))
    throw invalidInput(`${JSON.stringify(repo)} is no name of a repository; it must be OWNER/NAME`, { at: 'repo' });
  const endpoint = checkedEndpoint(options.endpoint ?? defaultEndpoint);
  const asked: Asked = { repo, revision, endpoint, hasToken: options.token !== undefined };
  const hub: Hub = {
    repo,
    hubUrl: endpoint,
    fetch: fetchWithin(signal),
    ...(options.token !== undefined && { accessToken: options.token }),
  };
  const { commit, entries } = await describe(hub, revision).catch((reason: unknown) => {
    throwIfCancelled(signal, 'pull');
    throw hubError(reason, asked);
  });
  const files = new Map(entries.filter(({ type }) => type === 'file').map((entry) => [entry.path, entry]));
  const chosen = select([...files.keys()].filter(isPlain)).map((path) => files.get(path)!);
  const total = chosen.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const entry of chosen) {
    const report = (received: number): void => onProgress?.({ path: entry.path, received: done + received, total });
    await new Download(hub, entry, commit, to, asked).run(report, retryDelay, signal);
    done += entry.size;
    report(0);
  }
  return { commit, paths: chosen.map(({ path }) => path) };
}

interface Hub {
  readonly repo: string;
  readonly hubUrl: string;
  readonly fetch: typeof fetch;
  readonly accessToken?: string;
}

/** Whether a path that a hub names stays within its repository. */
function isPlain(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\0]/.test(path);
}

function checkedEndpoint(endpoint: string): string {
  if (!/^https?:\/\/[^\s/]/.test(endpoint))
    throw invalidInput(`HF_ENDPOINT=${endpoint}: it must be a URL, as ${defaultEndpoint}`, { at: 'HF_ENDPOINT' });
  return endpoint.replace(/\/+$/, '');
}

/** The commit that a revision is, and its files. */
async function describe(hub: Hub, revision: string): Promise<{ commit: string; entries: ListFileEntry[] }> {
  const { sha: commit } = await modelInfo({ ...hub, name: hub.repo, revision, additionalFields: ['sha'] });
  const entries: ListFileEntry[] = [];
  for await (const entry of listFiles({ ...hub, revision: commit, recursive: true })) entries.push(entry);
  return { commit, entries };
}

/** A server that does not know of ranges would send the beginning of a file again. */
function fetchWithin(signal: AbortSignal | undefined): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, ...(signal && { signal }) });
    const range = new Headers(init?.headers).get('range');
    if (range !== null && !range.startsWith('bytes=0-') && response.status === 200) {
      await response.body?.cancel();
      throw new Error(rangeIgnored);
    }
    return response;
  };
}

/** Streams of the hub's library pass on the text of an error alone. */
const rangeIgnored = 'the server sends files from their beginning only';

class Download {
  readonly #hub: Hub;
  readonly #entry: ListFileEntry;
  readonly #commit: string;
  readonly #asked: Asked;
  readonly #target: string;
  /** What has come so far; its name tells of which content it is a part. */
  readonly #part: string;
  readonly #checksum: Checksum;

  constructor(hub: Hub, entry: ListFileEntry, commit: string, to: string, asked: Asked) {
    this.#hub = hub;
    this.#entry = entry;
    this.#commit = commit;
    this.#asked = asked;
    this.#checksum = entry.lfs ? { kind: 'sha256', value: entry.lfs.oid } : { kind: 'git', value: entry.oid ?? '' };
    this.#target = join(to, entry.path);
    const name = basename(entry.path);
    this.#part = join(dirname(this.#target), `.${name}.${this.#checksum.value.slice(0, 16)}.part`);
  }

  async run(report: (received: number) => void, retryDelay: number, signal: AbortSignal | undefined): Promise<void> {
    const { size, path } = this.#entry;
    mkdirSync(dirname(this.#target), { recursive: true });
    if (existsSync(this.#target) && statSync(this.#target).size === size && (await this.#isRight(this.#target))) return;
    this.#removeOtherParts();
    for (let tries = 0; ;) {
      const before = this.#received();
      try {
        await this.#receive(before, report, signal);
        if (this.#received() === size) break;
        throw new Error('the connection ended early');
      } catch (reason) {
        throwIfCancelled(signal, 'pull');
        if (reason === rangeIgnored) rmSync(this.#part, { force: true });
        tries = this.#received() > before ? 0 : tries + 1;
        const error = hubError(reason, this.#asked, path);
        if (error.code !== 'unavailable' || tries >= mostTries) throw error;
        await delay(retryDelay * 2 ** tries, undefined, { ...(signal && { signal }) }).catch(() => undefined);
        throwIfCancelled(signal, 'pull');
      }
    }
    if (!(await this.#isRight(this.#part))) {
      rmSync(this.#part);
      throw new CrucibleError(
        'data-loss',
        `${this.#asked.repo}/${path}: what came is not what ${this.#asked.endpoint} announced (${this.#checksum.kind} ${this.#checksum.value}); it was removed`,
        { at: path },
      );
    }
    await rename(this.#part, this.#target);
  }

  /** Bytes that have come. */
  #received(): number {
    if (!existsSync(this.#part)) return 0;
    const { size } = statSync(this.#part);
    if (size > this.#entry.size) truncateSync(this.#part, 0);
    return size > this.#entry.size ? 0 : size;
  }

  async #receive(start: number, report: (received: number) => void, signal: AbortSignal | undefined): Promise<void> {
    const { path, size } = this.#entry;
    const file = await open(this.#part, 'a');
    try {
      if (start === size) return;
      const common = { ...this.#hub, path, revision: this.#commit };
      const downloadInfo = await fileDownloadInfo(common);
      if (!downloadInfo) throw new CrucibleError('not-found', `${this.#asked.repo} has no ${path}`, { at: path });
      const blob = await downloadFile({ ...common, downloadInfo, xet: false });
      const stream = (start === 0 ? blob! : blob!.slice(start, size)).stream();
      let received = start;
      for await (const chunk of chunksOf(stream, signal)) {
        await file.write(chunk);
        report((received += chunk.byteLength));
        if (received > size)
          throw new CrucibleError('data-loss', `${path}: more came than was announced`, { at: path });
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #isRight(path: string): Promise<boolean> {
    const { kind, value } = this.#checksum;
    return (await checksumOf(path, this.#entry.size, kind)) === value;
  }

  /** Of another content that the file once had. */
  #removeOtherParts(): void {
    const folder = dirname(this.#part);
    for (const entry of readdirSync(folder)) {
      const isOther = entry.startsWith(`.${basename(this.#entry.path)}.`) && entry.endsWith('.part');
      if (isOther && entry !== basename(this.#part)) rmSync(join(folder, entry));
    }
  }
}

/** Chunks of a stream; a silence that is too long is an error. */
async function* chunksOf(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      throwIfCancelled(signal, 'pull');
      const silence = new AbortController();
      const lost = delay(longestSilence, undefined, { signal: silence.signal, ref: false }).then(
        () => Promise.reject(new Error(`nothing came for ${longestSilence / 1000} s`)),
        () => new Promise<never>(() => undefined),
      );
      const { done, value } = await Promise.race([reader.read(), lost]).finally(() => silence.abort());
      if (done) return;
      yield value;
    }
  } finally {
    // A stream that has failed cannot be cancelled any more.
    await reader.cancel().catch(() => undefined);
  }
}
