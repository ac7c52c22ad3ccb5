"""Scores rows on the model server: several calls in flight, results in the order of the requests."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import grpc
import numpy as np

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.version_delays import VersionDelays
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
    delays: Delays = Delays()  # noqa: RUF009 - immutable
    """The version's."""

    def by_group(self, group_of: Callable[[str], int]) -> Iterator[tuple[int, ScoredBatch]]:
        """(group, its part), for groups whose assets follow each other."""
        batch, begin = self.batch, 0
        for group, assets in groupby(batch.assets, group_of):
            names = tuple(assets)
            part = slice(begin, begin := begin + len(names))
            own = Batch(
                batch.class_name,
                names,
                batch.first_edge[part],
                batch.step_ms,
                batch.rows[part],
                batch.readings[part],
                batch.bad_quality[part],
                batch.delayed_until[part],
            )
            yield (
                group,
                ScoredBatch(
                    own, self.score[part], self.contribution[part], self.expected[part], self.version, self.delays
                ),
            )


@dataclass(frozen=True)
class _Call:
    """A Predict call in flight."""

    batch: Batch
    model: str
    began: float
    pending: PendingPrediction


class Predictor:
    """Scores batches, each in a call. They are consumed lazily: while the model works on one, the next is made.

    Waits indefinitely for an unreachable server: meanwhile back pressure holds the readings, and nothing is lost. An
    answer that rejects the request raises ModelServerError and fails the job.
    """

    def __init__(self, spec: JobSpec, note: Callable[[int, float], None]) -> None:
        """`note` is called with the windows of each call, and the milliseconds from its first attempt to its answer."""
        self._models = {equipment.name: equipment.model for equipment in spec.classes}
        self._in_flight = spec.in_flight
        self._client = PredictClient(spec.model_server, spec.model_server_tls)
        self._delays = VersionDelays(self._client, spec.classes)
        self._note = note

    def scored(self, batches: Iterable[Batch]) -> Iterator[ScoredBatch]:
        """Batches -> scored batches, in the same order."""
        calls: deque[_Call] = deque()
        for batch in batches:
            calls.append(self._begin(batch))
            if len(calls) == self._in_flight:
                yield self._end(calls.popleft())
        while calls:
            yield self._end(calls.popleft())

    def close(self) -> None:
        """Cancel calls in flight."""
        self._client.close()

    def _begin(self, batch: Batch) -> _Call:
        model = self._models[batch.class_name]
        return _Call(batch, model, time.monotonic(), self._client.begin(model, batch.assets, batch.rows))

    def _end(self, call: _Call) -> ScoredBatch:
        answer = self._answer(call)
        self._note(answer.score.size, (time.monotonic() - call.began) * 1000)
        delays = self._delays.of(call.model, answer.version, call.batch.assets[0])
        rows_scored = replace(call.batch, rows=call.batch.rows[:, -call.batch.readings.shape[1] :])
        return ScoredBatch(rows_scored, answer.score, answer.contribution, answer.expected, answer.version, delays)

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
            pending = self._client.begin(call.model, call.batch.assets, call.batch.rows)
