"""The delays of the model versions that score: a version's thresholds were set together with them.

The model server is asked once for each version, so a promotion takes effect with the new version's first scores.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

import grpc
import numpy as np

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.flink_job.spec import ClassSpec
from eugenie_cli.readings.backoff import pause_s
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError

log = logging.getLogger(__name__)

SIGNATURE = "alarm"

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0

_NONE_OF_ITS_OWN = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Answers about a version without the signature, of an earlier release, or one that is no longer served."""


class VersionDelays:
    """Delays by model and version, for classes whose site file leaves them open."""

    def __init__(self, client: PredictClient, classes: Iterable[ClassSpec]) -> None:
        self._client = client
        self._open = {spec.model for spec in classes if spec.on_delay is None or spec.off_delay is None}
        self._known: dict[tuple[str, int], Delays] = {}

    def of(self, model: str, version: int, asset: str) -> Delays:
        """The delays of a version that has just scored `asset`. Waits for an unreachable server, as scoring does."""
        if model not in self._open:
            return Delays()
        if (model, version) not in self._known:
            self._known[model, version] = self._asked(model, version, asset)
        return self._known[model, version]

    def _asked(self, model: str, version: int, asset: str) -> Delays:
        failures = 0
        while True:
            try:
                answer = self._client.call(model, {"asset": np.array([asset.encode()])}, version, SIGNATURE)
                return Delays(*(int(answer.outputs[name][0]) for name in ("on_delay", "off_delay")))
            except ModelServerError as error:
                if error.code in _NONE_OF_ITS_OWN:
                    usual = Delays()
                    log.warning(
                        "%s version %d has no delays of its own (%s): an anomaly opens after %d rows, closes after %d",
                        model, version, error, *usual,
                    )  # fmt: skip
                    return usual
                if not error.retryable:
                    raise
                failures += 1
                pause = pause_s(failures, FIRST_PAUSE_S, LONGEST_PAUSE_S)
                log.warning("%s; trying again in %.1f s", error, pause)
            time.sleep(pause)
