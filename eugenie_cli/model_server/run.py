"""The server's life cycle: load the models, listen, report readiness, watch for changes, drain, end."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import tensorflow as tf

from eugenie_cli.engines import sockets
from eugenie_cli.files import write_atomically
from eugenie_cli.model_server.aspired_versions import AspiredVersions
from eugenie_cli.model_server.batching import Batcher
from eugenie_cli.model_server.certificate_reload import Certificates
from eugenie_cli.model_server.http import HttpServer
from eugenie_cli.model_server.json_pool import JsonPool
from eugenie_cli.model_server.manager import Manager
from eugenie_cli.model_server.rest import RestApi
from eugenie_cli.model_server.servable import load
from eugenie_cli.model_server.service import Service
from eugenie_cli.tfserving.channel import MAX_MESSAGE_BYTES

DRAIN_S = 10.0
"""Time for requests in flight to complete after TERM."""

KEEPALIVE = (
    # connections of callers that vanished are closed, which cancels their waiting requests
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # callers may ping more often than every five minutes, gRPC's default limit
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # connections that never send HTTP/2
    ("grpc.server_handshake_timeout_ms", 20_000),
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Settings from the command line."""

    aspired: AspiredVersions
    host: str
    port: int
    poll_s: float
    workers: int
    ready_file: Path | None
    socket: Path | None = None
    rest_port: int | None = None
    tls: Certificates | None = None
    """TLS of the ports. The socket has none, because only its owner can open it."""
    allow_reload: bool = False
    """Whether callers may change what is served."""


class CannotListen(Exception):  # noqa: N818 - reads as the cause
    """The port or the socket is in use, or the address does not belong to this machine."""


async def serve(settings: Settings) -> None:
    """Serve until TERM or INT. Raises CannotListen."""
    # One thread per run and one run per core: twice the rate of many threads per run, for small batches.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(settings.workers)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    manager, batcher = Manager(settings.aspired, load), Batcher(settings.workers)
    service = Service(manager, batcher, allow_reload=settings.allow_reload)
    server, port = _listen(settings, service)
    json_pool = JsonPool(settings.workers)
    rest = _listen_for_http(settings, RestApi(service, json_pool))
    await manager.refresh()
    # objects loaded so far live as long as the process: exclude them from later collections
    gc.collect()
    gc.freeze()
    batcher.start()
    await server.start()
    if rest is not None:
        await rest.start()
    watches = [asyncio.create_task(manager.watch(settings.poll_s))]
    if settings.tls is not None:
        watches.append(asyncio.create_task(settings.tls.watch(settings.poll_s)))
    addresses = {"address": f"{settings.host}:{port}"}
    if settings.socket is not None:
        addresses["socket"] = str(settings.socket)
    if rest is not None:
        scheme = "http" if settings.tls is None else "https"
        addresses["rest"] = f"{scheme}://{settings.host}:{rest.port}"
    _LOG.info("ready on %s: %s", ", ".join(addresses.values()), ", ".join(manager.models) or "no models yet")
    if settings.ready_file is not None:
        _tell(settings.ready_file, addresses)
    try:
        await stop.wait()
    finally:
        _LOG.info("draining")
        service.draining = True
        for watch in watches:
            watch.cancel()
        if settings.ready_file is not None:
            settings.ready_file.unlink(missing_ok=True)
        ending = [server.stop(DRAIN_S)] if rest is None else [server.stop(DRAIN_S), rest.stop()]
        await asyncio.gather(*ending)
        await json_pool.close()
        batcher.stop()
        manager.close()
    await asyncio.gather(*watches, return_exceptions=True)
    _LOG.info("ended")


def _listen(settings: Settings, service: Service) -> tuple[grpc.aio.Server, int]:
    options = [
        *KEEPALIVE,
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it silently
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers(tuple(service.handlers()))
    address = f"{settings.host}:{settings.port}"
    try:
        if settings.tls is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, settings.tls.for_grpc())
    except RuntimeError as error:
        raise CannotListen(f"cannot listen on {address}: {error}") from error
    if settings.socket is not None:  # after the port, which a second server of the same site cannot bind
        try:
            sockets.release(settings.socket)
            with sockets.owner_only():
                server.add_insecure_port(sockets.address(settings.socket))
        except (OSError, RuntimeError) as error:
            raise CannotListen(f"cannot listen on {settings.socket}: {error}") from error
    return server, port


def _listen_for_http(settings: Settings, application: RestApi) -> HttpServer | None:
    if settings.rest_port is None:
        return None
    try:
        return HttpServer(application, settings.host, settings.rest_port, DRAIN_S, settings.tls)
    except OSError as error:
        raise CannotListen(f"cannot listen on {settings.host}:{settings.rest_port}: {error}") from error


def _tell(ready_file: Path, addresses: Mapping[str, str]) -> None:
    write_atomically(ready_file, json.dumps({**addresses, "pid": os.getpid()}), mode=0o644)
