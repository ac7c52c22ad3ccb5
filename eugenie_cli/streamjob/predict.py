"""The asynchronous operator that asks the model server: a Predict call for a batch, or for small ones together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import grpc
import numpy as np
from pyflink.datastream import AsyncFunction, RuntimeContext

from eugenie_cli.serving.client import AsyncPredictClient, ModelServerError, Prediction
from eugenie_cli.streamjob import beam
from eugenie_cli.streamjob.joining import Joined
from eugenie_cli.streamjob.spec import JobSpec
from eugenie_cli.streamjob.steps import Batch
from eugenie_cli.streamjob.windows import SEGMENTS

log = logging.getLogger(__name__)

SCORED = "scored"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0

_AWAY = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.CANCELLED})
"""Beside what the client calls retryable: a server that has not loaded the model yet, or is being replaced."""


@dataclass(frozen=True)
class ScoredBatch:
    """The rows that were asked about, and what the model says of them."""

    batch: Batch
    """`rows` are the last K of each segment alone: [B, K, S]."""
    score: np.ndarray
    contribution: np.ndarray
    expected: np.ndarray
    version: int
    took_ms: float
    """From the first attempt to the answer."""


class Predict(AsyncFunction):
    """(shard, SEGMENTS, Batch) -> (shard, SCORED, ScoredBatch); everything else passes through.

    A server that is away is waited for, without end: Flink holds the readings back meanwhile, and nothing is lost. An
    answer that says the request is wrong fails the job.
    """

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: RuntimeContext) -> None:  # noqa: ARG002 - Flink's signature
        beam.hasten()
        self._models = {one.name: one.model for one in self._spec.classes}
        self._client = AsyncPredictClient(self._spec.model_server)
        self._joined = Joined(self._predict)

    async def async_invoke(self, value: tuple) -> list[tuple]:
        shard, kind, batch = value
        if kind != SEGMENTS:
            return [value]
        began = time.monotonic()
        answer = await self._joined.predict(batch)
        steps = batch.readings.shape[1]
        scored = ScoredBatch(
            replace(batch, rows=batch.rows[:, -steps:]),
            answer.score,
            answer.contribution,
            answer.expected,
            answer.version,
            (time.monotonic() - began) * 1000,
        )
        return [(shard, SCORED, scored)]

    async def _predict(self, class_name: str, assets: Sequence[str], rows: np.ndarray) -> Prediction:
        pause = FIRST_PAUSE_S
        while True:
            try:
                return await self._client.predict(self._models[class_name], assets, rows)
            except ModelServerError as error:
                if not error.retryable and error.code not in _AWAY:
                    raise
                log.warning("%s; trying again in %.1f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def timeout(self, value: tuple) -> list[tuple]:
        raise RuntimeError(f"no answer for {value[2].class_name}")  # never called: the wait has no limit
