/**
 * Programs that mean harm, for tests and benchmarks: numbers 1 to 72 follow a list gathered from published escapes and
 * other sandboxes' tests, those after it are our own.
 *
 * A program that has got at something it must not says THROUGH and what. Arguments: the path of a file on the host that
 * holds a secret, the secret's name in the host's environment, a port on which the host listens.
 */
import type { BoundaryName } from '../boundary.ts';
import { type Outcome, outcomes } from '../outcome.ts';
import type { Limits, Program } from '../program.ts';

export interface HostileProgram {
  readonly number: number;
  readonly name: string;
  readonly program: Program;
  /** What may become of it. */
  readonly allowed: readonly Outcome[];
  /** Run after it in the same sandbox; it says THROUGH when it finds what the first has left. */
  readonly then: string | undefined;
}

interface Attack extends Omit<Partial<Program>, 'code'> {
  readonly code: string;
  /** In bubblewrap, and in Pyodide unless that says otherwise. Default: whatever has a name. */
  readonly ends?: readonly Outcome[];
  readonly inPyodide?: readonly Outcome[];
  readonly then?: string;
}

const common = `
import os, sys, time
canary, secret, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
def through(what):
    os.write(1, f"THROUGH: {what}\\n".encode())
def attempt(what, call):
    """Says THROUGH when the call works."""
    try:
        result = call()
    except BaseException as error:
        return print(what, type(error).__name__)
    through(f"{what}: {result!r:.200}")
`;

/** Says THROUGH when the call of libc returns no error. */
const libc = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(what, number, *args):
    try:
        result = libc.syscall(number, *args)
    except AttributeError:
        return
    if result >= 0: through(f"{what} gave {result}")
`;

/** Ways from Python to the JavaScript around it. */
const javascript = `
try:
    import pyodide_js
except ImportError:
    sys.exit(0)
`;

const loop = 'while True: pass';
const busy: readonly Outcome[] = ['timeout'];
const hungry: readonly Outcome[] = ['memory', 'timeout', 'error', 'killed'];

const attacks: Readonly<Record<string, Attack>> = {
  // Time
  '1 an endless loop': { code: loop, ends: busy },
  '2 a loop in C': { code: '10**10**8', ends: ['timeout', 'memory'] },
  '3 a regular expression that backtracks': { code: 'import re\nre.match("(a+)+$", "a" * 60 + "b")', ends: busy },
  '4 a sum over a trillion': { code: 'sum(range(10**12))', ends: busy },
  '5 a long sleep': { code: 'time.sleep(1e9)', ends: ['timeout', 'error'] },
  '6 a sort of a billion': { code: 'sorted(range(10**9), key=lambda x: -x)', ends: hungry },
  '7 a number of ten million digits': { code: 'int("9" * 10**7)', ends: ['error', 'timeout'] },
  '8 a loop that swallows every exception': {
    code: 'while True:\n  try:\n    while True: pass\n  except BaseException: pass',
    ends: busy,
  },
  '9 signals ignored': {
    code: 'import signal\nfor n in (signal.SIGTERM, signal.SIGINT, signal.SIGABRT):\n  signal.signal(n, signal.SIG_IGN)\nwhile True: pass',
    ends: busy,
  },
  '10 a coroutine that never yields': {
    code: 'import asyncio\nasync def f():\n  while True: pass\nf().send(None)',
    ends: busy,
  },
  '11 a loop at exit': {
    code: 'import atexit\ndef f():\n  while True: pass\natexit.register(f)\nclass A:\n  def __del__(self): f()\na = A()',
    ends: busy,
  },
  '12 recursion without end': {
    code: 'sys.setrecursionlimit(2**31 - 1)\nclass A:\n  def __getattr__(self, n): return getattr(self, n + "a")\nA().a',
    ends: hungry,
  },
  '13 a bomb for the parser': { code: 'eval("-" * 10**6 + "1")', ends: hungry },
  '14 a hundred thousand brackets': {
    code: 'import json\ntry: compile("(" * 10**5, "", "eval")\nexcept (SyntaxError, MemoryError, RecursionError): pass\njson.loads("[" * 10**5)',
    ends: hungry,
  },
  // Memory
  '15 100 GB at once': { code: 'b"x" * 10**11', ends: ['memory'], inPyodide: ['error', 'memory'] },
  '16 a growing list': { code: 'a = []\nwhile True: a.append("x" * 10**6 + str(len(a)))', ends: ['memory', 'timeout'] },
  '17 64 MB at a time': { code: 'a = []\nwhile True: a.append(bytearray(64 << 20))', ends: ['memory'] },
  '18 anonymous mappings': {
    code: 'import mmap\na = []\nwhile True:\n  m = mmap.mmap(-1, 8 << 20)\n  m.write(b"x" * (8 << 20))\n  a.append(m)',
    ends: hungry,
  },
  '19 bombs that unpack': {
    code: `
import zlib
packer = zlib.compressobj(9)
block = b"\\0" * (1 << 20)
bomb = b"".join(packer.compress(block) for _ in range(600)) + packer.flush()
zlib.decompress(bomb)`,
    ends: hungry,
  },
  '19 a billion laughs': {
    code: `
from xml.etree import ElementTree
names = [f'<!ENTITY a{i} "{f"&a{i-1};" * 10}">' for i in range(1, 10)]
ElementTree.fromstring(f'<!DOCTYPE a [<!ENTITY a0 "ha">{"".join(names)}]><a>&a9;</a>')`,
    ends: hungry,
  },
  '20 a format of ten billion blanks': { code: '"{:>9999999999}".format(1)', ends: ['memory', 'error'] },
  '21 a huge array': {
    code: 'try:\n  import numpy\n  numpy.ones(10**11)\nexcept ImportError:\n  import array\n  array.array("d", [1.0]) * 10**11',
    ends: ['memory', 'error'],
  },
  '22 memory in children': {
    code: 'for _ in range(8):\n  if os.fork() == 0:\n    a = bytearray(os.urandom(1)) * (60 << 20)\n    time.sleep(60)\ntime.sleep(60)',
    ends: ['timeout', 'memory', 'killed'],
    inPyodide: ['error'],
  },
  '23 every temporary folder filled': {
    code: `
total = 0
for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "/run", "/"):
    try:
        with open(folder + "/filler", "wb") as f:
            while True:
                f.write(b"x" * (1 << 20)); f.flush(); total += 1 << 20
    except OSError as error: print(folder, error)
if total > 48 << 20: through(f"{total} bytes on disk")`,
    ends: ['ok', 'memory'],
    inPyodide: ['ok', 'memory', 'timeout'],
  },
  // Processes
  '24 a fork bomb': {
    code: 'while True:\n  try: os.fork()\n  except OSError: pass',
    // What the kernel keeps of so many processes counts as their memory.
    ends: [...busy, 'memory'],
  },
  '25 a bomb of threads': {
    code: 'import threading\nwhile True: threading.Thread(target=time.sleep, args=(100,)).start()',
    ends: ['error', 'timeout', 'memory'],
  },
  '26 a daemon that survives its parent': {
    code: 'if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(.3)\n    through("still alive")\n    while True: time.sleep(1)\n  os._exit(0)\nos.wait()',
    ends: ['ok'],
    inPyodide: ['error'],
  },
  '27 a session of its own without hang-ups': {
    code: 'import subprocess\nsubprocess.Popen(["sh", "-c", "trap \\"\\" HUP TERM; sleep .3; echo THR$(:)OUGH; sleep 60"], start_new_session=True)',
    ends: ['ok'],
    inPyodide: ['error'],
  },
  '28 a chain of shells': {
    code: 'import subprocess\nsubprocess.run(["sh", "-c", "(sh -c \\"sleep 60 & sleep 60 & sleep 60\\" &) ; (sleep 60 &)"])',
    ends: ['ok'],
    inPyodide: ['error'],
  },
  '29 a pool of processes': {
    code: 'import multiprocessing\nmultiprocessing.set_start_method("fork")\nprint(len(multiprocessing.Pool(64).map(abs, range(9))))',
  },
  '30 signals to everybody': {
    code: 'import signal\nfor pid in (-1, 1, os.getppid()):\n  try: os.kill(pid, signal.SIGKILL)\n  except OSError as error: print(error)\ntime.sleep(60)',
    ends: ['killed', 'timeout'],
    inPyodide: [...outcomes],
  },
  '31 a flood of zombies': {
    code: 'for _ in range(2000):\n  if os.fork() == 0: os._exit(0)',
    ends: ['error', 'ok', 'timeout'],
  },
  // Output
  '32 an endless print': { code: 'while True: print("x" * 1000)', ends: ['output_limit'] },
  '33 one line without an end': { code: 'while True: sys.stdout.write("x" * 10**6)', ends: ['output_limit'] },
  '34 bytes that are no text': {
    code: 'os.write(1, bytes(range(256)) + b"\\x1b]8;;http://evil\\x07\\xe2\\x80\\xae")',
    ends: ['ok'],
  },
  '35 a flood of errors': { code: 'while True: os.write(2, b"x" * 65536)', ends: ['output_limit'] },
  '36 words to every descriptor': {
    code: 'for fd in range(3, 256):\n  try: os.write(fd, b"x" * 1000)\n  except OSError: pass',
  },
  '37 no output any more': { code: 'os.close(1)\nos.close(2)\nos._exit(0)', ends: ['ok'], inPyodide: ['ok', 'killed'] },
  '38 a forged end': {
    code: `
import json
word = json.dumps({"exitCode": 0, "signal": None, "report": "{}", "exceeded": None}).encode()
for nonce in (bytes(16), b"\\xff" * 16):
    frame = nonce + b"D" + len(word).to_bytes(4, "big") + word
    for fd in range(1, 64):
        try: os.write(fd, frame)
        except OSError: pass
os._exit(7)`,
    ends: ['error', 'killed'],
  },
  '39 a print after the deadline': {
    code: 'while True:\n  time.sleep(.05)\n  print(time.time(), flush=True)',
    ends: ['timeout'],
  },
  '40 a description without an end': {
    code: 'class E(Exception):\n  def __str__(self): return "x" * 10**10\n  __repr__ = __str__\nraise E()',
    ends: ['error', 'memory', 'killed', 'timeout'],
  },
  '41 a value that bites': {
    code: `
class V:
    def __reduce__(self): return (os.system, ("echo THROUGH",))
    def __eq__(self, other): return True
    __class__ = property(lambda self: dict)
    def __repr__(self): return "x" * 10**7
V()`,
    lastValue: true,
  },
  '41 a value a million deep': {
    code: 'a = []\nfor _ in range(10**6): a = [a]\na',
    lastValue: true,
  },
  // Files
  "42 other people's secrets": {
    code: `
import glob
attempt("the canary", lambda: open(canary).read())
attempt("the shadow file", lambda: open("/etc/shadow").read())
for root in ("/proc/1/root", "/proc/self/root", "/proc/1/cwd", f"/proc/{os.getppid()}/root"):
    attempt(root, lambda: open(root + canary).read())
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + glob.glob("/proc/*/maps"):
    try: text = open(path).read()
    except OSError: continue
    if secret + "=" in text: through(path)
if os.path.exists("/proc/self/mem"):
    for pid in (1, os.getppid()): attempt("memory", lambda: open(f"/proc/{pid}/mem", "rb").read(1))`,
    ends: ['ok'],
  },
  '43 the kernel': {
    code: `
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory",
             "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/dev/mem", "/dev/kmem", "/dev/kmsg",
             "/dev/vda", "/dev/sda", "/proc/kcore", "/proc/self/oom_score_adj"):
    if os.path.exists(path) and not path.endswith("oom_score_adj"): attempt(path, lambda: os.open(path, os.O_WRONLY))
attempt("devices", lambda: os.mknod("disk", 0o60660, os.makedev(254, 0)) if hasattr(os, "makedev") and os.path.exists("/proc/1") else 1 / 0)
if os.path.exists("/proc/1"): attempt("less of a victim", lambda: open("/proc/self/oom_score_adj", "w").write("-1000") and open("/proc/self/oom_score_adj").read().strip() == "-1000" or 1 / 0)`,
    ends: ['ok'],
  },
  '44 links out of the folder': {
    code: 'for i, to in enumerate((canary, "/etc/passwd", "/", "/proc/self/root" + canary)): os.symlink(to, f"link{i}")',
    collectFiles: true,
    ends: ['ok'],
  },
  '45 names that mislead': {
    code: `
for name in ("a\\nb", "\\x1b[31m", "..\\\\..\\\\evil", "x" * 255, "-rf", "\\udcff", " ", "a/../b"):
    try: open(name, "w").write("x")
    except OSError as error: print(error)
for source in ("/usr/bin/python3", "/proc/self/exe", canary):
    try: os.link(source, "hard")
    except (AttributeError, OSError) as error: print(error)`,
    collectFiles: true,
    ends: ['ok'],
  },
  '46 files that are none': {
    code: 'import socket\ntry:\n  os.mkfifo("pipe")\n  socket.socket(socket.AF_UNIX).bind("socket")\nexcept OSError as error: print(error)',
    collectFiles: true,
  },
  '47 a file of a terabyte': {
    code: 'with open("sparse", "wb") as f: f.truncate(10**12)',
    collectFiles: true,
    ends: ['error', 'output_limit'],
  },
  '47 files without number': {
    code: 'i = 0\nwhile True:\n  open(f"f{i}", "w").close()\n  i += 1',
    collectFiles: true,
    ends: ['timeout', 'memory', 'error', 'killed'],
  },
  '48 something for the next': {
    code: 'for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/sandbox", "/sandbox/work", "/home", "/"):\n  try: open(folder + "/left", "w").write("x")\n  except OSError: pass',
    then: 'for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/sandbox", "/sandbox/work", "/home", "/"):\n  if os.path.exists(folder + "/left"): through(folder)',
    ends: ['ok'],
  },
  '49 another interpreter': {
    code: `
for path in (sys.executable, os.__file__, os.path.dirname(os.__file__) + "/sitecustomize.py", "/usr/lib/python3/x.pth"):
    try: open(path, "w").write("print('THROUGH')")
    except OSError: pass
import json
json.dumps = lambda *_: "THROUGH"`,
    then: 'import json\nprint(json.dumps(1))',
  },
  '50 archives that climb': {
    code: `
import io, tarfile, zipfile
z = zipfile.ZipFile("z", "w"); z.writestr("../../../.." + canary, "overwritten"); z.close()
zipfile.ZipFile("z").extractall()
t = tarfile.open("t", "w")
link = tarfile.TarInfo("up"); link.type = tarfile.SYMTYPE; link.linkname = "/"; t.addfile(link)
file = tarfile.TarInfo("up" + canary); file.size = 3; t.addfile(file, io.BytesIO(b"bad")); t.close()
try: tarfile.open("t").extractall(filter="fully_trusted")
except OSError as error: print(error)`,
    collectFiles: true,
  },
  '51 a folder that nobody may enter': {
    code: 'os.mkdir("d")\nopen("d/f", "w").write("x")\nos.chmod("d", 0)\nos.chmod(".", 0)',
    collectFiles: true,
    ends: ['ok'],
  },
  '52 the rights of root': {
    code: `
import shutil
for what in ("setuid", "setgid", "seteuid"):
    if os.path.exists("/proc/1") and hasattr(os, what): attempt(what, lambda: getattr(os, what)(0))
if os.path.exists("/bin/sh"):
    shutil.copy("/bin/sh", "sh"); os.chmod("sh", 0o6755)
    if "uid=0" in os.popen("./sh -p -c id").read(): through("a set-uid shell")`,
    ends: ['ok'],
  },
  // Network
  '53 addresses that only the host reaches': {
    code: `
import socket
for address in (("127.0.0.1", port), ("::1", port), ("169.254.169.254", 80), ("fd00:ec2::254", 80), ("10.0.2.2", 80), ("1.1.1.1", 53)):
    attempt(str(address), lambda: socket.create_connection(address, timeout=.2).send(b"hello") or 1 / 0)`,
  },
  '54 names': {
    code: 'import socket\nfor name in ("metadata.google.internal", "secret.example.com"):\n  attempt(name, lambda: [a for a in socket.getaddrinfo(name, 80) if os.path.exists("/proc/1")][0])',
  },
  '55 sockets of every kind': {
    code: `
import socket
for kind in ((2, 2), (2, 3), (10, 2), (16, 3), (17, 3), (40, 1), (38, 5)):
    if os.path.exists("/proc/1"): attempt(str(kind), lambda: socket.socket(*kind))
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"hello", ("127.0.0.1", port))
try: udp()
except BaseException as error: print(error)
for path in ("/var/run/docker.sock", "/run/dbus/system_bus_socket", "\\0/tmp/.X11-unix/X0"):
    attempt(repr(path), lambda: socket.socket(socket.AF_UNIX).connect(path))`,
  },
  '56 a server of its own': {
    code: 'import socket\ns = socket.socket()\ns.bind(("0.0.0.0", 0))\ns.listen()\nif os.path.exists("/proc/1"): through(s.getsockname())',
    ends: ['error'],
    inPyodide: [...outcomes],
  },
  '57 other names for hosts': {
    code: 'for path in ("/etc/hosts", "/etc/resolv.conf", "/etc/passwd", "/etc/crontab"):\n  try: open(path, "a").write("127.0.0.1 example.com\\n")\n  except OSError as error: print(error)',
    ends: ['ok'],
  },
  // Escapes
  '58 a way through classes': {
    code: `
for c in ().__class__.__base__.__subclasses__():
    if c.__name__ in ("Popen", "_wrap_close"):
        try: print(c(["cat", canary]) if c.__name__ == "Popen" else c.__init__.__globals__["popen"]("cat " + canary).read())
        except BaseException as error: print(error)`,
  },
  '59 a way through frames': {
    code: `
frame = sys._getframe()
seen = []
while frame: seen += [*frame.f_globals, *frame.f_locals]; globals_ = frame.f_globals; frame = frame.f_back
print(seen)
for name, value in globals_.items():
    if isinstance(value, int) and name in ("CHANNEL", "result"):
        try: os.write(value, b"forged")
        except OSError: pass
try: globals_["send"](bytes(16), b"D", b'{"exitCode": 0, "report": "{}"}')
except BaseException as error: print(error)
os._exit(7)`,
    ends: ['error', 'killed'],
  },
  '60 a way through formats': {
    code: 'import logging\nprint("{0.__init__.__globals__[os].environ}".format(logging.Logger("x")))\nprint("{0.__globals__}".format(attempt)[:2000])',
  },
  '61 JavaScript by its constructors': {
    code: `${javascript}
makers = [lambda: pyodide_js.constructor.constructor, lambda: pyodide_js._module.constructor.constructor]
from pyodide.ffi import to_js
makers.append(lambda: to_js([1]).constructor.constructor)
for make in makers:
    attempt("Function", lambda: make()("return globalThis")())
import js
for name in ("Deno", "process", "fetch", "require", "eval", "Function", "WebAssembly"):
    attempt(name, lambda: getattr(js, name))
import pyodide.code
attempt("run_js", lambda: pyodide.code.run_js("globalThis"))
attempt("host files", lambda: pyodide_js.mountNodeFS("/host", "/") or os.listdir("/host")[0])`,
  },
  '62 C by ctypes': {
    code: `
import ctypes
library = ctypes.CDLL(None)
for name in ("system", "emscripten_run_script", "emscripten_run_script_int"):
    try: getattr(library, name)(b"cat /etc/hostname; touch " + canary.encode() + b".touched")
    except AttributeError: pass`,
  },
  '63 everything in memory': {
    code: `
import gc, importlib
for o in gc.get_objects():
    if isinstance(o, dict) and secret in o: through(secret)
if secret in os.environ: through("the environment")
for name in ("_posixsubprocess", "ctypes", "mmap"):
    try: importlib.import_module(name)
    except ImportError: pass`,
    ends: ['ok'],
  },
  '64 a library dropped': {
    code: 'import ctypes\nopen("x.so", "wb").write(b"\\x7fELF" + bytes(5000))\ntry: ctypes.CDLL("./x.so")\nexcept OSError as error: print(error)',
  },
  '65 a result that runs': {
    code: 'class R:\n  def __reduce__(self): return (eval, ("__import__(\\"os\\").system(\\"touch \\" + repr(canary))",))\nR()',
    lastValue: true,
  },
  '66 code that no compiler made': {
    code: 'def f(): pass\nc = f.__code__.replace(co_code=bytes([100, 255, 83, 0] * 50))\ntype(f)(c, {})()',
    ends: ['killed', 'error', 'ok', 'timeout', 'memory'],
  },
  '67 calls of the kernel': {
    code: `${libc}
import platform
if platform.machine() == "x86_64":
    for what, number, *args in (
        ("unshare", 272, 0x10000000), ("unshare network", 272, 0x40000000), ("clone", 56, 0x10000011, 0, 0, 0, 0),
        ("clone3", 435, None, 88), ("mount", 165, b"x", b"/tmp", b"tmpfs", 0, None), ("umount", 166, b"/proc", 2),
        ("pivot_root", 155, b".", b"."), ("chroot", 161, b"."), ("setns", 308, 0, 0), ("ptrace", 101, 16, 1, 0, 0),
        ("process_vm_readv", 310, os.getppid(), None, 0, None, 0, 0), ("keyctl", 250, 0, -3, 1), ("add_key", 248, b"user", b"x", b"x", 1, -3),
        ("io_uring_setup", 425, 8, None), ("bpf", 321, 0, None, 0), ("userfaultfd", 323, 1), ("perf_event_open", 298, None, 0, -1, -1, 0),
        ("open_by_handle_at", 304, -1, None, 0), ("init_module", 175, None, 0, b""), ("kexec_load", 246, 0, 0, None, 0),
        ("memfd_create", 319, b"x", 0), ("personality", 135, 0x0040000), ("swapon", 167, b"x", 0), ("syslog", 103, 3, None, 0),
        ("shmget", 29, 0, 1 << 30, 0o1600), ("mq_open", 240, b"/x", 0x42, 0o600, None), ("seccomp", 317, 1, 0, None),
        ("x32 getpid", 0x40000000 | 39), ("pidfd_getfd", 438, 0, 3, 0), ("landlock", 444, None, 0, 1), ("quotactl", 179, 0, None, 0, None),
    ): call(what, number, *args)`,
    ends: ['ok'],
  },
  '68 keys typed into the terminal': {
    code: `
import fcntl
for fd in (0, 1, 2):
    attempt("TIOCSTI", lambda: fcntl.ioctl(fd, 0x5412, b"x"))
if os.path.exists("/proc/1"): attempt("the terminal", lambda: open("/dev/tty", "w"))`,
    ends: ['ok'],
  },
  '69 what was left open': {
    code: `
if os.path.isdir("/proc/self/fd"):
    for fd in os.listdir("/proc/self/fd"):
        try: to = os.readlink(f"/proc/self/fd/{fd}")
        except OSError: continue
        if int(fd) > 2 and not to.startswith(("pipe:", "/proc/", "/dev/null")): through(f"{fd} {to}")
if secret in os.environ or any(secret in a for a in sys.orig_argv if a != secret): through("the start")`,
    ends: ['ok'],
  },
  '70 a prototype polluted': {
    code: '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
    lastValue: true,
    ends: ['ok'],
  },
  // Attacks on who grades
  '71 an end before the test': { code: 'os._exit(0)', expression: 'solution()', ends: ['error'] },
  '71 an exit before the test': { code: 'sys.exit(0)', expression: 'solution()', ends: ['error'] },
  '71 success told and a failure': { code: 'print("all tests passed")\nraise AssertionError', ends: ['error'] },
  '71 a clock that stands': {
    code: 'time.time = time.monotonic = time.perf_counter = lambda: 0\nwhile True: pass',
    ends: busy,
  },
  '71 other words for failure': {
    code: 'import builtins, traceback\nbuiltins.print = lambda *a, **k: None\ntraceback.TracebackException = None\nsys.excepthook = None\n1 / 0',
    ends: ['error'],
  },
  // Our own
  '73 the keeper stopped': {
    code: 'import signal\nos.kill(os.getppid(), signal.SIGSTOP)',
    ends: ['timeout'],
    inPyodide: [...outcomes],
  },
  '74 a look into the keeper': {
    code: 'p = os.getppid()\nif os.path.exists("/proc/1"):\n  for what in ("mem", "environ", "fd/3", "maps", "root", "cwd"):\n    attempt(what, lambda: os.readlink(f"/proc/{p}/{what}") if what in ("root", "cwd") else os.open(f"/proc/{p}/{what}", os.O_RDONLY))',
    ends: ['ok'],
  },
  '75 other users for itself': {
    code: 'if os.path.exists("/proc/self/uid_map"):\n  for what in ("uid_map", "gid_map"): attempt(what, lambda: os.write(os.open(f"/proc/self/{what}", os.O_WRONLY), b"0 0 1"))\n  for ns in os.listdir("/proc/1/ns") if os.access("/proc/1/ns", 4) else []: attempt(ns, lambda: os.setns(os.open(f"/proc/1/ns/{ns}", os.O_RDONLY)))',
    ends: ['ok'],
  },
  '76 higher limits': {
    code: 'import resource\nfor name in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):\n  if os.path.exists("/proc/1"): attempt(str(name), lambda: resource.setrlimit(name, (-1, -1)))',
    inPyodide: [...outcomes],
    ends: ['ok'],
  },
  '77 many at work': {
    code: 'for _ in range(6):\n  if os.fork() == 0:\n    while True: pass\ntime.sleep(60)',
    limits: { cpuMs: 200 },
    ends: ['timeout'],
    inPyodide: ['error'],
  },
  '78 a flood into the report': {
    code: 'while True:\n  for fd in range(3, 32):\n    try: os.write(fd, b"x" * 65536)\n    except OSError: pass',
    ends: ['timeout', 'killed'],
  },
  '79 shared memory in children': {
    code: 'import mmap\nfor _ in range(8):\n  if os.fork() == 0:\n    m = mmap.mmap(-1, 60 << 20)\n    m.write(b"x" * (60 << 20))\n    time.sleep(60)\ntime.sleep(60)',
    ends: ['timeout', 'memory', 'killed'],
    inPyodide: ['error'],
  },
  '80 a crash': { code: 'os.abort()', ends: ['killed'], inPyodide: ['killed', 'error'] },
  '81 a crash of the machine code': {
    code: 'import ctypes\nctypes.string_at(0)',
    inPyodide: [...outcomes],
    ends: ['killed'],
  },
  '82 more than may be taken out': {
    code: 'for i in range(300): open(f"f{i}", "w").write("x")',
    collectFiles: true,
    ends: ['output_limit'],
  },
  '83 folders in folders': {
    code: 'for _ in range(200):\n  os.mkdir("d")\n  os.chdir("d")\nos.symlink(".", "self")',
    collectFiles: true,
    ends: ['ok'],
  },
  '84 a larger disk by JavaScript': {
    code: `${javascript}
ops = pyodide_js._module.FS.filesystems.MEMFS.ops_table
ops.file.stream.write = pyodide_js._module.FS.filesystems.MEMFS.stream_ops.write
with open("large", "wb") as f:
    for _ in range(2000): f.write(b"x" * (1 << 20))
through("two gigabytes on disk")`,
    ends: ['ok'],
    inPyodide: ['memory', 'killed', 'timeout', 'error'],
  },
  '85 memory by JavaScript': {
    code: `${javascript}
kept = []
make = pyodide_js._module.HEAPU8.constructor
while True:
    a = make.new(64 << 20)
    a.fill(1)
    kept.append(a)`,
    ends: ['ok'],
    inPyodide: ['memory', 'killed', 'timeout', 'error'],
  },
  '86 a larger memory by JavaScript': {
    code: `${javascript}
m = pyodide_js._module
for what in ("growMemory", "_emscripten_resize_heap"):
    try: print(getattr(m, what)(1 << 31))
    except BaseException as error: print(error)
kept = []
while True: kept.append(bytearray(8 << 20))`,
    ends: ['ok'],
    inPyodide: ['memory', 'killed', 'timeout', 'error'],
  },
  '87 the nonce overheard by JavaScript': {
    code: `${javascript}
from pyodide.ffi import create_proxy
prototype = pyodide_js._module.HEAPU8.constructor.prototype
heard = []
prototype.set = create_proxy(lambda *a: heard.append(str(a)))
print("x")
os._exit(7)`,
    ends: ['ok'],
    inPyodide: ['error', 'killed', 'timeout'],
  },
  '88 names for everything': {
    code: `${javascript}
Object = pyodide_js.constructor
for name, value in (("exitCode", 0), ("report", "{}"), ("signal", None), ("then", 1)):
    setattr(Object.prototype, name, value)
os._exit(7)`,
    ends: ['ok'],
    inPyodide: ['error', 'killed', 'timeout'],
  },
};

/** Little to waste; and time enough, on a busy machine, for what is to come to an end by itself. */
const limits: Partial<Limits> = { memoryBytes: 128 << 20, processes: 16, diskBytes: 32 << 20, outputBytes: 1 << 20 };
const patience = 10_000;
const impatience: Readonly<Record<BoundaryName, number>> = { bubblewrap: 800, pyodide: 2000 };

/** The programs with their arguments for the boundary. */
export function hostilePrograms(boundary: BoundaryName, args: readonly string[]): HostileProgram[] {
  return Object.entries(attacks).map(([title, { ends = outcomes, inPyodide = ends, then, code, ...more }]) => {
    const [, number, name] = /^(\d+) (.*)$/.exec(title) as unknown as [string, string, string];
    const allowed = boundary === 'pyodide' ? inPyodide : ends;
    const wallMs = allowed.includes('timeout') ? impatience[boundary] : patience;
    return {
      number: Number(number),
      name,
      program: { ...more, code: common + code, args, limits: { wallMs, ...limits, ...more.limits } },
      allowed,
      then: then === undefined ? undefined : common + then,
    };
  });
}
