"""Warm-up requests: a model server runs them before a version becomes available, so no caller waits for the first run.

They are stored as TFRecords of PredictionLog in `assets.extra`, where TensorFlow Serving and the local server read
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eugenie_cli.tfserving import tensors
from eugenie_cli.tfserving.protos import serving_pb2

if TYPE_CHECKING:
    from eugenie_cli.detection.detector import TrainedDetector

LOCATION = Path("assets.extra") / "tf_serving_warmup_requests"

MAX_ASSETS = 256
"""Maximum number of assets in one warm-up request; more assets take longer and add no benefit."""

BEHIND_ROWS = 256
"""Rows of one asset that a job sends in one request while it catches up."""

MAX_RECORDS = 1_000
"""TensorFlow Serving's limit."""


def shapes(detector: TrainedDetector) -> list[tuple[int, int]]:
    """(assets, rows) of the stream's requests: one row of one asset, one row of each asset, many rows of one asset."""
    window = detector.window
    live = min(len(detector.assets), MAX_ASSETS)
    return sorted({(1, window), (live, window), (1, window + BEHIND_ROWS - 1)})


def write(detector: TrainedDetector, directory: Path) -> None:
    """Write the warm-up requests into the version's directory."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(directory / LOCATION)) as records:
        for assets, rows in shapes(detector):
            records.write(_request(detector, assets, rows).SerializeToString())


def read(directory: Path) -> Iterator[serving_pb2.PredictRequest]:
    """Yield the warm-up requests in a version's directory; nothing when it has no such file.

    Raises ValueError when a record is not a predict request, tf.errors.OpError when the file is damaged.
    """
    import tensorflow as tf

    if not (directory / LOCATION).exists():
        return
    dataset = tf.data.TFRecordDataset(str(directory / LOCATION)).take(MAX_RECORDS)
    for number, record in enumerate(dataset.as_numpy_iterator(), 1):
        log = serving_pb2.PredictionLog.FromString(record)
        if not log.HasField("predict_log"):
            raise ValueError(f"{LOCATION}: record {number} is not a PredictLog")
        yield log.predict_log.request


def _request(detector: TrainedDetector, assets: int, length: int) -> serving_pb2.PredictionLog:
    log = serving_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = detector.class_name
    request.model_spec.signature_name = "serving_default"
    names = np.array(detector.assets[:assets], object)
    mean = np.asarray(detector.mean[:assets], np.float32)
    rows = np.broadcast_to(mean[:, None, :], (assets, length, len(detector.sensors)))
    tensors.encode(names, request.inputs["asset"])
    tensors.encode(rows, request.inputs["rows"])
    return log
