"""Serves every exported model over TensorFlow Serving's API, on CPU, in one process.

python -m eugenie_cli.model_server --models DIR --port 8500

grpc.aio front (service)  ->  queue, one worker per core (batching)  ->  a loaded SavedModel (servable)
                              watcher (manager): loads and warms new versions, then swaps one reference
"""
