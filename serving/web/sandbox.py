"""Decodes uploaded sound files in separate processes with limited memory and time. A process that dies is replaced.

    decoder = Decoder(limits)
    samples_T, rate = await decoder.decode(data, "audio", max_seconds=600)

The server's process never parses the file. A decoder process reads requests from its standard input (a line of JSON, then
the file) and writes responses to its standard output (a line of JSON, then float32 samples).
Shapes: T samples, mono, at the file's rate (at most 48 kHz).
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import numpy as np

from speechx.audio import reading
from speechx.errors import InputError
from speechx.serving.errors import ApiError
from speechx.serving.settings import Limits
from speechx.serving.types import Sound

__all__ = ["SandboxedDecoder"]

MAX_RATE = 48_000
MAX_QUEUED = 64  # files waiting for a process; more are refused


class SandboxedDecoder:
    """A pool of decoder processes, with a thread each. Close it when done."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._idle: queue.SimpleQueue[_DecoderProcess] = queue.SimpleQueue()
        for _ in range(limits.decoders):
            self._idle.put(_DecoderProcess(limits))
        self._pool = ThreadPoolExecutor(max(1, limits.decoders), thread_name_prefix="speechx-decode")
        self._queued = 0

    async def decode(self, data: bytes, field: str, max_seconds: float) -> Sound:
        """(samples, rate) of a file. Raises InputError: not audio, damaged, too long. Raises ApiError 503: queue full."""
        if self._queued >= MAX_QUEUED:
            raise ApiError(
                503, "too many sound files wait to be read: try again", code="overloaded", retry_after=2
            )
        self._queued += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._decode, data, field, max_seconds)
        finally:
            self._queued -= 1

    def _decode(self, data: bytes, field: str, max_seconds: float) -> Sound:
        if not self.limits.decoders:
            return read(data, field, max_seconds)
        worker = self._idle.get()
        try:
            return worker.read(data, field, max_seconds)
        finally:
            self._idle.put(worker)

    def warm(self) -> None:
        """Start the processes in the background, so that the first request does not wait for them."""
        for _ in range(self.limits.decoders):
            self._pool.submit(self._warm_one)

    def _warm_one(self) -> None:
        worker = self._idle.get()
        try:
            worker.start()
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().stop()


def read(data: bytes, field: str, max_seconds: float) -> Sound:
    """Decode in this process."""
    try:
        rate = min(reading.probe(data).rate, MAX_RATE)
    except InputError as error:
        raise error.located(field) from error
    wav_T = reading.read(data, max_seconds=max_seconds, field=field, rate=max(rate, reading.MIN_RATE))
    return wav_T, rate  # a lower rate than MIN_RATE was refused


class _DecoderProcess:
    """One decoder process. It is started at the first use, and again after it died."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, data: bytes, field: str, max_seconds: float) -> Sound:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(self.limits.decode_seconds, process.kill)
        timer.start()
        try:
            _send(process.stdin, {"size": len(data), "field": field, "max_seconds": max_seconds}, data)
            header = json.loads(process.stdout.readline() or b"null")
            samples = process.stdout.read(header["size"]) if header else b""
        except (OSError, ValueError):
            header = None
        finally:
            timer.cancel()
        if header is None or len(samples) < header["size"]:
            self.stop()
            raise InputError(
                f"{field} cannot be read: decoding it took more than the allowed memory or "
                f"{self.limits.decode_seconds:g} s",
                field=field,
            )
        if "error" in header:
            raise InputError(header["error"], field=header["field"])
        return np.frombuffer(samples, np.float32), header["rate"]

    def start(self) -> None:
        self._running()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except OSError:  # unwritten data
                    pass
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            # -c, not -m: the working directory is not looked at for modules of these names twice.
            code = f"from speechx.serving.web.sandbox import main_loop; main_loop({self.limits.decode_bytes})"
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1",
                     "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
        return self._process


def _send(pipe: IO[bytes], header: dict[str, object], data: bytes) -> None:
    pipe.write(json.dumps(header).encode() + b"\n")
    pipe.write(data)
    pipe.flush()


def main_loop(memory: int) -> None:
    """The main loop of a decoder process, until its standard input ends. memory: limit of its address space in bytes."""
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it may write no file
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while line := stdin.readline():
        header = json.loads(line)
        data = stdin.read(header["size"])
        try:
            wav_T, rate = read(data, header["field"], header["max_seconds"])
            samples = np.ascontiguousarray(wav_T, np.float32).tobytes()
            _send(stdout, {"size": len(samples), "rate": rate}, samples)
        except InputError as error:
            _send(stdout, {"size": 0, "error": str(error), "field": error.field}, b"")
        except MemoryError:
            field = header["field"]
            error_text = f"{field} cannot be read: it takes more than the allowed memory"
            _send(stdout, {"size": 0, "error": error_text, "field": field}, b"")
