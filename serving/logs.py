"""The log of a server: lines of JSON, whoever writes them.

    {"time": "2026-11-29T11:42:12.051Z", "level": "info", "event": "request", "request_id": "...", "task": "tts", ...}

`json_lines` is for a server whose standard error is not a terminal. It also turns what libraries, Ray's processes, warnings
and tracebacks print into such lines: event, and trace or process where there is one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO, cast

from speechx.errors import InputError
from speechx.serving.types import JsonObject

__all__ = ["JsonLines", "json_lines", "request_log"]

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_PROCESS = re.compile(r"\((?P<process>[\w:.-]+)(?: pid=(?P<pid>\d+))?(?:, ip=[\w.:]+)?\) ?(?P<text>.*)")
"""How Ray prints a line of another process: (ServeReplica:default:Router pid=12) text."""

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")


class JsonFormatter(logging.Formatter):
    """A record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", {})
        trace = self.formatException(record.exc_info) if record.exc_info else None
        return _line(record.getMessage(), record.levelname, record.created, trace=trace, **facts)


class JsonHandler(logging.Handler):
    """Writes records to standard error, whatever that is when they come."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(ValueError, OSError):  # closed: nobody reads any more
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()


def _line(event: str, level: str, at: float, **facts: object) -> str:
    line: JsonObject = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z",
        "level": level.lower(),
        "event": event,
        **{name: value for name, value in facts.items() if value is not None or name != "trace"},
    }
    return json.dumps(line, ensure_ascii=False, default=str)


class JsonLines:
    """A text stream that writes lines of JSON to another one. A line that is JSON already stays as it is.

    Tracebacks become one line. What belongs to no complete line yet is held back until `close`.
    """

    encoding = "utf-8"

    def __init__(self, to: TextIO) -> None:
        self.to = to
        self._lock = threading.RLock()
        self._unfinished = ""
        self._traces: dict[str, list[str]] = {}  # of the process whose traceback goes on

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            for line in lines:
                self._take(_COLORS.sub("", line).rstrip())
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(ValueError):  # closed
            self.to.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.to.fileno()

    def __getattr__(self, name: str) -> Any:
        """What only some libraries ask a stream for, such as `buffer`: of the other stream."""
        return getattr(self.to, name)

    def close(self) -> None:
        """Write what is held back. The other stream stays open."""
        self.write("\n")
        for process, trace in list(self._traces.items()):
            self._put(trace[-1], process, trace)
        self._traces.clear()
        self.flush()

    def _take(self, line: str) -> None:
        found = _PROCESS.fullmatch(line)
        process = "" if found is None else " ".join(filter(None, (found["process"], found["pid"])))
        text = line if found is None else found["text"]
        trace = self._traces.get(process)
        if text.startswith("Traceback (most recent call last)"):
            self._traces.setdefault(process, []).append(text)
        elif trace is not None:
            trace.append(text)
            goes_on = (
                not text
                or text[0].isspace()
                or text.endswith(("exception occurred:", "following exception:"))
            )
            if not goes_on:
                self._put(text, process, self._traces.pop(process))
        elif text:
            self._put(text, process)

    def _put(self, text: str, process: str, trace: list[str] | None = None) -> None:
        known = _parsed(text)
        if known is not None:
            line = json.dumps({**known, "process": process}, ensure_ascii=False) if process else text
        else:
            level = _LEVEL.search(text[:80])
            facts: JsonObject = {"process": process} if process else {}
            if trace is not None:
                facts["trace"] = "\n".join(trace)
            line = _line(text, "error" if trace else level[1] if level else "info", time.time(), **facts)
        with contextlib.suppress(ValueError, BrokenPipeError):  # nobody reads any more
            self.to.write(line + "\n")
            self.to.flush()


def _parsed(text: str) -> JsonObject | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@contextlib.contextmanager
def json_lines() -> Iterator[None]:
    """Everything that this process writes is lines of JSON meanwhile. Does nothing where standard error is a terminal.

    An exception that leaves the block is a line, too, and ends the process: with exit code 2 for an InputError, else 1.
    """
    if sys.stderr.isatty():
        yield
        return
    root, kept = logging.getLogger(), (sys.stderr, sys.stdout, threading.excepthook)
    streams = JsonLines(sys.stderr), JsonLines(sys.stdout)
    sys.stderr, sys.stdout = cast("tuple[TextIO, TextIO]", streams)
    handler = JsonHandler()
    root.addHandler(handler)
    logging.captureWarnings(True)
    threading.excepthook = lambda its: root.error("thread failed", exc_info=its.exc_value)
    try:
        yield
    except InputError as error:
        root.error("%s", error)
        raise SystemExit(2) from error
    except Exception as error:
        if hasattr(error, "exit_code") or isinstance(error, ModuleNotFoundError):
            raise  # an exit that is meant, or a missing extra, which the command line names
        root.error("the server failed: %s", error, exc_info=error)
        raise SystemExit(1) from error
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        for stream in streams:
            stream.close()
        sys.stderr, sys.stdout, threading.excepthook = kept


def request_log() -> logging.Logger:
    """The logger of requests. It writes to standard error unless it has a handler already."""
    logger = logging.getLogger("speechx.serving")
    if not logger.handlers:
        logger.addHandler(JsonHandler())
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger
