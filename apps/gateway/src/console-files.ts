/**
 * The console: the files of its build, and its page for every address that is a page of it. Nothing outside of the
 * build's folder is ever read, and the pages may load nothing from elsewhere.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context, Handler } from 'hono';
import { CrucibleError } from '@crucible/foundation';
import type { GatewayEnv } from './access.ts';
import { errorResponse } from './http-error.ts';

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** What a build puts there has a digest in its name. */
const hashedFolder = `assets${sep}`;
const compressible = /^text\/|json|svg/;
/** Bytes below which packing saves nothing. */
const leastPacked = 1024;

interface File {
  readonly type: string;
  readonly tag: string;
  readonly plain: Buffer<ArrayBuffer>;
  readonly packed: Buffer<ArrayBuffer> | undefined;
  readonly isHashed: boolean;
}

interface Build {
  /** Of index.html. */
  readonly version: string;
  readonly files: ReadonlyMap<string, File>;
}

const pack = promisify(gzip);

/** Serves GET (and HEAD) of everything that is no address of the API; `folder` need not exist. */
export function createConsoleFiles(folder: string | undefined): Handler<GatewayEnv> {
  const load = createLoader(folder);
  return async (context) => {
    const { path } = context.req;
    const build = await load();
    // `decodeURIComponent` of a broken escape throws; such a path names no file.
    const name = nameOf(path);
    const file = name === undefined ? undefined : build?.files.get(name);
    if (file) return respond(context, file);
    const isPage = name !== undefined && extname(name) === '';
    if (!isPage) return errorResponse(context, new CrucibleError('not-found', `${path} does not exist`));
    const index = build?.files.get('index.html');
    return index ? respond(context, index) : respond(context, withoutBuild);
  };
}

function nameOf(path: string): string | undefined {
  try {
    return decodeURIComponent(path).replace(/^\/+/, '');
  } catch {
    return undefined;
  }
}

function respond(context: Context<GatewayEnv>, { type, tag, plain, packed, isHashed }: File): Response {
  context.header('content-security-policy', policy);
  context.header('referrer-policy', 'no-referrer');
  context.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
  context.header('etag', tag);
  if (packed) context.header('vary', 'accept-encoding');
  if (context.req.header('if-none-match') === tag) return context.body(null, 304);
  context.header('content-type', type);
  const takesPacked = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/.test(context.req.header('accept-encoding') ?? '');
  if (!packed || !takesPacked) return context.body(plain);
  context.header('content-encoding', 'gzip');
  return context.body(packed);
}

/** Reads the whole build, which is small, once; anew when it was built again. */
function createLoader(folder: string | undefined): () => Promise<Build | undefined> {
  let loaded: Build | undefined;
  return async () => {
    if (folder === undefined) return undefined;
    const { mtimeMs, size } = statSync(join(folder, 'index.html'), { throwIfNoEntry: false }) ?? {};
    if (mtimeMs === undefined) return undefined;
    const version = `${mtimeMs}:${size}`;
    if (loaded?.version === version) return loaded;
    const files = new Map<string, File>();
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const type = types[extname(entry.name)];
      // Links are not followed, and what a browser has no use for, like source maps, stays here.
      if (!entry.isFile() || type === undefined) continue;
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path);
      files.set(name.split(sep).join('/'), await fileOf(readFileSync(path), type, name.startsWith(hashedFolder)));
    }
    loaded = { version, files };
    return loaded;
  };
}

async function fileOf(content: Uint8Array, type: string, isHashed: boolean): Promise<File> {
  const plain = Buffer.from(content);
  const isPacked = compressible.test(type) && plain.length >= leastPacked;
  const tag = `W/"${createHash('sha256').update(plain).digest('hex').slice(0, 32)}"`;
  return { type, tag, plain, packed: isPacked ? Buffer.from(await pack(plain)) : undefined, isHashed };
}

const withoutBuild = await fileOf(
  Buffer.from(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Crucible</title>
<h1>Crucible</h1>
<p>The API is at <code>/v1</code>. The console is not built here. In the folder of the project:</p>
<pre>npm run build -w @crucible/console</pre>
<p>and load this page again.</p>
</html>
`),
  types['.html']!,
  false,
);
