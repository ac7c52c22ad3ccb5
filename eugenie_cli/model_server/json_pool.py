"""Large JSON is read and written in separate processes, so that no other call waits for it.

A thread does not help: the interpreter's parser and writer process a document in one piece and hold the interpreter
lock meanwhile. With a thread, a body of 9 MiB blocked the event loop for 228 of 311 ms, and one of 90 MiB for 5 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np

from eugenie_cli.model_server import json_pool_worker, rest_codec
from eugenie_cli.model_server.json_pool_worker import LENGTH, READ, WRITE, Done, Task, packed, unpacked
from eugenie_cli.model_server.rest_codec import Read
from eugenie_cli.model_server.signature import SignatureSpec
from eugenie_cli.model_server.status_error import Refusal, from_number

LARGE_BODY = 256 * 1024
"""Bytes. They take 7 to 9 ms to read (36 ms per MiB), as long as callers wait for a run of 64 windows anyway. A process
needs about 5 ms more for them, 0.2 s to start, and 45 MiB of memory."""

VERY_LARGE_BODY = 8 * 1024 * 1024
"""Bytes. They become hundreds of MiB of objects, and a process returns little of that memory."""

LARGE_ANSWER = 10_000
"""Values. They take 10 ms to write (1 us each, for any model)."""

_BUFFER = 4 * 1024 * 1024
"""Bytes of a message written at once: copying them does not block the event loop, and hundreds of MiB take few
writes."""

_PROGRAM = f"from {json_pool_worker.__name__} import main; main()"
# not -m: the worker's classes would belong to __main__, and pickle could not find them here

_LOG = logging.getLogger(__name__)


class JsonPool:
    """Reads and writes JSON; large documents in at most `processes` processes, started when needed."""

    def __init__(self, processes: int) -> None:
        self._free = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []

    async def read(self, body: bytes, signatures: Mapping[str, SignatureSpec]) -> Read:
        """See rest_codec.read. Raises Refusal."""
        if len(body) <= LARGE_BODY:
            return rest_codec.read(body, signatures)
        request: Read = await self._in_process(Task(READ, (body, dict(signatures))), once=len(body) > VERY_LARGE_BODY)
        return request

    async def write(self, by_rows: bool, outputs: Mapping[str, np.ndarray]) -> bytes:
        """See rest_codec.write. Raises Refusal."""
        if sum(array.size for array in outputs.values()) <= LARGE_ANSWER:
            return rest_codec.write(by_rows, outputs)
        written: bytes = await self._in_process(Task(WRITE, (by_rows, dict(outputs))))
        return written

    async def close(self) -> None:
        """End the processes."""
        while self._idle:
            await _end(self._idle.pop())

    async def _in_process(self, task: Task, *, once: bool = False) -> Any:
        """Run a task in a process. `once`: end the process afterwards."""
        async with self._free:
            self._idle = [process for process in self._idle if process.returncode is None]
            process = self._idle.pop() if self._idle else await _start()
            try:
                done = await _exchange(process, task)
            except (OSError, EOFError) as error:
                await _end(process)
                _LOG.error("a process for large JSON ended with code %s", process.returncode)
                words = f"the process that was to {task.act} the JSON ended with code {process.returncode}"
                raise Refusal(grpc.StatusCode.INTERNAL, words) from error
            except BaseException:  # the pending answer would be mistaken for that of the next request
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                raise
            if once:
                await _end(process)
            else:
                self._idle.append(process)
        if done.refused is not None:
            raise from_number(done.refused, done.words)
        return done.result


async def _start() -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, stdin=pipe, stdout=pipe, limit=_BUFFER)


async def _exchange(process: asyncio.subprocess.Process, task: Task) -> Done:
    """Raises OSError or EOFError when the process ends."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    message = packed(task)
    process.stdin.write(LENGTH.pack(len(message)))
    for begin in range(0, len(message), _BUFFER):
        process.stdin.write(memoryview(message)[begin : begin + _BUFFER])
        await process.stdin.drain()
    (size,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    done: Done = unpacked(await process.stdout.readexactly(size))
    return done


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe
    process.stdin.close()
    with contextlib.suppress(OSError):
        await process.stdin.wait_closed()
    await process.wait()
