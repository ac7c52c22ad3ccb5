"""Stands in for `tensorflow_model_server`: the same flags, ports, gRPC and REST API, with sums instead of graphs.

A version scores like `small_models.thousands`, so a response shows which version computed it. Like TensorFlow Serving,
it listens once the models of its first configuration are loaded, has no health service, and ignores SIGTERM.
"""

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
from google.protobuf import text_format

from eugenie_cli.tfserving import protos, tensors
from eugenie_cli.tfserving.protos import config_pb2, serving_pb2

AVAILABLE = serving_pb2.ModelVersionStatus.State.Value("AVAILABLE")


class Models:
    """The versions of each configured model: those that the configuration lists, or the newest, polled repeatedly."""

    def __init__(self, file, poll_s, file_poll_s):
        self.file, self.poll_s, self.file_poll_s = Path(file), poll_s, file_poll_s
        self.config, self.versions = {}, {}
        self.take(self._read())
        threading.Thread(target=self._watch, daemon=True).start()
        if file_poll_s:
            threading.Thread(target=self._watch_file, daemon=True).start()

    def _read(self):
        return text_format.Parse(self.file.read_text(), config_pb2.ModelServerConfig())

    def take(self, config):
        self.config = {model.name: model for model in config.model_config_list.config}
        self._look()

    def moved_too_soon(self, config):
        """Labels that move to a version that does not serve yet."""
        return [
            label
            for model in config.model_config_list.config
            if model.name in self.config
            for label, version in model.version_labels.items()
            if self.config[model.name].version_labels.get(label, version) != version
            and version not in self.versions.get(model.name, ())
        ]

    def version(self, spec, context):
        served = self.versions.get(spec.name)
        if not served:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        asked = spec.version.value if spec.HasField("version") else max(served)
        if spec.version_label:
            labels = self.config[spec.name].version_labels
            if spec.version_label not in labels:
                message = f"Unrecognized servable version label: {spec.version_label}"
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
            asked = labels[spec.version_label]
        if asked not in served:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Specific({spec.name}, {asked})")
        return asked

    def info(self, name, version):
        folder = Path(self.config[name].base_path, str(version))
        return json.loads((folder / "assets.extra" / "eugenie.json").read_text())

    def _look(self):
        versions = {}
        for name, model in self.config.items():
            numbers = {int(path.name) for path in Path(model.base_path).iterdir() if path.name.isdecimal()}
            aspired = set(model.model_version_policy.specific.versions) or {max(numbers, default=0)}
            versions[name] = sorted(numbers & aspired)
        self.versions = versions

    def _watch_file(self):
        while True:
            time.sleep(self.file_poll_s)
            config = self._read()
            moved = self.moved_too_soon(config)
            if moved:  # stricter than the server with the flag that allows it: a promotion must never need the flag
                print(f"labels of versions that do not serve: {moved}", file=sys.stderr, flush=True)
            else:
                self.take(config)

    def _watch(self):
        while True:
            time.sleep(self.poll_s)
            self._look()


class Service:
    def __init__(self, models):
        self.models = models

    def handlers(self):
        methods = {
            protos.PREDICT: (self.predict, serving_pb2.PredictRequest),
            protos.GET_MODEL_METADATA: (self.metadata, serving_pb2.GetModelMetadataRequest),
            protos.GET_MODEL_STATUS: (self.status, serving_pb2.GetModelStatusRequest),
            protos.RELOAD_CONFIG: (self.reload, config_pb2.ReloadConfigRequest),
        }
        services = {}
        for path, (act, request) in methods.items():
            _, service, method = path.split("/")
            services.setdefault(service, {})[method] = grpc.unary_unary_rpc_method_handler(
                act, request.FromString, lambda answer: answer.SerializeToString()
            )
        return tuple(grpc.method_handlers_generic_handler(name, handlers) for name, handlers in services.items())

    def predict(self, request, context):
        name, version = request.model_spec.name, self.models.version(request.model_spec, context)
        info = self.models.info(name, version)
        rows = tensors.decode(request.inputs["rows"])
        windows = np.lib.stride_tricks.sliding_window_view(rows, info["window"], axis=1)  # [B, K, S, M]
        score = (windows.sum(axis=(2, 3)) + 1000.0 * version).astype(np.float32)
        response = serving_pb2.PredictResponse()
        response.model_spec.name = name
        response.model_spec.version.value = version
        contribution = np.full((*score.shape, rows.shape[2]), 1 / rows.shape[2], np.float32)
        for output, values in (
            ("score", score),
            ("contribution", contribution),
            ("expected", np.ascontiguousarray(windows[..., -1])),
        ):
            tensors.encode(values, response.outputs[output])
        return response

    def status(self, request, context):
        name = request.model_spec.name
        self.models.version(serving_pb2.ModelSpec(name=name), context)
        response = serving_pb2.GetModelStatusResponse()
        for version in self.models.versions[name]:  # whatever label is requested
            response.model_version_status.add(version=version, state=AVAILABLE)
        return response

    def metadata(self, request, context):
        response = serving_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = self.models.version(request.model_spec, context)
        response.metadata["signature_def"].type_url = protos.SIGNATURE_DEF_MAP_URL
        return response

    def reload(self, request, context):
        """TensorFlow Serving accepts this from any caller; eugenie must not need it."""
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "nobody may call this")


class Rest(BaseHTTPRequestHandler):
    models: Models

    def do_GET(self):
        name = self.path.removeprefix("/v1/models/")
        versions = self.models.versions.get(name)
        body = {"error": f"Could not find any versions of model {name}"} if versions is None else _state(versions)
        content = json.dumps(body).encode()
        self.send_response(404 if versions is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def _state(versions):
    return {"model_version_status": [{"version": str(version), "state": "AVAILABLE"} for version in versions]}


def parse():
    parser = argparse.ArgumentParser("tensorflow_model_server", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--rest_api_port", type=int, default=0)
    parser.add_argument("--model_config_file", required=True)
    parser.add_argument("--model_config_file_poll_wait_seconds", type=int, default=0)
    parser.add_argument("--monitoring_config_file")
    parser.add_argument("--enable_batching", choices=("true", "false"), default="false")
    parser.add_argument("--batching_parameters_file")
    parser.add_argument("--file_system_poll_wait_seconds", type=int, default=1)
    parser.add_argument("--allow_version_labels_for_unavailable_models", choices=("true", "false"))
    parser.add_argument("--per_process_gpu_memory_fraction", type=float)
    return parser.parse_args()


def main():
    arguments = parse()
    for file in filter(None, (arguments.monitoring_config_file, arguments.batching_parameters_file)):
        Path(file).read_text()  # a missing file stops the server, as in TensorFlow Serving
    models = Models(
        arguments.model_config_file,
        arguments.file_system_poll_wait_seconds,
        arguments.model_config_file_poll_wait_seconds,
    )
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers(Service(models).handlers())
    server.add_insecure_port(f"0.0.0.0:{arguments.port}")
    server.start()
    print(f"Running gRPC ModelServer at 0.0.0.0:{arguments.port} ...", file=sys.stderr, flush=True)
    Rest.models = models
    rest = ThreadingHTTPServer(("0.0.0.0", arguments.rest_api_port), Rest)
    print(f"Exporting HTTP/REST API at:localhost:{arguments.rest_api_port} ...", file=sys.stderr, flush=True)
    rest.serve_forever()


main()
