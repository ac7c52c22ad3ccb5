"""Runs in the official client's environment: sends the requests of a JSON file and writes the responses.

python official_caller.py REQUESTS.json RESPONSES.json

Independent of eugenie: stubs, requests and responses are those of `tensorflow-serving-api`.
"""

import base64
import json
import sys
from pathlib import Path

import grpc
import numpy as np
from google.protobuf import json_format, text_format
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

TIMEOUT_S = 120
UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
NUMPY = {"DT_FLOAT": "<f4", "DT_DOUBLE": "<f8", "DT_INT32": "<i4"}
FIELDS = {"DT_FLOAT": "float_val", "DT_DOUBLE": "double_val", "DT_INT32": "int_val", "DT_STRING": "string_val"}


def model_spec(asked):
    spec = model_pb2.ModelSpec(name=asked["model"], signature_name=asked["signature"])
    if isinstance(asked["version"], int):
        spec.version.value = asked["version"]
    elif asked["version"] is not None:
        spec.version_label = asked["version"]
    return spec


def tensor(asked):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(asked["dtype"]))
    for size in asked["shape"]:
        proto.tensor_shape.dim.add().size = size
    values = asked["values"]
    if asked["dtype"] == "DT_STRING":
        values = [value.encode() for value in values]
    if asked["encoding"] == "zeros":
        proto.tensor_content = bytes(int(np.prod(asked["shape"])) * 4)
    elif asked["encoding"] == "typed":
        getattr(proto, FIELDS[asked["dtype"]]).extend(values)
    elif asked["dtype"] == "DT_STRING":  # packed: the lengths, then the characters, for short strings only
        proto.tensor_content = bytes(map(len, values)) + b"".join(values)
    else:
        proto.tensor_content = np.array(values, NUMPY[asked["dtype"]]).tobytes()
    return proto


def predict_request(asked):
    request = predict_pb2.PredictRequest(output_filter=asked["fields"])
    if asked["model"] is not None:
        request.model_spec.CopyFrom(model_spec(asked))
    for name, value in asked["inputs"].items():
        request.inputs[name].CopyFrom(tensor(value))
    return request


def metadata_request(asked):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=asked["fields"])
    if asked["model"] is not None:
        request.model_spec.CopyFrom(model_spec(asked))
    return request


def status_request(asked):
    request = get_model_status_pb2.GetModelStatusRequest()
    if asked["model"] is not None:
        request.model_spec.CopyFrom(model_spec(asked))
    return request


def reload_request(asked):
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(asked["config"], request.config)
    return request


def multi_inference_request(asked):
    request = inference_pb2.MultiInferenceRequest()
    request.tasks.add(model_spec=model_spec(asked), method_name="tensorflow/serving/classify")
    return request


def spec_of(response):
    spec = response.model_spec
    return {"model": spec.name, "version": spec.version.value, "signature": spec.signature_name}


def predicted(response):
    """The outputs as read by callers that do not support `tensor_content`."""
    outputs = {}
    for name, proto in response.outputs.items():
        field = FIELDS[types_pb2.DataType.Name(proto.dtype)]
        shape = [dim.size for dim in proto.tensor_shape.dim]
        outputs[name] = {"shape": shape, "values": list(getattr(proto, field))}
    return {**spec_of(response), "outputs": outputs}


def metadata(response):
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)

    def specs(infos):
        return {
            name: [types_pb2.DataType.Name(info.dtype), [dim.size for dim in info.tensor_shape.dim]]
            for name, info in infos.items()
        }

    return {
        **spec_of(response),
        "signatures": {
            name: {
                "method": signature.method_name,
                "inputs": specs(signature.inputs),
                "outputs": specs(signature.outputs),
            }
            for name, signature in signatures.signature_def.items()
        },
    }


def statuses(response):
    states = get_model_status_pb2.ModelVersionStatus.State
    return {
        "versions": [
            [version.version, states.Name(version.state), version.status.error_code, version.status.error_message]
            for version in response.model_version_status
        ]
    }


def reloaded(response):
    return {"error_code": response.status.error_code, "error_message": response.status.error_message}


def main(questions, answers):
    asked_for = json.loads(Path(questions).read_text())
    with grpc.insecure_channel(asked_for["address"], options=UNLIMITED) as channel:
        received = {asked["name"]: answered(channel, asked) for asked in asked_for["requests"]}
    Path(answers).write_text(json.dumps({"answers": received, **parsed(asked_for)}))


def answered(channel, asked):
    prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    call, request, read = {
        "Predict": (prediction.Predict, predict_request, predicted),
        "GetModelMetadata": (prediction.GetModelMetadata, metadata_request, metadata),
        "GetModelStatus": (models.GetModelStatus, status_request, statuses),
        "HandleReloadConfigRequest": (models.HandleReloadConfigRequest, reload_request, reloaded),
        "Classify": (
            prediction.Classify,
            lambda asked: classification_pb2.ClassificationRequest(model_spec=model_spec(asked)),
            None,
        ),
        "Regress": (
            prediction.Regress,
            lambda asked: regression_pb2.RegressionRequest(model_spec=model_spec(asked)),
            None,
        ),
        "MultiInference": (prediction.MultiInference, multi_inference_request, None),
    }[asked["method"]]
    compression = grpc.Compression.Gzip if asked["gzip"] else None
    try:
        response = call(request(asked), timeout=TIMEOUT_S, compression=compression)
    except grpc.RpcError as error:
        return {"code": error.code().name, "words": error.details()}
    return {"code": "OK", "words": "", **read(response)}


def parsed(asked_for):
    """Files that the official messages must parse."""
    config = text_format.Parse(asked_for["model_config"], model_server_config_pb2.ModelServerConfig())
    logs = [prediction_log_pb2.PredictionLog.FromString(base64.b64decode(text)) for text in asked_for["warm_up"]]
    return {
        "model_config": json_format.MessageToDict(config, preserving_proto_field_name=True),
        "warm_up": [
            {
                "kind": log.WhichOneof("log_type"),
                "model": log.predict_log.request.model_spec.name,
                "signature": log.predict_log.request.model_spec.signature_name,
                "rows": [dim.size for dim in log.predict_log.request.inputs["rows"].tensor_shape.dim],
                "assets": [name.decode() for name in log.predict_log.request.inputs["asset"].string_val],
                "unknown": sorted(set(log.predict_log.request.inputs) - {"asset", "rows"}),
            }
            for log in logs
        ],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
