"""What TensorFlow Serving reads at its start, rendered: which models, how requests are joined, where metrics are.

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
"""The release that is built on the TensorFlow that exports the models (2.20). It reads what older ones wrote too."""

GRPC_PORT, REST_PORT = 8500, 8501
"""Within a container, as TensorFlow Serving's images have them."""

METRICS_PATH = "/monitoring/prometheus/metrics"
"""Where Prometheus finds the metrics, on the REST port."""


def poll_seconds(site: HasServing) -> int:
    """`serving.poll` for TensorFlow Serving, which counts whole seconds, and takes 0 for "look once"."""
    return max(1, -(-site.serving.poll // 1_000))


def image(site: HasServing) -> str:
    """`serving.image`, or the image of the release that fits, with CUDA where the site asks for GPUs."""
    gpu = "" if site.serving.gpus == "none" else "-gpu"
    return site.serving.image or f"tensorflow/serving:{RELEASE}{gpu}"


def joins_requests(site: HasServing) -> bool:
    """Whether TensorFlow Serving joins requests: only if the site file has a section `serving.batching`.

    It joins requests of one signature, and then refuses a batch whose segments differ in length (FAILED_PRECONDITION),
    and a request that is larger than a batch. The stream sends segments of whatever length has gathered, already joined
    over assets. Only who knows that all callers send equal lengths should have it.
    """
    return "batching" in site.serving.model_fields_set


@dataclass(frozen=True)
class ReleasedModel:
    """A model that a server is to serve: these of its versions (empty: none is released), and other names of them.

    `base_path` is where the server finds the folder of versions: absolute, or a URI.
    """

    name: str
    base_path: str
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)


def model_config(models: Iterable[ReleasedModel]) -> config_pb2.ModelServerConfig:
    """The configuration that serves these models and no other."""
    config = config_pb2.ModelServerConfig()
    config.model_config_list.SetInParent()  # none of them is a configuration too
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
    """The models of a configuration that `model_config` made."""
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
    """`--model_config_file`."""
    return text_format.MessageToString(model_config(models)) or "model_config_list {\n}\n"


def batching_text(batching: Batching, threads: int) -> str:
    """`--batching_parameters_file`. `threads`: batches that run at once, one a core or a GPU stream."""
    return (
        f"max_batch_size {{ value: {batching.max_batch} }}\n"
        f"batch_timeout_micros {{ value: {batching.timeout_us} }}\n"
        f"max_enqueued_batches {{ value: {batching.max_waiting} }}\n"
        f"num_batch_threads {{ value: {threads} }}\n"
    )


def monitoring_text() -> str:
    """`--monitoring_config_file`."""
    return f'prometheus_config {{\n  enable: true\n  path: "{METRICS_PATH}"\n}}\n'
