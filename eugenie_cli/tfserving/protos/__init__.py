"""Messages that are wire-compatible with TensorFlow Serving's gRPC API, without TensorFlow.

The field numbers are TensorFlow's. The package name (`eugenie.wire`) is our own, because the descriptor pool of a
process that imports tensorflow already contains the official names. Only field numbers and method paths matter on the
wire.

The `*_pb2.py` files are generated and committed. After a change to a `.proto`, from the project's root:

    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. eugenie_cli/tfserving/protos/*.proto
"""

from __future__ import annotations

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD_CONFIG = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
REGRESS = "/tensorflow.serving.PredictionService/Regress"
MULTI_INFERENCE = "/tensorflow.serving.PredictionService/MultiInference"

HEALTH_CHECK = "/grpc.health.v1.Health/Check"

SIGNATURE_DEF_MAP_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
"""Type URL of the only metadata field that exists, `signature_def`."""
