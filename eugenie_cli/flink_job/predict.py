"""Scores rows on the model server: several calls in flight, results in the order of the requests."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import grpc
import numpy as np

from eugenie_cli.flink_job.batching import Work, joined
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.tfserving.client import PendingPrediction, PredictClient
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.messages import Prediction

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0

_ALSO_RETRIED = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.CANCELLED})
"""Retried besides the client's retryable codes: the server has not loaded the model yet, or is being replaced."""


@dataclass(frozen=True)
class ScoredBatch:
    """Rows and their predictions."""

    batch: Batch
    """Here `rows` holds only the last K of each segment: [B, K, S]."""
    score: np.ndarray
    contribution: np.ndarray
    expected: np.ndarray
    version: int


@dataclass(frozen=True)
class _Call:
    """A Predict call in flight."""

    work: list[Work]
    model: str
    assets: list[str]
    rows: np.ndarray
    began: float
    pending: PendingPrediction


class Predictor:
    """Scores batches. `work` is consumed lazily: while the model works on one call, the rows of the next are made.

    Waits indefinitely for an unreachable server: meanwhile back pressure holds the readings, and nothing is lost. An
    answer that rejects the request raises ModelServerError and fails the job.
    """

    def __init__(self, spec: JobSpec, note: Callable[[int, float], None]) -> None:
        """`note` is called with the windows of each call, and the milliseconds from its first attempt to its answer."""
        self._models = {equipment.name: equipment.model for equipment in spec.classes}
        self._in_flight = spec.in_flight
        self._client = PredictClient(spec.model_server, spec.model_server_tls)
        self._note = note

    def scored(self, work: Iterable[Work]) -> Iterator[tuple[int, ScoredBatch]]:
        """(shard, batch) -> (shard, scored batch), in the same order within a class."""
        calls: deque[_Call] = deque()
        for items in joined(work):
            calls.append(self._begin(items))
            if len(calls) == self._in_flight:
                yield from self._end(calls.popleft())
        while calls:
            yield from self._end(calls.popleft())

    def close(self) -> None:
        """Cancel calls in flight."""
        self._client.close()

    def _begin(self, work: list[Work]) -> _Call:
        batches = [batch for _, batch in work]
        model = self._models[batches[0].class_name]
        assets = [asset for batch in batches for asset in batch.assets]
        rows = batches[0].rows if len(batches) == 1 else np.concatenate([batch.rows for batch in batches])
        return _Call(work, model, assets, rows, time.monotonic(), self._client.begin(model, assets, rows))

    def _end(self, call: _Call) -> Iterator[tuple[int, ScoredBatch]]:
        answer = self._answer(call)
        self._note(answer.score.size, (time.monotonic() - call.began) * 1000)
        begin = 0
        for shard, batch in call.work:
            steps = batch.readings.shape[1]
            part = slice(begin, begin := begin + len(batch.assets))
            rows_scored = replace(batch, rows=batch.rows[:, -steps:])
            arrays = answer.score[part], answer.contribution[part], answer.expected[part]
            yield shard, ScoredBatch(rows_scored, *arrays, answer.version)

    def _answer(self, call: _Call) -> Prediction:
        failures, pending = 0, call.pending
        while True:
            try:
                return pending.result()
            except ModelServerError as error:
                if not error.retryable and error.code not in _ALSO_RETRIED:
                    raise
                failures += 1
                pause = pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S)
                log.warning("%s; trying again in %.1f s", error, pause)
            time.sleep(pause)
            pending = self._client.begin(call.model, call.assets, call.rows)
