"""The devices that a fit runs on: all accelerators that TensorFlow sees, or the CPU."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from eugenie_cli.detection import network
from eugenie_cli.training import xla
from eugenie_cli.training.layers import FusedLSTM, RowsFirstLSTM, ScannedMinLSTM, TabledNoise


@dataclass(frozen=True)
class Devices:
    """`strategy` copies the network to every device."""

    strategy: tf.distribute.Strategy
    kind: str

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    def layers(self, memory: str) -> dict[str, Any]:
        """Layers for `network.build` with rows as the first axis, `memory` being its kind: fast ones on CPUs, Keras'
        own LSTM (cuDNN) on GPUs."""
        noise = {"noise": TabledNoise} if self.kind == "CPU" else {}
        if memory == network.MIN_LSTM:
            return {"memory": ScannedMinLSTM, **noise}
        return {"memory": FusedLSTM if self.kind == "CPU" else RowsFirstLSTM, **noise}

    @property
    def compiles(self) -> bool:
        """Whether XLA compiles the loss, which halves its time on a single CPU."""
        return self.kind == "CPU" and self.replicas == 1 and xla.works()


def present() -> Devices:
    """All TPU cores or GPUs; without any, all logical CPU devices (one, unless a test configured more)."""
    if os.environ.get("TPU_NAME"):
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return Devices(tf.distribute.TPUStrategy(resolver), "TPU")
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(names) > 1:
        return Devices(tf.distribute.MirroredStrategy(names), kind)
    return Devices(tf.distribute.get_strategy(), kind)


def use_one_thread_per_operation() -> None:
    """Makes results independent of the number of cores: TensorFlow splits sums into as many pieces as threads.

    The network's matrices are too small to gain from more threads; the pieces of a batch run in parallel instead.
    Has no effect once TensorFlow has started.
    """
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
