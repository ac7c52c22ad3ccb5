"""The site's own model server: a detached process that serves the workspace's models on the loopback interface.

Its run file (`run/serving.json`) identifies the process. Its port and unix socket persist across restarts, so that a
stream job finds it again. Its health is queried by gRPC.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from eugenie_cli.engines import ports, process, sockets
from eugenie_cli.engines.endpoints import SOCKET
from eugenie_cli.engines.launcher import log_file, run_file
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import exclusive
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import release_config, tls
from eugenie_cli.serving.health import NO_ANSWER, why_not_serving
from eugenie_cli.serving.status import ServingStatus, served_models
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.tfserving.credentials import Credentials
from eugenie_cli.workspace import Workspace

NAME, REST_NAME = "serving", "serving_rest"
REST = "rest"
"""Key in the run file's details: the address of the REST API."""

LOCK = f".{NAME}.lock"
"""Lock file in the run folder: it serializes starts and stops."""

READY_WITHIN_S = 180.0
"""Importing TensorFlow alone takes 3 to 12 s on idle cores, and several times that on a busy machine."""

_READY_TIMEOUT_S = 0.5
_POLL_S = 0.1


def start(site: HasServing, progress: Progress = SILENT) -> ServingStatus:
    """Start the server unless it runs, and wait until it answers.

    With `serving.address`, start nothing: the server at that address must answer. Raises EugenieError when the port is
    in use, or the server exits or does not answer in time.
    """
    if site.serving.address is not None:
        return _external(site, progress)
    workspace = workspace_of(site)
    with exclusive(workspace.run / LOCK):
        release_config.fetch(site, progress)
        running = _serve(site, workspace, progress)
    if running is not None:
        progress.say(f"the model server answers at {running.address}")
    return status(site)


def revive(site: HasServing, progress: Progress = SILENT) -> bool:
    """Restart the site's own server if it died, and wait until it answers.

    False when it runs, was stopped meanwhile, or is not managed by eugenie. Raises EugenieError as `start` does; the
    server then still counts as started, so that the caller can retry.
    """
    if site.serving.address is not None:
        return False
    workspace = workspace_of(site)
    file = run_file(workspace, NAME)
    with exclusive(workspace.run / LOCK):
        before = process.read_run_file(file)
        if before is None or process.identify(file) is not None:
            return False
        try:
            _serve(site, workspace, progress)
        except BaseException:
            process.write_run_file(file, before)
            raise
    return True


def stop(site: HasServing, progress: Progress = SILENT) -> bool:
    """Stop the site's own server: requests in flight are answered first. True when it ran."""
    if site.serving.address is not None:
        raise EugenieError(
            f"eugenie did not start the model server at {site.serving.address} and cannot stop it",
            "stop it where it was started, or remove serving.address from the site file",
            ExitCode.USAGE,
        )
    ran = end(workspace_of(site))
    progress.say("the model server has stopped" if ran else "no model server was running")
    return ran


def end(workspace: Workspace) -> bool:
    """Stop the server of this workspace, even one started under an earlier site file. True when one ran."""
    with exclusive(workspace.run / LOCK):
        recorded = process.read_run_file(run_file(workspace, NAME))
        ran = process.stop(run_file(workspace, NAME))
        if recorded is not None:
            _release(_socket(recorded))
    return ran


def status(site: HasServing) -> ServingStatus:
    """The status of the server and the model versions that it serves."""
    if site.serving.address is not None:
        address, log, pid, socket, rest = site.serving.address, "", None, "", ""
        answering, silent = "reachable", "unreachable"
    else:
        workspace = workspace_of(site)
        file = run_file(workspace, NAME)
        recorded = process.read_run_file(file)
        if recorded is None:
            return ServingStatus("stopped", None, "", str(log_file(workspace, NAME)), ())
        address, log, pid, socket = recorded.address, recorded.log, recorded.pid, _socket(recorded)
        rest = str(recorded.details.get(REST, ""))
        if process.identify(file) is None:
            return ServingStatus("crashed", None, address, log, (), socket)
        answering, silent = "running", "not answering"
    why = why_not_serving(address, credentials=tls.credentials_of(site))
    if why:
        return ServingStatus(silent, pid, address, log, (), socket, rest, why=why)
    return ServingStatus(answering, pid, address, log, served_models(address, site), socket, rest)


def _external(site: HasServing, progress: Progress) -> ServingStatus:
    current = status(site)
    if current.state != "reachable":
        raise EugenieError(
            f"the model server at {current.address} does not answer: {current.why}",
            tls.hint(current.why, "start it, or correct serving.address in the site file"),
            ExitCode.UNREACHABLE,
        )
    progress.say(f"the model server at {current.address} answers; eugenie does not manage it")
    return current


def _serve(site: HasServing, workspace: Workspace, progress: Progress) -> process.Process | None:
    """Launch the server unless it runs, and wait until it answers; None when it answered already."""
    file = run_file(workspace, NAME)
    running = process.identify(file)
    credentials = tls.credentials_of(site)
    if running is not None:
        why = why_not_serving(running.address, credentials=credentials)
        if not why:
            progress.say(f"the model server is already running at {running.address}")
            return None
        if why != NO_ANSWER:  # it works, but with the settings that the site file had when it was started
            raise EugenieError(
                f"the model server at {running.address} runs but does not answer eugenie: {why}",
                "if serving.tls was changed: eugenie serve stop, then eugenie serve start",
                ExitCode.UNREACHABLE,
            )
    try:
        if running is None:
            running = _launch(site, workspace, progress)
        _await_ready(running, file, credentials, progress)
    except BaseException:  # including an interrupt: do not leave an orphaned server behind
        process.stop(file)
        raise
    return running


def _launch(site: HasServing, workspace: Workspace, progress: Progress) -> process.Process:
    port = site.serving.port
    if port:
        ports.check_free(port, "the model server", "serving.port")
    else:
        port = ports.assign(workspace.run / "ports.json", {NAME: 0}, in_use=())[NAME]
    rest_port = site.serving.rest_port
    if rest_port:
        ports.check_free(rest_port, "the model server", "serving.rest_port")
    elif rest_port == 0:
        rest_port = ports.assign(workspace.run / "ports.json", {REST_NAME: 0}, in_use=())[REST_NAME]
    host = site.serving.host
    reached_at = ports.LOOPBACK if host in ("0.0.0.0", "::", "[::]") else host  # noqa: S104 - compared, not bound
    if host not in ("localhost", "::1", "[::1]") and not host.startswith("127."):
        _warn(site, progress)
    workspace.models.mkdir(parents=True, exist_ok=True)
    release_config.settle(site)
    socket = _place(workspace, progress)
    scheme = "http" if site.serving.tls is None else "https"
    return process.start_detached(
        NAME,
        [
            sys.executable, "-m", "eugenie_cli.model_server",
            "--models", str(workspace.models.absolute()),
            "--host", host,
            "--port", str(port),
            "--poll", str(site.serving.poll),
            *(["--allow-reload"] if site.serving.reload else []),
            *tls.server_arguments(site),
            *(["--rest-port", str(rest_port)] if rest_port is not None else []),
            *(["--socket", str(socket)] if socket is not None else []),
        ],
        env=process.minimal_env(),
        log=log_file(workspace, NAME),
        run_file=run_file(workspace, NAME),
        address=f"{reached_at}:{port}",
        cwd=workspace.models,
        details={
            **({SOCKET: sockets.address(socket)} if socket is not None else {}),
            **({REST: f"{scheme}://{reached_at}:{rest_port}"} if rest_port is not None else {}),
        },
    )  # fmt: skip


def _warn(site: HasServing, progress: Progress) -> None:
    """Warn that other machines can call a server that listens on more than the loopback interface."""
    tls_settings = site.serving.tls
    if tls_settings is None or tls_settings.client_ca is None:
        can = "request scores and change the served models" if site.serving.reload else "request scores"
        progress.say(
            f"serving.host: {site.serving.host}: anyone who can reach the server can {can}; serving.tls with"
            " client_ca admits only clients with a certificate"
        )


def _place(workspace: Workspace, progress: Progress) -> Path | None:
    try:
        return sockets.place(workspace)
    except OSError as error:
        progress.say(f"the model server listens only on its port, without a unix socket: {error}")
        return None


def _socket(recorded: process.Process) -> str:
    return str(recorded.details.get(SOCKET, ""))


def _release(socket: str) -> None:
    """Remove the socket that a killed server leaves behind; a server that exits normally removes its own."""
    if socket:
        with contextlib.suppress(OSError):
            sockets.release(sockets.path_of(socket), ports.RELEASE_S)


def _await_ready(running: process.Process, file: Path, credentials: Credentials | None, progress: Progress) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    with progress.task("starting the model server"):
        while why := why_not_serving(running.address, _READY_TIMEOUT_S, credentials):
            if credentials is not None and why != NO_ANSWER:
                raise EugenieError(
                    f"the model server at {running.address} does not answer eugenie: {why}",
                    tls.HINT,
                    ExitCode.UNREACHABLE,
                )
            if process.identify(file) is None:
                raise EugenieError(
                    f"the model server exited during startup:\n{process.tail(Path(running.log))}",
                    f"see {running.log}",
                )
            if time.monotonic() > deadline:
                raise EugenieError(
                    f"the model server does not answer after {READY_WITHIN_S:.0f} s:\n"
                    f"{process.tail(Path(running.log))}",
                    f"see {running.log}",
                )
            time.sleep(_POLL_S)
