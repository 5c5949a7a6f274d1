/* global Deno, TextDecoder, TextEncoder, WebAssembly */
/**
 * Runs in Deno: CPython as WebAssembly, prepared once as a picture of its memory, which later starts load. When it is
 * loaded, every permission is given back; then one program is taken from standard input and run.
 *
 * `interpreter.mjs FOLDER PICTURE` runs a program, `interpreter.mjs FOLDER PICTURE RUNNER` makes the picture, with
 * RUNNER, the Python that runs programs, in it.
 */
const { args, exit, permissions, readFileSync, readTextFileSync, stdin, stdout, stderr, writeFileSync } = Deno;
const [folder, picture, runner] = args;

const home = '/sandbox/work';
const pageBytes = 65_536;
const nonceBytes = 16;
/** ENOSPC, as WASI numbers it. */
const noSpace = 51;
const encoder = new TextEncoder();
/** Pages that the program's memory may have. */
let mostPages = Infinity;
let roomOnDisk = Infinity;

// What speaks here speaks on the channel.
console.log = console.info = console.debug = console.error;

const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength / pageBytes + pages > mostPages) throw new RangeError('the limit of memory is met');
  return grow.call(this, pages);
};

function load(more) {
  return loadPyodide({
    indexURL: new URL(folder).pathname,
    jsglobals: Object.create(null),
    stdout: () => undefined,
    stderr: () => undefined,
    env: { HOME: home, TMPDIR: '/sandbox/tmp', LANG: 'C.UTF-8', TZ: 'UTC' },
    ...more,
  });
}

function makePicture(pyodide) {
  pyodide.globals.set('source', readTextFileSync(runner));
  pyodide.runPython(`
import errno, os, posix, sys, types
import collections, datetime, decimal, fractions, functools, itertools, math, random, re, statistics, string
module = types.ModuleType("program_runner")
exec(source, module.__dict__)
sys.modules["program_runner"] = module
def system(command):
    raise OSError(errno.ENOSYS, "there are no other programs here")
os.system = posix.system = system
del source, module, system
`);
  writeFileSync(picture, pyodide.makeMemorySnapshot());
}

async function serve(pyodide) {
  const { FS } = pyodide;
  FS.mkdirTree(home);
  FS.mkdirTree('/sandbox/tmp');
  FS.chdir(home);
  limitDisk(FS);
  // What it loads of the runtime when it is first used, it could not load later; and what has run once runs faster.
  pyodide.runPython(program, { globals: pyodide.toPy({ given: JSON.stringify(rehearsal) }) });
  for (const name of ['read', 'write', 'net', 'env', 'sys', 'run', 'ffi', 'import']) {
    const { state } = await permissions.revoke({ name });
    if (state === 'granted') throw new Error(`the permission ${name} cannot be given back`);
  }
  // Without permissions they can do nothing; without them nothing can be tried.
  for (const name of unwanted) delete globalThis[name];
  const id = () => 1000;
  globalThis.process = { getuid: id, geteuid: id, getgid: id, getegid: id };

  send(new Uint8Array(nonceBytes), 'R');
  const take = reader();
  const size = new DataView((await take(4)).buffer).getUint32(0);
  const start = JSON.parse(new TextDecoder().decode(await take(size)));
  const { limits } = start;
  const inputs = new Map();
  for (const { path, size: bytes } of start.files) {
    const content = await take(bytes);
    const slash = path.lastIndexOf('/');
    if (slash > 0) FS.mkdirTree(path.slice(0, slash));
    FS.writeFile(path, content);
    inputs.set(path, content);
  }
  const nonce = await take(nonceBytes);
  let input = await take(start.stdinBytes);
  pyodide.setStdin({
    read: (buffer) => {
      const part = input.subarray(0, buffer.length);
      buffer.set(part);
      input = input.subarray(part.length);
      return part.length;
    },
    isatty: false,
  });
  const stream = (kind) => ({
    write: (bytes) => {
      send(nonce, kind, bytes);
      return bytes.length;
    },
    isatty: false,
  });
  pyodide.setStdout(stream('O'));
  pyodide.setStderr(stream('E'));
  mostPages = pyodide._module.HEAP8.length / pageBytes + Math.ceil(limits.memoryBytes / pageBytes);
  roomOnDisk = limits.diskBytes;

  const ending = { exitCode: null, signal: null, report: '', exceeded: null };
  try {
    const globals = pyodide.toPy({ given: JSON.stringify(start) });
    ending.report = pyodide.runPython(program, { globals });
    ending.exitCode = JSON.parse(ending.report).exitCode;
    pyodide.runPython('program_runner.finish()', { globals });
  } catch (reason) {
    // os._exit ends the interpreter by this.
    if (typeof reason?.status !== 'number') {
      stderr.writeSync(encoder.encode(`the interpreter failed: ${reason}`.slice(0, 500)));
      exit(70);
    }
    ending.exitCode = reason.status;
  }
  if (start.collectFiles) ending.exceeded = collect(FS, inputs, limits, nonce);
  send(nonce, 'D', encoder.encode(JSON.stringify(ending)));
}

const program = `
import json, os, sys
import program_runner
start = json.loads(given)
sys.path.insert(0, os.getcwd())
json.dumps(program_runner.run(
    start["code"], start["args"], start["expression"], start["lastValue"], start["limits"]["outputBytes"]
))
`;

const rehearsal = {
  code: 'import os, time\nos.urandom(1), time.sleep(0), time.monotonic()\nprint(f"{1 + 1}")\n[i for i in range(9)]',
  args: [],
  expression: null,
  lastValue: true,
  limits: { outputBytes: 1000 },
};

const unwanted = [
  ...['Deno', 'process', 'global', 'Buffer', 'navigator', 'fetch', 'caches', 'localStorage', 'sessionStorage'],
  ...[
    'Worker',
    'WebSocket',
    'EventSource',
    'BroadcastChannel',
    'XMLHttpRequest',
    'prompt',
    'alert',
    'confirm',
    'close',
  ],
];

/** Its file system lives in memory of JavaScript, which the limit of WebAssembly's memory does not see. */
function limitDisk(FS) {
  const { file, dir } = FS.filesystems.MEMFS.ops_table;
  const { write } = file.stream;
  const { setattr } = file.node;
  const { unlink, rename } = dir.node;
  const held = (node) => node?.contents?.byteLength ?? 0;
  const counted = (node, bytes, change) => {
    const before = held(node);
    if (bytes - before > roomOnDisk) throw new FS.ErrnoError(noSpace);
    const result = change();
    roomOnDisk -= held(node) - before;
    return result;
  };
  file.stream.write = (stream, buffer, offset, length, position, canOwn) =>
    counted(stream.node, position + length, () => write(stream, buffer, offset, length, position, canOwn));
  file.node.setattr = (node, change) => counted(node, change.size ?? 0, () => setattr(node, change));
  dir.node.unlink = (parent, name) => {
    roomOnDisk += held(parent.contents[name]);
    return unlink(parent, name);
  };
  dir.node.rename = (node, parent, name) => {
    const replaced = parent.contents[name];
    if (replaced !== node && FS.isFile(replaced?.mode ?? 0)) roomOnDisk += held(replaced);
    return rename(node, parent, name);
  };
}

/** Sends new and changed files; says which limit they exceed. */
function collect(FS, inputs, limits, nonce) {
  let bytes = limits.diskBytes;
  let count = limits.files;
  const folders = [''];
  FS.chmod(home, 0o700);
  while (folders.length > 0) {
    const prefix = folders.pop();
    for (const name of FS.readdir(`${home}/${prefix}`).sort()) {
      if (name === '.' || name === '..') continue;
      const path = prefix + name;
      const { mode } = FS.lstat(`${home}/${path}`);
      const isFolder = FS.isDir(mode);
      if (!isFolder && !FS.isFile(mode)) continue;
      FS.chmod(`${home}/${path}`, 0o700);
      if (isFolder) {
        if (path.split('/').length <= 32) folders.push(`${path}/`);
        continue;
      }
      const content = FS.readFile(`${home}/${path}`);
      if (isSame(content, inputs.get(path))) continue;
      bytes -= content.length;
      if (bytes < 0) return 'bytes';
      if (--count < 0) return 'files';
      const spelled = encoder.encode(path);
      const length = new Uint8Array(2);
      new DataView(length.buffer).setUint16(0, spelled.length);
      if (spelled.length <= 1024) send(nonce, 'F', length, spelled, content);
    }
  }
  return null;
}

function isSame(a, b) {
  return b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function send(nonce, kind, ...parts) {
  const header = new Uint8Array(nonceBytes + 5);
  header.set(nonce);
  header[nonceBytes] = kind.charCodeAt(0);
  new DataView(header.buffer).setUint32(
    nonceBytes + 1,
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  for (let part of [header, ...parts]) while (part.length > 0) part = part.subarray(stdout.writeSync(part));
}

/** Takes an exact number of bytes from standard input. */
function reader() {
  let rest = new Uint8Array(0);
  return async (size) => {
    const parts = [rest];
    let length = rest.length;
    while (length < size) {
      const buffer = new Uint8Array(65_536);
      const count = await stdin.read(buffer);
      if (count === null) exit(0);
      parts.push(buffer.subarray(0, count));
      length += count;
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    rest = all.slice(size);
    return all.slice(0, size);
  };
}

const { loadPyodide } = await import(new URL('pyodide.mjs', folder).href);

if (runner !== undefined) makePicture(await load({ _makeSnapshot: true }));
else await serve(await load({ _loadSnapshot: readFileSync(picture) }));
exit(0);
