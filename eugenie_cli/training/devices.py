"""What a fit runs on: all accelerators that TensorFlow sees, or the CPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from eugenie_cli.training.recurrence import FusedLSTM, TabledNoise

FULL, MIXED = "float32", "mixed_bfloat16"
# bfloat16 has float32's range, so no loss needs scaling. GPUs multiply it from this compute capability on.
_MIXED_FROM = (8, 0)
# Mixed precision is taken when its loss on held-out rows is at most this much above that of float32.
PARITY = 0.01


@dataclass(frozen=True)
class Devices:
    """`strategy` copies the network to every device; `precision` is what matrices are multiplied in."""

    strategy: tf.distribute.Strategy
    kind: str
    precision: str = FULL

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    @property
    def layers(self) -> dict[str, Any]:
        """Layers for `network.build`: the fast ones on CPUs; on GPUs Keras' own, which are cuDNN's."""
        return {"memory": FusedLSTM, "noise": TabledNoise} if self.kind == "CPU" else {}

    @property
    def words(self) -> str:
        """For people: `2 x GPU, mixed_bfloat16`."""
        return f"{f'{self.replicas} x ' if self.replicas > 1 else ''}{self.kind}, {self.precision}"


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


def may_mix(devices: Devices) -> bool:
    """Whether the devices are faster in mixed precision."""
    if devices.kind == "TPU":
        return True
    return devices.kind == "GPU" and all(
        _capability(device) >= _MIXED_FROM for device in tf.config.list_physical_devices("GPU")
    )


def _capability(device: Any) -> tuple[int, int]:
    return tuple(tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0)))  # type: ignore[return-value]


def holds_parity(full: float, mixed: float) -> bool:
    """Whether a held-out loss in mixed precision is as good as the one in float32. A NaN is not."""
    return mixed <= full * (1 + PARITY)


def one_thread_an_operation() -> None:
    """Results that do not depend on how many cores there are: sums are cut in as many pieces as threads.

    The network's matrices are too small to gain from more; pieces of a batch run beside one another instead.
    No effect once TensorFlow has begun.
    """
    import contextlib

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
