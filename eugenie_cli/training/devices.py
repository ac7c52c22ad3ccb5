"""What a fit runs on: all accelerators that TensorFlow sees, or the CPU."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from eugenie_cli.training import xla
from eugenie_cli.training.layers import FusedLSTM, RowsFirstLSTM, TabledNoise


@dataclass(frozen=True)
class Devices:
    """`strategy` copies the network to every device."""

    strategy: tf.distribute.Strategy
    kind: str

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    @property
    def layers(self) -> dict[str, Any]:
        """Layers for `network.build`, for rows before windows: on CPUs fast ones, on GPUs Keras' own (cuDNN's)."""
        return {"memory": FusedLSTM, "noise": TabledNoise} if self.kind == "CPU" else {"memory": RowsFirstLSTM}

    @property
    def compiles(self) -> bool:
        """Whether XLA compiles the loss: on one CPU it then takes half as long."""
        return self.kind == "CPU" and self.replicas == 1 and xla.works()


def present() -> Devices:
    """Every TPU core or GPU there is, else every logical CPU device (one, unless a test made more)."""
    if os.environ.get("TPU_NAME"):
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return Devices(tf.distribute.TPUStrategy(resolver), "TPU")
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(found) > 1:
        return Devices(tf.distribute.MirroredStrategy(found), kind)
    return Devices(tf.distribute.get_strategy(), kind)


def one_thread_an_operation() -> None:
    """Results that do not depend on how many cores there are: sums are cut in as many pieces as threads.

    The network's matrices are too small to gain from more; pieces of a batch run beside one another instead.
    No effect once TensorFlow has begun.
    """
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
