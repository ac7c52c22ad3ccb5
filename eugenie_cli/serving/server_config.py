"""Renders the files that TensorFlow Serving reads at start: the models, the batching parameters and the monitoring.

The three files are text protos: ModelServerConfig, BatchingParameters and MonitoringConfig of TensorFlow Serving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf import text_format

from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.serving import Batching
from eugenie_cli.tfserving.protos import config_pb2

RELEASE = "2.20.0"
"""Built on the TensorFlow release that exports the models (2.20). It also reads models that older releases wrote."""

GRPC_PORT, REST_PORT = 8500, 8501
"""Ports inside a container: the defaults of TensorFlow Serving's images."""

METRICS_PATH = "/monitoring/prometheus/metrics"
"""Where Prometheus finds the metrics, on the REST port."""


def poll_seconds(site: HasServing) -> int:
    """`serving.poll` rounded up to TensorFlow Serving's whole seconds, at least 1, because 0 means "poll once"."""
    return max(1, -(-site.serving.poll // 1_000))


def image(site: HasServing) -> str:
    """`serving.image`, or by default the image of `RELEASE`, with CUDA if the site requests GPUs."""
    gpu = "" if site.serving.gpus == "none" else "-gpu"
    return site.serving.image or f"tensorflow/serving:{RELEASE}{gpu}"


def joins_requests(site: HasServing) -> bool:
    """Whether TensorFlow Serving batches requests: only if the site file has a section `serving.batching`.

    TensorFlow Serving joins requests of one signature; it then rejects a batch whose segments differ in length
    (FAILED_PRECONDITION), and a request larger than a batch. The stream sends segments of varying length, already
    batched over assets. Enable batching only if all clients send segments of equal length.
    """
    return "batching" in site.serving.model_fields_set


@dataclass(frozen=True)
class ReleasedModel:
    """A model that a server must serve: its released versions (empty: none), and their labels.

    `base_path` is the folder of versions as the server sees it: an absolute path or a URI.
    """

    name: str
    base_path: str
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)


def model_config(models: Iterable[ReleasedModel]) -> config_pb2.ModelServerConfig:
    """The configuration that serves exactly these models."""
    config = config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()  # an empty list is a valid configuration
    for model in models:
        entry = config.model_config_list.config.add(
            name=model.name, base_path=model.base_path, model_platform="tensorflow"
        )
        if model.versions:
            entry.model_version_policy.specific.versions.extend(sorted(model.versions))
        for label, version in sorted(model.labels.items()):
            entry.version_labels[label] = version
    return config


def released_models(config: config_pb2.ModelServerConfig) -> list[ReleasedModel]:
    """The models in a configuration that `model_config` returned."""
    return [
        ReleasedModel(
            entry.name,
            entry.base_path,
            tuple(entry.model_version_policy.specific.versions),
            dict(entry.version_labels),
        )
        for entry in config.model_config_list.config
    ]


def model_config_text(models: Iterable[ReleasedModel]) -> str:
    """The text of `--model_config_file`."""
    return text_format.MessageToString(model_config(models)) or "model_config_list {\n}\n"


def batching_text(batching: Batching, threads: int) -> str:
    """The text of `--batching_parameters_file`. `threads`: batches that run at once, one per core or GPU stream."""
    return (
        f"max_batch_size {{ value: {batching.max_batch} }}\n"
        f"batch_timeout_micros {{ value: {batching.timeout_us} }}\n"
        f"max_enqueued_batches {{ value: {batching.max_waiting} }}\n"
        f"num_batch_threads {{ value: {threads} }}\n"
    )


def monitoring_text() -> str:
    """The text of `--monitoring_config_file`."""
    return f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'
