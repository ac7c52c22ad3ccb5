"""The files that TensorFlow Serving reads at start, parsed as it parses them.

ModelServerConfig is in its published Python package, which the integration tests use to parse the file. The other two
messages are not published, so the tests build them from the names, numbers and types of the fields in their .proto
files (tensorflow_serving/servables/tensorflow/session_bundle_config.proto and
tensorflow_serving/config/monitoring_config.proto).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from eugenie_cli.serving import server_config
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.serving import Batching

_Field = descriptor_pb2.FieldDescriptorProto
_LONG, _TEXT = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
_PACKAGE = "read.by.tensorflow.serving"

BATCHING: Mapping[str, tuple[int, Any]] = {
    "max_batch_size": (1, _LONG),
    "batch_timeout_micros": (2, _LONG),
    "max_enqueued_batches": (3, _LONG),
    "num_batch_threads": (4, _LONG),
    "thread_pool_name": (5, _TEXT),
    "pad_variable_length_inputs": (7, _Field.TYPE_BOOL),
}
PROMETHEUS: Mapping[str, tuple[int, Any]] = {"enable": (1, _Field.TYPE_BOOL), "path": (2, _Field.TYPE_STRING)}
MONITORING: Mapping[str, tuple[int, Any]] = {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")}


@pytest.fixture(scope="module")
def pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="read_by_tensorflow_serving.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    messages = {"BatchingParameters": BATCHING, "PrometheusConfig": PROMETHEUS, "MonitoringConfig": MONITORING}
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            named = {"type_name": kind, "type": _Field.TYPE_MESSAGE} if isinstance(kind, str) else {"type": kind}
            message.field.add(name=field, number=number, label=_Field.LABEL_OPTIONAL, **named)
    messages_pool = descriptor_pool.DescriptorPool()
    messages_pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    messages_pool.AddSerializedFile(file.SerializeToString())
    return messages_pool


def parsed(pool: descriptor_pool.DescriptorPool, message: str, text: str) -> Any:
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message}"))
    return text_format.Parse(text, kind())


def test_batching_parameters(pool: descriptor_pool.DescriptorPool) -> None:
    batching = Batching(max_batch=512, timeout_us=0, max_waiting=16)
    read = parsed(pool, "BatchingParameters", server_config.batching_text(batching, threads=3))
    assert read.HasField("batch_timeout_micros"), "0 is written explicitly, not left to the default"
    assert (
        read.max_batch_size.value,
        read.batch_timeout_micros.value,
        read.max_enqueued_batches.value,
        read.num_batch_threads.value,
    ) == (512, 0, 16, 3)


def test_monitoring(pool: descriptor_pool.DescriptorPool) -> None:
    read = parsed(pool, "MonitoringConfig", server_config.monitoring_text()).prometheus_config
    assert (read.enable, read.path) == (True, "/monitoring/prometheus/metrics")


def test_an_unknown_field_is_a_parse_error(pool: descriptor_pool.DescriptorPool) -> None:
    with pytest.raises(text_format.ParseError, match="max_batch"):
        parsed(pool, "BatchingParameters", "max_batch { value: 1 }")


def test_a_model_configuration_is_read_back() -> None:
    models = [
        ReleasedModel("fan", "s3://plant/models/fan"),
        ReleasedModel("pump", "/models/pump", (3, 7), {"champion": 3, "challenger": 7}),
    ]
    assert server_config.released_models(server_config.model_config(models)) == models
    assert 'model_platform: "tensorflow"' in server_config.model_config_text(models)
    assert server_config.model_config_text([]).startswith("model_config_list {")
