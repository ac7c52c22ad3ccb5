"""`python -m eugenie_cli.model_server`: parse, serve until TERM, drain, exit 0."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from eugenie_cli.model_server.certificate_reload import Certificates
from eugenie_cli.model_server.tls import ServerTls


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eugenie_cli.model_server", description=__doc__)
    models = parser.add_mutually_exclusive_group(required=True)
    models.add_argument(
        "--models",
        type=Path,
        help="contains <model>/<version>/saved_model.pb, and models.config, which lists the released versions to serve",
    )
    models.add_argument(
        "--model-config", type=Path, metavar="FILE", help="a ModelServerConfig, read again when it changes"
    )
    parser.add_argument(
        "--unreleased", action="store_true", help="with --models: serve each model's newest version, released or not"
    )
    parser.add_argument(
        "--allow-reload", action="store_true", help="let callers change what is served (HandleReloadConfigRequest)"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8500, help="0: any free port; the ready file names it")
    parser.add_argument(
        "--rest-port", type=int, metavar="PORT", help="port of the REST API; 0: any free one; default: no REST API"
    )
    parser.add_argument("--socket", type=Path, metavar="PATH", help="also listen on a unix socket of mode 0600")
    parser.add_argument("--tls-certificate", type=Path, metavar="PEM", help="serve TLS: the certificate and its chain")
    parser.add_argument("--tls-key", type=Path, metavar="PEM", help="its private key, without a password")
    parser.add_argument(
        "--tls-client-ca", type=Path, metavar="PEM", help="callers must present a certificate of this authority (mTLS)"
    )
    parser.add_argument("--poll", type=int, default=1_000, metavar="MS", help="interval of the search for new versions")
    parser.add_argument("--workers", type=int, help="default: one for each core available to this process")
    parser.add_argument(
        "--ready-file", type=Path, help="JSON {address, rest, pid}, written once the server answers requests"
    )
    arguments = parser.parse_args()
    if (arguments.tls_certificate is None) != (arguments.tls_key is None):
        parser.error("--tls-certificate and --tls-key must be given together")
    if arguments.unreleased and arguments.models is None:
        parser.error("--unreleased needs --models: a --model-config lists the versions itself")
    if arguments.tls_client_ca is not None and arguments.tls_key is None:
        parser.error("--tls-client-ca needs --tls-certificate and --tls-key")
    return arguments


def main() -> int:
    arguments = _arguments()
    # TensorFlow reads these variables when it is imported, so the server's modules are imported afterwards
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # failures are raised, and logged here
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # batches are sized for CPU cores
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)
    log = logging.getLogger("eugenie_cli.serving")
    tls = None
    if arguments.tls_key is not None:
        files = ServerTls(arguments.tls_certificate, arguments.tls_key, arguments.tls_client_ca)
        try:
            tls = Certificates(files)  # gRPC would only report that it cannot listen
        except ValueError as error:
            log.error("TLS: %s", error)
            return 1
    import uvloop

    from eugenie_cli.model_server.aspired_versions import AspiredVersions, Released, Unreleased, Written
    from eugenie_cli.model_server.run import CannotListen, Settings, serve

    aspired: AspiredVersions
    if arguments.model_config is not None:
        aspired = Written(arguments.model_config)
    else:
        aspired = Unreleased(arguments.models) if arguments.unreleased else Released(arguments.models)
    workers = arguments.workers or len(os.sched_getaffinity(0))
    settings = Settings(
        aspired,
        arguments.host,
        arguments.port,
        arguments.poll / 1_000,
        workers,
        arguments.ready_file,
        arguments.socket,
        arguments.rest_port,
        tls,
        arguments.allow_reload,
    )
    try:
        uvloop.run(serve(settings))  # a seventh more requests per second than asyncio's own loop
    except CannotListen as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
