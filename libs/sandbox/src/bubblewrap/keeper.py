"""The first process inside of bubblewrap. It waits for one program, runs it in a child, and answers for it.

The program cannot speak in its place: the channel is closed in the child, the nonce that marks every answer comes after
the child has been made, and no other process may look into this one.

`program_runner.py` stands above this text in the same module.
"""

import ctypes
import hashlib
import os
import resource
import select
import signal
import stat
import struct

CHANNEL = 3
ROOT = "/sandbox/work"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
# Room for the interpreter itself within the limit of address space.
INTERPRETER = 32 << 20
libc = ctypes.CDLL(None)


def read_exactly(size):
    parts = []
    while size > 0:
        part = os.read(CHANNEL, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(nonce, kind, *parts):
    size = sum(map(len, parts))
    for part in (nonce + kind + struct.pack(">I", size), *parts):
        view = memoryview(part)
        while view:
            view = view[os.write(CHANNEL, view) :]


def child(start, result):
    """Becomes the program. Never returns."""
    code = 1
    try:
        libc.prctl(PR_SET_DUMPABLE, 1)
        limits = start["limits"]
        cpu = -(-limits["cpuMs"] // 1000)
        memory = limits["memoryBytes"] + INTERPRETER
        for name, most in (
            (resource.RLIMIT_AS, memory),
            (resource.RLIMIT_CPU, cpu),
            (resource.RLIMIT_FSIZE, limits["diskBytes"]),
            (resource.RLIMIT_NOFILE, 256),
            (resource.RLIMIT_CORE, 0),
            # Of the same user in here: bubblewrap's own and the keeper.
            (resource.RLIMIT_NPROC, limits["processes"] + 2),
        ):
            resource.setrlimit(name, (most, most))
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, ROOT)
        os.chdir(ROOT)
        report = run(start["code"], start["args"], start["expression"], start["lastValue"], limits["outputBytes"])
        code = report["exitCode"]
        view = memoryview(json.dumps(report).encode())
        while view:
            view = view[os.write(result, view) :]
        os.close(result)
        finish()
    except BaseException:
        code = 1
    finally:
        os._exit(code)


def wait_for(pid, result, most):
    """Reads the child's report while it lives; then ends whatever it has left running."""
    woken, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    parts, size, open_, ended = [], 0, True, None
    poll = select.poll()
    poll.register(woken, select.POLLIN)
    poll.register(result, select.POLLIN)
    while ended is None or open_:
        if ended is None:
            found, status, _ = os.wait4(pid, os.WNOHANG)
            if found == pid:
                ended = status
                try:
                    os.kill(-1, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                continue
        for descriptor, _ in poll.poll():
            if descriptor == woken:
                try:
                    os.read(woken, 4096)
                except BlockingIOError:
                    pass
                continue
            part = os.read(result, 1 << 16)
            size += len(part)
            if not part:
                open_ = False
                poll.unregister(result)
            elif size <= most:
                parts.append(part)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    return ended, b"".join(parts) if size <= most else b""


def collect(inputs, nonce, most_files, most_bytes):
    """Sends the regular files that are new or changed. Nothing else runs any more, so nothing changes meanwhile."""
    left_out, found = 0, []
    os.chmod(ROOT, 0o700)
    folders = [(os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY), "", 0)]
    while folders:
        folder, prefix, depth = folders.pop()
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            state = os.lstat(name, dir_fd=folder)
            path = prefix + name
            try:
                spelled = path.encode("utf-8")
            except UnicodeEncodeError:
                spelled = b""
            is_folder = stat.S_ISDIR(state.st_mode)
            if not spelled or len(spelled) > 1024 or not (is_folder or stat.S_ISREG(state.st_mode)):
                left_out += 1
                continue
            if state.st_mode & 0o700 != 0o700:
                os.chmod(name, 0o700, dir_fd=folder)
            if is_folder:
                if depth == 32 or len(folders) == 128:
                    left_out += 1
                    continue
                opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                folders.append((opened, path + "/", depth + 1))
                continue
            if state.st_size > most_bytes:
                return left_out, "bytes"
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as file:
                content = file.read()
            if inputs.get(path) == hashlib.sha256(content).digest():
                continue
            most_bytes -= len(content)
            most_files -= 1
            if most_files < 0 or most_bytes < 0:
                return left_out, "files" if most_files < 0 else "bytes"
            send(nonce, b"F", struct.pack(">H", len(spelled)), spelled, content)
        os.close(folder)
    return left_out, None


def main():
    libc.prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    send(bytes(16), b"R")
    start = json.loads(read_exactly(struct.unpack(">I", read_exactly(4))[0]))
    inputs = {}
    os.chdir(ROOT)
    for file in start["files"]:
        content = read_exactly(file["size"])
        folder = os.path.dirname(file["path"])
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(file["path"], "wb") as out:
            out.write(content)
        inputs[file["path"]] = hashlib.sha256(content).digest()
    limits = start["limits"]
    result, report = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(CHANNEL)
        os.close(result)
        child(start, report)
    os.close(report)
    # The streams are the program's.
    nothing = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    nonce = read_exactly(16)
    status, text = wait_for(pid, result, 4 * limits["outputBytes"] + (1 << 18))
    left_out, exceeded = 0, None
    if start["collectFiles"]:
        left_out, exceeded = collect(inputs, nonce, limits["files"], limits["diskBytes"])
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    ending = {
        "exitCode": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "report": text.decode("utf-8", "replace"),
        "leftOut": left_out,
        "exceeded": exceeded,
        "cpuMs": round(1000 * (usage.ru_utime + usage.ru_stime)),
        "peakBytes": usage.ru_maxrss * 1024,
    }
    send(nonce, b"D", json.dumps(ending).encode())


main()
