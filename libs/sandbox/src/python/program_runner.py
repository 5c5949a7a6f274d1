"""Runs one program in this interpreter and says what became of it: the same code behind every boundary.

What it reports is the program's own word, since the program can change anything here. What others rely on (that it
ended, when, by what signal, with how much memory) is seen from outside.
"""

import ast
import atexit
import json
import linecache
import sys
import threading
import traceback
import types

NAME = "program.py"
MOST_TRACEBACK = 16_384
MOST_MESSAGE = 4_096


def cut(text, most):
    """Shortens in the middle; what no encoding can hold is escaped."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= most:
        return text
    half = most // 2
    return text[:half] + "\n[...]\n" + text[-half:]


def described(error):
    """The exception without the frames of this file, printed to the program's standard error as Python does."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
        trace = trace.tb_next
    try:
        lines = traceback.TracebackException(type(error), error, trace, limit=-50).format()
        text = cut("".join(lines), MOST_TRACEBACK)
    except BaseException as second:  # its __str__ may do anything
        text = f"{type(error).__name__}: (its description failed with {type(second).__name__})\n"
    try:
        message = cut(str(error), MOST_MESSAGE)
    except BaseException:
        message = ""
    try:
        sys.__stderr__.write(text)
    except BaseException:
        pass
    return {"type": cut(str(type(error).__name__), 200), "message": message, "traceback": text}


def value_of(value, most):
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode("utf-8")
        if len(text) > most:
            text = None
    except (TypeError, ValueError, RecursionError, OverflowError):
        text = None
    return {"repr": cut(repr(value), most), "json": text}


def run(code, args, expression, last_value, most_value):
    """Returns the report: exit code, exception and value."""
    report = {"exitCode": 0, "exception": None, "value": None}
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=NAME, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    sys.argv = [NAME, *args]
    if "random" in sys.modules:
        sys.modules["random"].seed()
    linecache.cache[NAME] = (len(code), None, code.splitlines(True), NAME)
    try:
        tree = ast.parse(code, NAME)
        last = None
        if last_value and tree.body and isinstance(tree.body[-1], ast.Expr):
            last = compile(ast.Expression(tree.body.pop().value), NAME, "eval")
        wanted = compile(expression.strip(), NAME, "eval") if expression is not None else last
        exec(compile(tree, NAME, "exec"), module.__dict__)
        if wanted is not None:
            report["value"] = value_of(eval(wanted, module.__dict__), most_value)
    except SystemExit as end:
        report["exitCode"] = exit_code(end.code)
    except BaseException as error:
        sys.setrecursionlimit(1000)
        report["exception"] = described(error)
        report["exitCode"] = 1
    return report


def exit_code(code):
    """As Python does at its own end."""
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF
    try:
        print(code, file=sys.stderr)
    except BaseException:
        pass
    return 1


def finish():
    """What Python does at its end: waits for threads, calls what was registered, empties its buffers."""
    for step in (threading._shutdown, atexit._run_exitfuncs):
        try:
            step()
        except BaseException as error:
            described(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
