"""The process that reads large JSON requests and writes large responses for the server that started it.

Messages on its standard input and output are a length of 8 bytes and a pickle: tasks (`Task`) in, results (`Done`) out.
The process ends when its input ends, which also happens if the server is killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from eugenie_cli.model_server import rest_codec
from eugenie_cli.model_server.status_error import Refusal

LENGTH = struct.Struct("<Q")

READ, WRITE = "read", "write"

_ACTS: Mapping[str, Callable[..., Any]] = {READ: rest_codec.read, WRITE: rest_codec.write}


@dataclass(frozen=True)
class Task:
    """READ or WRITE, and the arguments of the function of that name in rest_codec."""

    act: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Done:
    """The result; or, for a refused request, the number of the status code and the message."""

    result: Any = None
    refused: int | None = None
    words: str = ""


def do(task: Task) -> Done:
    """Run a task. Invalid requests are returned, not raised."""
    try:
        return Done(_ACTS[task.act](*task.arguments))
    except Refusal as refusal:
        return Done(refused=refusal.code.value[0], words=refusal.words)


def packed(message: Task | Done) -> bytes:
    """The bytes of a message, without the length."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def unpacked(content: bytes) -> Any:
    """The message in bytes from `packed`. Both processes are the same program, and no other process has their pipes."""
    return pickle.loads(content)  # noqa: S301


def _work(source: BinaryIO, sink: BinaryIO) -> None:
    while head := source.read(LENGTH.size):
        answer = packed(do(unpacked(source.read(*LENGTH.unpack(head)))))
        sink.write(LENGTH.pack(len(answer)))
        sink.write(answer)
        sink.flush()


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # signals are for the server, which completes responses in flight
    np.seterr(all="ignore")
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as sink:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # printed text must not mix with messages
        try:
            _work(sys.stdin.buffer, sink)
        except BrokenPipeError:
            os._exit(0)  # the server has ended
