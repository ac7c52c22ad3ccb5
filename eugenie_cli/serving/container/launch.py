"""Creates and starts a container and waits until it is ready; failures raise an EugenieError with the reason."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np

from eugenie_cli.engines import ports
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import Progress
from eugenie_cli.serving import model_info
from eugenie_cli.serving.container import files, gpus, preflight, rendering
from eugenie_cli.serving.container.spec import GRPC_PORT, REST_PORT, ContainerSpec
from eugenie_cli.serving.health import is_serving
from eugenie_cli.serving.local import READY_WITHIN_S
from eugenie_cli.serving.status import GpuUse, ServedModel, served_models
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

STOP_S = 10
"""Time from TERM to KILL. TensorFlow Serving ignores TERM: until KILL it keeps answering requests, none of which takes
longer."""

FIRST_ANSWER_S = 120.0
"""On a GPU, the first request compiles the kernels."""

LAST_LINES = 15
_POLL_S = 0.3
_ENDED = frozenset({"exited", "dead", "removing"})
_ALL_INTERFACES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def create(client: DockerClient, spec: ContainerSpec) -> Container:
    """Create the container without starting it. Raises EugenieError."""
    from docker.errors import APIError

    try:
        return client.containers.create(**rendering.sdk_arguments(spec))
    except APIError as error:
        raise _refused(spec, error.explanation or str(error)) from error


def start(container: Container, spec: ContainerSpec, progress: Progress) -> None:
    """Start the container and wait until it is healthy and answers. Raises EugenieError with its last log lines."""
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        raise _refused(spec, error.explanation or str(error)) from error
    with progress.task(f"starting container {spec.name}"):
        await_ready(container, address_of(spec, GRPC_PORT), spec.health.command)
    if spec.gpus is not None:
        preflight.check_visible(spec.gpus, _inside(container, ["nvidia-smi", "-L"]), inside=True)


def await_ready(container: Container, address: str, check: str, restarts: int = 0) -> None:
    """Wait until the container passes its own health check `check` and answers at `address`.

    The check runs here directly, because the engine runs its first one only after the interval, which would delay the
    caller. Raises EugenieError when the container exits, is restarted more than `restarts` times, or takes too long.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        container.reload()
        state = container.attrs["State"]
        if state["Status"] in _ENDED or restarts_of(container) > restarts:
            code = state.get("ExitCode", 0)
            raise _failed(container, f"the model server exited during startup (exit code {code})")
        if is_serving(address, timeout_s=0.5) and _passes(container, check):
            return
        if time.monotonic() > deadline:
            raise _failed(container, f"the model server does not answer after {READY_WITHIN_S:.0f} s")
        time.sleep(_POLL_S)


def await_answer(container: Container, address: str) -> None:
    """Wait until a running container answers at `address`: the engine may have just restarted it."""
    container.reload()
    check = container.attrs["Config"]["Healthcheck"]["Test"][1]
    await_ready(container, address, check, restarts_of(container))


def restarts_of(container: Container) -> int:
    """The number of restarts by the engine since the container was created."""
    return int(container.attrs.get("RestartCount", 0))


def check_answers(site: HasServing, address: str) -> tuple[ServedModel, ...]:
    """Send one request to every served model: a model that loads may still fail to run, especially on a GPU.

    Returns the served models. Raises EugenieError with the server's error.
    """
    served = served_models(address, site)
    with PredictClient(address) as client:
        for model in served:
            if model.state != "AVAILABLE":
                continue
            folder = files.models_folder(workspace_of(site)) / model.name / str(model.version)
            if not (folder / model_info.LOCATION).exists():
                continue  # not exported by eugenie: its inputs are unknown
            info = model_info.read(folder)
            rows = np.zeros((1, info.window, len(info.sensors)), np.float32)
            try:
                client.predict(model.name, [info.assets[0]], rows, model.version, timeout=FIRST_ANSWER_S)
            except ModelServerError as error:
                raise EugenieError(
                    f"{model.name} version {model.version} is loaded but does not answer: {error}",
                    "see eugenie serve logs, or try another serving.image",
                ) from error
    return served


def health(container: Container) -> str:
    """healthy, unhealthy or starting, by the engine's last check; empty for a container without a health check."""
    return str(container.attrs["State"].get("Health", {}).get("Status", ""))


def gpu_use(container: Container) -> tuple[GpuUse, ...]:
    """The GPUs that nvidia-smi reports inside the container; empty if there are none."""
    command = ["nvidia-smi", f"--query-gpu={gpus.QUERY}", "--format=csv,noheader,nounits"]
    return tuple(gpus.use(_inside(container, command)))


def retire(container: Container) -> None:
    """Stop the container, so that requests in flight complete, and remove it."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        container.stop(timeout=STOP_S)
        container.remove(v=True, force=True)


def discard(container: Container) -> None:
    """Remove the container immediately: it serves no requests."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        container.remove(v=True, force=True)


def last_lines(container: Container, lines: int = LAST_LINES) -> str:
    """The last lines of the container's log."""
    return container.logs(tail=lines).decode("utf-8", "replace").strip()


def address_of(spec: ContainerSpec, inside: int) -> str:
    """The address of container port `inside` on this machine; empty if the port is not published."""
    for published in spec.published:
        if published.inside == inside:
            host = ports.LOOPBACK if published.host in _ALL_INTERFACES else published.host
            return f"[{host}]:{published.port}" if ":" in host else f"{host}:{published.port}"
    return ""


def rest_of(spec: ContainerSpec) -> str:
    return address_of(spec, REST_PORT)


def _passes(container: Container, check: str) -> bool:
    from docker.errors import APIError

    try:
        code, _ = container.exec_run(["/bin/sh", "-c", check])
    except APIError:  # it has just exited; the next poll detects that
        return False
    return bool(code == 0)


def _inside(container: Container, command: list[str]) -> str:
    """The output of a command in the container; empty when the command fails or does not exist."""
    from docker.errors import APIError

    try:
        code, output = container.exec_run(command, stderr=False)
    except APIError:
        return ""
    return output.decode("utf-8", "replace") if code == 0 else ""


def _failed(container: Container, reason: str) -> EugenieError:
    lines = last_lines(container)
    return EugenieError(f"{reason}:\n{lines}" if lines else reason, "see the lines above, or try another serving.image")


def _refused(spec: ContainerSpec, engine_error: str) -> EugenieError:
    """The engine's error, with a hint that says what to do."""
    known = [
        (
            "could not select device driver",
            f"the Docker engine has no driver for {spec.gpus.words if spec.gpus else 'GPUs'}: {engine_error}",
            "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker, and "
            "restart the engine; or set serving.gpus to none",
        ),
        (
            "CDI",
            f"the Docker engine cannot pass the GPUs to the container: {engine_error}",
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
        ),
        (
            "nvidia-container",
            f"the container cannot use the GPUs: {engine_error}",
            "check that nvidia-smi works on this machine",
        ),
        (
            "port is already allocated",
            f"a port of the model server is in use: {engine_error}",
            "stop the program that uses it, or set another serving.port or serving.rest_port (0: any free port)",
        ),
        (
            "address already in use",
            f"a port of the model server is in use: {engine_error}",
            "stop the program that uses it, or set another serving.port or serving.rest_port (0: any free port)",
        ),
        (
            f'"{spec.entrypoint}"',
            f"image {spec.image} has no program {spec.entrypoint}: {engine_error}",
            "set serving.image to an image of TensorFlow Serving",
        ),
    ]
    for pattern, reason, hint in known:
        if pattern in engine_error:
            return EugenieError(reason, hint, ExitCode.REFUSED)
    return EugenieError(f"the Docker engine rejects the container: {engine_error}", "see its log: journalctl -u docker")
