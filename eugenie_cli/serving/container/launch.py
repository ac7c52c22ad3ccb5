"""A container made, started and waited for; or nothing of it left, and the reason in words."""

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
"""From TERM to KILL. TensorFlow Serving does not hear TERM: what it is asked before KILL it answers, and it is asked
nothing that takes longer."""

FIRST_ANSWER_S = 120.0
"""A GPU compiles its kernels at the first request."""

LAST_LINES = 15
_POLL_S = 0.3
_ENDED = frozenset({"exited", "dead", "removing"})
_ALL_INTERFACES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def create(client: DockerClient, spec: ContainerSpec) -> Container:
    """Made, not started. Raises EugenieError."""
    from docker.errors import APIError

    try:
        return client.containers.create(**rendering.sdk_arguments(spec))
    except APIError as error:
        raise _refused(spec, error.explanation or str(error)) from error


def start(container: Container, spec: ContainerSpec, progress: Progress) -> None:
    """Start it, and wait until it is well and answers. Raises EugenieError, with its last log lines if it has any."""
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
    """Wait until it passes its own health check, and answers at `address`.

    The check is made here and now: the engine makes its first after the interval, and by then a caller has waited for
    nothing. Raises EugenieError: it ended, was restarted more often than the `restarts` times of before, or takes too
    long.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        container.reload()
        state = container.attrs["State"]
        if state["Status"] in _ENDED or restarts_of(container) > restarts:
            code = state.get("ExitCode", 0)
            raise _failed(container, f"the model server ended while it started (exit code {code})")
        if is_serving(address, timeout_s=0.5) and _passes(container, check):
            return
        if time.monotonic() > deadline:
            raise _failed(container, f"the model server does not answer after {READY_WITHIN_S:.0f} s")
        time.sleep(_POLL_S)


def await_answer(container: Container, address: str) -> None:
    """Wait until one that runs answers at `address`: the engine may have restarted it a moment ago."""
    container.reload()
    check = container.attrs["Config"]["Healthcheck"]["Test"][1]
    await_ready(container, address, check, restarts_of(container))


def restarts_of(container: Container) -> int:
    """By the engine, since it was made."""
    return int(container.attrs.get("RestartCount", 0))


def check_answers(site: HasServing, address: str) -> tuple[ServedModel, ...]:
    """Ask every model that is served once: what loads need not run, on a GPU least of all.

    Returns what is served. Raises EugenieError with the server's words.
    """
    served = served_models(address, site)
    with PredictClient(address) as client:
        for each in (model for model in served if model.state == "AVAILABLE"):
            folder = files.models_folder(workspace_of(site)) / each.name / str(each.version)
            if not (folder / model_info.LOCATION).exists():
                continue  # not of eugenie's making: nobody knows what it takes
            info = model_info.read(folder)
            rows = np.zeros((1, info.window, len(info.sensors)), np.float32)
            try:
                client.predict(each.name, [info.assets[0]], rows, each.version, timeout=FIRST_ANSWER_S)
            except ModelServerError as error:
                raise EugenieError(
                    f"{each.name} version {each.version} is loaded and does not answer: {error}",
                    "eugenie serve logs; another serving.image may do",
                ) from error
    return served


def health(container: Container) -> str:
    """healthy, unhealthy or starting, as the engine last found; empty of a container without a check."""
    return str(container.attrs["State"].get("Health", {}).get("Status", ""))


def gpu_use(container: Container) -> tuple[GpuUse, ...]:
    """What nvidia-smi says within the container; empty where there is none."""
    command = ["nvidia-smi", f"--query-gpu={gpus.QUERY}", "--format=csv,noheader,nounits"]
    return tuple(gpus.use(_inside(container, command)))


def retire(container: Container) -> None:
    """Stop it, so that requests in flight end, and remove it."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        container.stop(timeout=STOP_S)
        container.remove(v=True, force=True)


def discard(container: Container) -> None:
    """Remove it at once: nobody's requests are on it."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        container.remove(v=True, force=True)


def last_lines(container: Container, lines: int = LAST_LINES) -> str:
    """The end of its log."""
    return container.logs(tail=lines).decode("utf-8", "replace").strip()


def address_of(spec: ContainerSpec, inside: int) -> str:
    """Where this machine reaches a port of the container; empty when it is not published."""
    for each in spec.published:
        if each.inside == inside:
            host = ports.LOOPBACK if each.host in _ALL_INTERFACES else each.host
            return f"[{host}]:{each.port}" if ":" in host else f"{host}:{each.port}"
    return ""


def rest_of(spec: ContainerSpec) -> str:
    return address_of(spec, REST_PORT)


def _passes(container: Container, check: str) -> bool:
    from docker.errors import APIError

    try:
        code, _ = container.exec_run(["/bin/sh", "-c", check])
    except APIError:  # it has just ended, which the next look tells
        return False
    return bool(code == 0)


def _inside(container: Container, command: list[str]) -> str:
    """What a command prints in the container; nothing when it fails or is not there."""
    from docker.errors import APIError

    try:
        code, said = container.exec_run(command, stderr=False)
    except APIError:
        return ""
    return said.decode("utf-8", "replace") if code == 0 else ""


def _failed(container: Container, what: str) -> EugenieError:
    lines = last_lines(container)
    return EugenieError(f"{what}:\n{lines}" if lines else what, "see the lines above, or another serving.image")


def _refused(spec: ContainerSpec, said: str) -> EugenieError:
    """The engine's reason, in words that say what to do."""
    known = [
        (
            "could not select device driver",
            f"the Docker engine has no driver for {spec.gpus.words if spec.gpus else 'GPUs'}: {said}",
            "install the NVIDIA Container Toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker, and "
            "restart the engine; or set serving.gpus to none",
        ),
        (
            "CDI",
            f"the Docker engine cannot give the container its GPUs: {said}",
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
        ),
        ("nvidia-container", f"the container gets no GPU: {said}", "see that nvidia-smi works on this machine"),
        (
            "port is already allocated",
            f"a port of the model server is taken: {said}",
            "end that program, or choose another serving.port or serving.rest_port in the site file (0: any free one)",
        ),
        (
            "address already in use",
            f"a port of the model server is taken: {said}",
            "end that program, or choose another serving.port or serving.rest_port in the site file (0: any free one)",
        ),
        (
            f'"{spec.entrypoint}"',
            f"image {spec.image} has no program {spec.entrypoint}: {said}",
            "name an image of TensorFlow Serving in serving.image",
        ),
    ]
    for mark, reason, hint in known:
        if mark in said:
            return EugenieError(reason, hint, ExitCode.REFUSED)
    return EugenieError(f"the Docker engine refuses the container: {said}", "see its log: journalctl -u docker")
