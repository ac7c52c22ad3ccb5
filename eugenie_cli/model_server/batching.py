"""Requests wait in a queue; one worker per core runs the waiting requests as one batch.

A single request runs at once. Requests accumulate while a worker is busy, so batches grow with the load; with many
callers the next run is delayed a little to collect more requests (`batch_delay`). A batch has one version, one
signature, and one shape beyond the batch dimension.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import numpy as np

from eugenie_cli.model_server.batch_delay import WORTH_A_RUN, BatchDelay
from eugenie_cli.model_server.splitting import Arrays, Cut, cut, join, memory, size
from eugenie_cli.model_server.status_error import Refusal, invalid

if TYPE_CHECKING:
    from eugenie_cli.model_server.servable import Servable

MAX_BATCH_WINDOWS = 256
"""Windows in one run, and in one pass of the exported network. CPU time per window on a busy machine: 146 us in runs of
32, 124 in 64, 112 in 128, 104 in 256. A larger request is split, so that every core works on it."""

MAX_WAITING = 16_384
"""Pieces in the queue: four of the largest requests. Further requests are refused with UNAVAILABLE."""

LARGEST_REQUEST = MAX_WAITING // 4 * MAX_BATCH_WINDOWS
"""Windows of one request: twelve days of one asset at one row per second."""

MAX_WAITING_BYTES = 256 * 1024 * 1024
"""Bytes of all unanswered requests. Further requests are refused with RESOURCE_EXHAUSTED."""


@dataclass
class _Job:
    """One caller's request, split into pieces."""

    future: asyncio.Future[list[Arrays]]
    pieces: list[Arrays | None]
    left: int
    lanes: set[Hashable] = field(default_factory=set)


@dataclass
class _Piece:
    """A slice of a request."""

    job: _Job
    index: int
    inputs: Arrays
    size: int
    windows: int


class _Lane:
    """Pieces that may run together: one signature of one version, equal shapes beyond the batch dimension.

    Requests take turns, one piece each, so no request waits for the whole of a long one before it.
    """

    def __init__(self, key: Hashable, servable: Servable, signature: str) -> None:
        self.key = key
        self.servable = servable
        self.signature = signature
        self._turns: OrderedDict[int, deque[_Piece]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, piece: _Piece) -> None:
        self._turns.setdefault(id(piece.job), deque()).append(piece)

    def take(self, most: int) -> list[_Piece]:
        """Remove and return the next pieces: at most `most` windows in total, but at least one piece."""
        taken: list[_Piece] = []
        windows = 0
        while self._turns:
            number, pieces = next(iter(self._turns.items()))
            if taken and windows + pieces[0].windows > most:
                break
            taken.append(pieces.popleft())
            windows += taken[-1].windows
            if pieces:
                self._turns.move_to_end(number)
            else:
                del self._turns[number]
        return taken

    def withdraw(self, job: _Job) -> Iterable[_Piece]:
        """Remove and return the remaining pieces of a request."""
        return self._turns.pop(id(job), ())


class Batcher:
    """The queue and its workers. `predict` is called on the event loop that `start` ran on."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lanes: OrderedDict[Hashable, _Lane] = OrderedDict()
        self._waiting = 0
        self._waiting_windows = 0
        self._held = 0
        self._running = 0
        self._delay = BatchDelay()
        self._ready = threading.Condition()
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for number in range(self._workers):
            thread = threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Let the workers finish the waiting requests, then end them."""
        with self._ready:
            self._closing = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    async def predict(self, servable: Servable, signature: str, inputs: Arrays) -> Arrays:
        """The outputs of a signature for one request. Raises Refusal. Cancellation drops the remaining pieces."""
        assert self._loop is not None  # noqa: S101 - started by the server
        batchable = servable.signatures[signature].batchable
        divided = _divided(servable, signature, inputs) if batchable else Cut([inputs], [MAX_BATCH_WINDOWS])  # alone
        job = _Job(self._loop.create_future(), [None] * len(divided.pieces), len(divided.pieces))
        pieces = [
            _Piece(job, index, arrays, size(arrays) if batchable else 0, windows)
            for index, (arrays, windows) in enumerate(zip(divided.pieces, divided.windows, strict=True))
        ]
        held = memory(inputs)
        self._put(servable, signature, pieces, held)
        try:
            return divided.joined(await job.future)
        finally:
            self._done(job, held)

    def _put(self, servable: Servable, signature: str, pieces: list[_Piece], held: int) -> None:
        with self._ready:
            if self._closing or self._waiting + len(pieces) > MAX_WAITING:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue is full")
            if self._held and self._held + held > MAX_WAITING_BYTES:
                words = f"{self._held:,} bytes of requests are not answered yet, and {held:,} more are too many"
                raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, words)
            self._held += held
            for piece in pieces:
                key = _lane_of(servable, signature, piece)
                self._lanes.setdefault(key, _Lane(key, servable, signature)).add(piece)
                piece.job.lanes.add(key)
            self._waiting += len(pieces)
            self._waiting_windows += sum(piece.windows for piece in pieces)
            if self._delay_s() == 0 or (self._waiting == len(pieces) and self._running == 0):
                self._ready.notify(len(pieces))  # the first waiting request wakes a worker, which measures the delay

    def _done(self, job: _Job, held: int) -> None:
        """The request is answered or its caller is gone: drop its waiting pieces."""
        with self._ready:
            self._held -= held
            for key in job.lanes if job.left else ():
                lane = self._lanes.get(key)
                for piece in lane.withdraw(job) if lane is not None else ():
                    self._waiting -= 1
                    self._waiting_windows -= piece.windows
                if lane is not None and not lane:
                    del self._lanes[key]

    def _take(self) -> tuple[_Lane, list[_Piece]] | None:
        """The lane that has waited longest, with as many of its pieces as fit into one run. None: closing."""
        with self._ready:
            while (delay_s := self._delay_s()) != 0:
                if self._closing:
                    return None
                self._ready.wait(delay_s)
            _, lane = self._lanes.popitem(last=False)
            taken = lane.take(MAX_BATCH_WINDOWS)
            self._waiting -= len(taken)
            self._waiting_windows -= sum(piece.windows for piece in taken)
            batch = [piece for piece in taken if not piece.job.future.done()]  # callers that still wait
            if lane:
                self._lanes[lane.key] = lane  # to the end: lanes take turns
            self._running += 1
            return lane, batch

    def _delay_s(self) -> float | None:
        """Seconds to delay the next run; 0: run now; None: wait until something changes."""
        if self._lanes and (self._closing or self._waiting_windows >= WORTH_A_RUN):
            return 0.0
        if not self._lanes or self._running:
            return None
        # if several lanes wait, a new request could join only one of them
        return 0.0 if len(self._lanes) > 1 else self._delay.wait_s(self._waiting_windows, time.monotonic())

    def _ran(self, lane: _Lane, batch: list[_Piece], began: float) -> None:
        with self._ready:
            self._running -= 1
            if self._running == 0:
                now = time.monotonic()
                joinable = self._waiting_windows if list(self._lanes) == [lane.key] else 0
                self._delay.ran(sum(piece.windows for piece in batch), joinable, now - began, now)

    def _work(self) -> None:
        assert self._loop is not None  # noqa: S101
        while (taken := self._take()) is not None:
            lane, batch = taken
            began = time.monotonic()
            if batch:
                results = _run(lane, batch)
                self._loop.call_soon_threadsafe(_deliver, batch, results)
            self._ran(lane, batch, began)


def _run(lane: _Lane, batch: list[_Piece]) -> list[Arrays | BaseException]:
    """Outputs or error of each piece. If a joined run fails, each piece runs alone, so that only the culprit fails."""
    try:
        if len(batch) == 1:
            return [lane.servable.run(lane.signature, batch[0].inputs)]
        joined = join([piece.inputs for piece in batch])
        return _split(lane.servable.run(lane.signature, joined), [piece.size for piece in batch])
    except Refusal as refusal:
        if len(batch) == 1:
            return [refusal]
        return [result for piece in batch for result in _run(lane, [piece])]
    except Exception as error:  # noqa: BLE001 - a worker must survive any model; the callers get the error
        return [error] * len(batch)


def _deliver(batch: list[_Piece], results: list[Arrays | BaseException]) -> None:
    """Hand results to their callers. Runs on the event loop."""
    for piece, result in zip(batch, results, strict=True):
        job = piece.job
        if job.future.done():
            continue
        if isinstance(result, BaseException):
            job.future.set_exception(result)
            continue
        job.pieces[piece.index] = result
        job.left -= 1
        if job.left == 0:
            job.future.set_result([part for part in job.pieces if part is not None])


def _divided(servable: Servable, signature: str, inputs: Arrays) -> Cut:
    """Raises Refusal (INVALID_ARGUMENT) for a request that is too large even for an empty queue."""
    windows, most = servable.windows_per_item(inputs), MAX_BATCH_WINDOWS
    if windows * size(inputs) <= LARGEST_REQUEST:
        divided = cut(inputs, windows, most, servable.window_of(signature))
        if len(divided.pieces) <= MAX_WAITING:
            return divided
    words = f"{size(inputs):,} segments of {windows:,} windows are more than fit into the queue ({LARGEST_REQUEST:,})"
    raise invalid(f"{words}: send them in parts; those of one segment overlap by a window less one row")


def _lane_of(servable: Servable, signature: str, piece: _Piece) -> Hashable:
    if not servable.signatures[signature].batchable:
        return id(piece.job)
    shapes = tuple((name, array.shape[1:]) for name, array in sorted(piece.inputs.items()))
    return id(servable), signature, shapes


def _split(outputs: Arrays, sizes: list[int]) -> list[Arrays | BaseException]:
    total = sum(sizes)
    for name, array in outputs.items():
        if array.ndim == 0 or len(array) != total:
            raise Refusal(
                grpc.StatusCode.INTERNAL,
                f"output {name} has shape {list(array.shape)} for a batch of {total}",
            )
    ends = np.cumsum(sizes).tolist()
    return [
        {name: array[end - size : end] for name, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
